import io
import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from tenants.context import tenant_context


@pytest.fixture
def lines():
    """What the handler of the settings prints."""
    (console,) = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    stream, before = io.StringIO(), console.stream
    console.setStream(stream)
    yield lambda: [line.split(" ", 2)[2] for line in stream.getvalue().splitlines()]
    console.setStream(before)


def test_a_line_says_whose_it_is(acme, globex, lines):
    logger = logging.getLogger("some.library")
    for tenant in (acme, globex):
        with tenant_context(tenant), ThreadPoolExecutor(1) as thread:
            logger.warning("here")
            thread.submit(copy_context().run, logger.warning, "in a thread").result()
    logger.warning("here")

    assert lines() == [
        "WARNING acme some.library: here",
        "WARNING acme some.library: in a thread",
        "WARNING globex some.library: here",
        "WARNING globex some.library: in a thread",
        "WARNING public some.library: here",
    ]

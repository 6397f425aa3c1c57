import pytest

from .stub_server import StubServer


@pytest.fixture
def stub_server():
    with StubServer() as server:
        yield server

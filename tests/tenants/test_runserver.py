import io

import pytest

from tenants.management.commands.runserver import Command


def bind(port):
    out = io.StringIO()
    command = Command(stdout=out, no_color=True)
    command.addr, command.protocol, command._raw_ipv6 = "127.0.0.1", "http", False
    command.on_bind(port)
    return out.getvalue()


def test_another_port_than_that_of_the_site_is_named_with_the_way_out(settings):
    settings.SITE_URL = "http://localhost:8000"

    assert (
        "SITE_URL is http://localhost:8000, so addresses of tenants lead to port 8000, and not here. "
        "Write SITE_URL=http://localhost:8403 into .env, and start again."
    ) in bind(8403)


@pytest.mark.parametrize(("url", "port"), [("http://localhost:8403", 8403), ("http://localhost", 80)])
def test_the_port_of_the_site_needs_no_advice(settings, url, port):
    settings.SITE_URL = url

    said = bind(port)

    assert f"The operators' site is {url}; tenants are on its subdomains." in said
    assert ".env" not in said

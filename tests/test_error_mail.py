import logging
import socket

import pytest
from django.core import mail
from django.urls import path

from project.service_urls import read_email_url
from tenants.binding.log import TenantFilter

ACME = {"host": "acme.localhost"}


@pytest.fixture
def broken(client, acme, settings):
    """Return a function that asks acme for a page that fails, and returns the response."""
    settings.ROOT_URLCONF = __name__
    settings.ADMINS = ["admin@example.com"]
    client.raise_request_exception = False
    handler = find_handler()
    filters = handler.filters
    handler.filters = [each for each in filters if isinstance(each, TenantFilter)]  # tests are not production
    yield lambda: client.get("/broken", headers=ACME)
    handler.filters = filters


def find_handler():
    [handler] = [each for each in logging.getLogger("django").handlers if each.get_name() == "mail"]
    return handler


def fail(request):
    raise RuntimeError("a fault of ours")


urlpatterns = [path("broken", fail)]


def test_an_error_is_mailed_with_the_tenant_it_happened_in(broken, settings):
    response = broken()

    assert response.status_code == 500
    [message] = mail.outbox
    assert (message.to, message.from_email) == (["admin@example.com"], settings.DEFAULT_FROM_EMAIL)
    assert message.subject.startswith(f"[{settings.SITE_NAME}] ERROR")
    request_id = response["X-Request-ID"]
    assert f" ERROR acme {request_id} django.request: Internal Server Error: /broken" in message.body
    assert "a fault of ours" in message.body


def test_a_mail_server_that_is_away_does_not_fail_the_page(broken, settings, capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings.MAILERS = {"default": read_email_url(f"smtp://127.0.0.1:{port}")}

    response = broken()

    assert response.status_code == 500
    assert b"<html" in response.content
    assert "ConnectionRefusedError" in capsys.readouterr().err


def test_no_mail_is_sent_without_admins(broken, settings):
    settings.ADMINS = []

    broken()

    assert mail.outbox == []

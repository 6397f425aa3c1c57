import io
import logging
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from uvicorn.logging import AccessFormatter

from apps.accounts.access.masked_logs import LOGS
from apps.accounts.invitations import invite_owner
from tenants.context import tenant_context

LINK = "/accounts/reset/MQ/diutjl-01262b0da68f341a869449807b1e229a/"
TOKEN = "diutjl-01262b0da68f341a869449807b1e229a"


def make_environ(path, **more):
    request = {"REQUEST_METHOD": "GET", "RAW_URI": path, "PATH_INFO": path, "SERVER_PROTOCOL": "HTTP/1.1"}
    return request | {"REMOTE_ADDR": "192.0.2.1", "QUERY_STRING": ""} | more


@pytest.fixture
def gunicorn(tmp_path):
    """What gunicorn's own logger writes about a request."""

    def log(path, **environ):
        config = Config()
        config.set("accesslog", str(tmp_path / "access.log"))
        logger = Logger(config)
        response = SimpleNamespace(status="302 Found", sent=0, headers=[])
        logger.access(response, [], make_environ(path, **environ), timedelta(seconds=1))
        for handler in logger.access_log.handlers:
            handler.flush()
        return (tmp_path / "access.log").read_text()

    yield log
    logging.getLogger("gunicorn.access").handlers.clear()


@pytest.mark.parametrize("path", [LINK, LINK + "?x=1", LINK.rstrip("/")])
def test_gunicorns_access_log_has_no_token(gunicorn, path):
    line = gunicorn(path)

    assert '"GET /accounts/reset/MQ/***' in line
    assert TOKEN not in line


def test_nor_as_the_page_that_somebody_came_from(gunicorn):
    line = gunicorn("/static/site.css", HTTP_REFERER=f"https://acme.example.com{LINK}")

    assert "https://acme.example.com/accounts/reset/MQ/***" in line
    assert TOKEN not in line


@pytest.mark.parametrize(
    "path", ["/accounts/reset/MQ/set-password/", "/accounts/reset/done/", "/search/?q=a"]
)
def test_other_addresses_stay_as_they_are(gunicorn, path):
    assert f'"GET {path} HTTP/1.1"' in gunicorn(path)


def test_uvicorns_access_log_has_no_token():
    stream, logger = io.StringIO(), logging.getLogger("uvicorn.access")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(AccessFormatter('%(client_addr)s "%(request_line)s" %(status_code)s'))
    logger.addHandler(handler)
    level, logger.level = logger.level, logging.INFO
    try:
        logger.info('%s - "%s %s HTTP/%s" %d', "192.0.2.1:9", "GET", LINK, "1.1", 302)
    finally:
        logger.removeHandler(handler)
        logger.level = level

    assert stream.getvalue() == '192.0.2.1:9 "GET /accounts/reset/MQ/***/ HTTP/1.1" 302 Found\n'


@pytest.mark.parametrize("name", LOGS)
def test_a_link_that_works_is_in_no_log(acme, name, caplog):
    with tenant_context(acme):
        link = urlsplit(invite_owner(acme, by_mail=False)).path

    with caplog.at_level(logging.INFO, name):
        logging.getLogger(name).propagate = True
        logging.getLogger(name).info("Too Many Requests: %s", link)

    assert link.split("/")[4] not in caplog.text
    assert "/reset/" in caplog.text

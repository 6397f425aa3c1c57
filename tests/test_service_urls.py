import os
import socket
import subprocess
import sys
from smtplib import SMTPServerDisconnected

import pytest
from django.conf import settings
from django.core.checks import INFO, WARNING
from django.core.mail import send_mail
from django.db import OperationalError, connections

from project.service_urls import read_database_url, read_email_url
from tenants import checks
from tests.relay import relay_to

DEFAULTS = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
OPTIONS = {"options": "-c hnsw.ef_search=64", "prepare_threshold": 5}


def read(url):
    return read_database_url(url, DEFAULTS, OPTIONS)


def test_an_address_alone_has_the_defaults():
    database = read("postgresql://app:s%40fe@db.example:5433/shop")

    assert database["OPTIONS"] == OPTIONS
    assert {name: database[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")} == {
        "USER": "app",
        "PASSWORD": "s@fe",
        "HOST": "db.example",
        "PORT": 5433,
        "NAME": "shop",
    }
    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (60, True)


@pytest.mark.parametrize(
    ("query", "option", "value"),
    [
        ("sslmode=require", "sslmode", "require"),
        ("sslrootcert=%2Fetc%2Fca.pem", "sslrootcert", "/etc/ca.pem"),
        ("connect_timeout=3", "connect_timeout", 3),
        ("application_name=shop", "application_name", "shop"),
        ("target_session_attrs=read-write", "target_session_attrs", "read-write"),
        ("prepare_threshold=0", "prepare_threshold", 0),
    ],
)
def test_an_option_of_the_url_is_kept_beside_those_of_the_project(query, option, value):
    options = read(f"postgresql://app@db/shop?{query}")["OPTIONS"]

    assert options == OPTIONS | {option: value}


@pytest.mark.parametrize(
    "query", ["options=-c%20statement_timeout%3D5000", "options=-c+statement_timeout=5000"]
)
def test_options_of_the_session_are_joined(query):
    options = read(f"postgresql://app@db/shop?{query}")["OPTIONS"]

    assert options["options"] == "-c hnsw.ef_search=64 -c statement_timeout=5000"


def test_options_are_the_urls_alone_where_the_project_has_none():
    database = read_database_url("postgresql://app@db/shop?options=-c%20a.b%3D1", {}, {})

    assert database["OPTIONS"] == {"options": "-c a.b=1"}


def test_settings_of_django_in_the_url_win_over_the_defaults():
    database = read("postgresql://app@db/shop?conn_max_age=0&conn_health_checks=False")

    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (0, False)
    assert database["OPTIONS"] == OPTIONS


@pytest.mark.parametrize(
    "address",
    [
        "%2Fvar%2FRun%2Fpg",
        "%2fvar%2fRun%2fpg",
        "app@%2Fvar%2FRun%2Fpg",
        "app:p%2Fw%40@%2Fvar%2FRun%2Fpg",
        "app@%2Fvar%2FRun%2Fpg:5433",
    ],
)
def test_a_folder_of_sockets_is_decoded_in_the_place_of_the_host(address):
    database = read(f"postgresql://{address}/shop")

    assert database["HOST"] == "/var/Run/pg"
    assert database["NAME"] == "shop"
    assert database["PORT"] == (5433 if address.endswith("5433") else "")


def test_the_parts_of_the_address_may_stand_among_the_options():
    database = read(
        "postgresql:///?host=/var/run/pg&port=5433&user=app&password=0123&dbname=shop&sslmode=disable"
    )

    assert {name: database[name] for name in ("HOST", "PORT", "USER", "PASSWORD", "NAME")} == {
        "HOST": "/var/run/pg",
        "PORT": "5433",
        "USER": "app",
        "PASSWORD": "0123",
        "NAME": "shop",
    }
    assert database["OPTIONS"] == OPTIONS | {"sslmode": "disable"}


def test_several_hosts_are_kept_for_libpq():
    database = read("postgresql://app@one:5432,two:5433/shop?target_session_attrs=primary")

    assert (database["HOST"], database["PORT"]) == ("one,two", "5432,5433")
    assert database["OPTIONS"]["target_session_attrs"] == "primary"


def test_the_settings_take_what_the_url_says():
    code = (
        "from django.db import connection; cursor = connection.cursor();"
        "cursor.execute('SHOW application_name'); print(cursor.fetchone()[0]);"
        "cursor.execute('SHOW statement_timeout'); print(cursor.fetchone()[0]);"
        "cursor.execute('SHOW hnsw.iterative_scan'); print(cursor.fetchone()[0])"
    )
    query = "application_name=shop&options=-c%20statement_timeout%3D7s"
    url = f"{settings.DATABASE_URL}?{query}"
    environment = os.environ | {"DATABASE_URL": url}

    ended = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", code],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert ended.stdout.splitlines() == ["shop", "7s", "strict_order"], ended.stderr


@pytest.fixture
def over_tcp(db):
    """Return a function: what a URL says after its `?` -> a connection over TCP to a server without TLS."""
    config = connections["default"].settings_dict
    opened = []
    with relay_to(config["HOST"], config["PORT"] or 5432) as port:

        def connect(query):
            address = f"{config['USER']}@127.0.0.1:{port}/{config['NAME']}"
            url = f"postgresql://{address}?connect_timeout=5&{query}"
            other = connections["default"].copy()
            other.settings_dict |= read_database_url(url, {}, OPTIONS)
            opened.append(other)
            return other

        yield connect
        for connection in opened:
            connection.close()


def test_a_url_that_wants_tls_gets_no_plain_connection(over_tcp):
    with pytest.raises(OperationalError, match="server does not support SSL, but SSL was required"):
        over_tcp("sslmode=require").ensure_connection()


def check(monkeypatch, connection):
    monkeypatch.setattr(checks, "connections", {"default": connection})
    return checks.check_encryption(databases=["default"])


def test_a_database_over_tcp_without_tls_is_w001(over_tcp, monkeypatch):
    [message] = check(monkeypatch, over_tcp(""))

    assert (message.id, message.level) == ("tenants.W001", WARNING)
    assert message.msg == "The connection to the database at '127.0.0.1' is not encrypted."
    assert "?sslmode=verify-full&sslrootcert=" in message.hint


def test_a_database_whose_url_wants_no_tls_is_said_but_no_warning(over_tcp, monkeypatch):
    [message] = check(monkeypatch, over_tcp("sslmode=disable"))

    assert (message.id, message.level) == ("tenants.W001", INFO)
    assert message.msg.endswith("is not encrypted, as sslmode=disable in DATABASE_URL wants.")


def test_a_socket_needs_no_tls(db):
    assert checks.check_encryption(databases=["default"]) == []


def test_encryption_is_looked_at_where_the_database_is_named_only(over_tcp, monkeypatch):
    monkeypatch.setattr(checks, "connections", {"default": over_tcp("")})

    assert checks.check_encryption() == []


SMTP = "django.core.mail.backends.smtp.EmailBackend"


def test_a_mail_server_has_a_time_out():
    mailer = read_email_url("smtp+tls://app:s%40fe@mail.example:587")

    assert mailer["BACKEND"] == SMTP
    assert mailer["OPTIONS"] == {
        "host": "mail.example",
        "port": 587,
        "username": "app",
        "password": "s@fe",
        "use_tls": True,
        "use_ssl": None,
        "timeout": 10,
    }


def test_options_of_the_mailers_url_are_kept():
    options = read_email_url("smtp+ssl://mail.example?timeout=3&ssl_certfile=/etc/mail.pem")["OPTIONS"]

    assert (options["timeout"], options["ssl_certfile"], options["use_ssl"]) == (3, "/etc/mail.pem", True)


def test_a_folder_for_mail_is_kept():
    assert read_email_url("filemail:////var/mail")["OPTIONS"] == {"file_path": "/var/mail"}


@pytest.mark.parametrize("url", ["consolemail://", "dummymail://"])
def test_other_mailers_have_no_options(url):
    assert read_email_url(url)["OPTIONS"] == {}


def test_a_mail_server_that_says_nothing_is_given_up(settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings.MAILERS = {"default": read_email_url(f"smtp://127.0.0.1:{port}?timeout=1")}

        with pytest.raises(SMTPServerDisconnected, match="timed out"):
            send_mail("subject", "text", None, ["a@example.com"])


def test_mail_that_is_printed_has_its_links_in_one_piece(settings, capsys):
    link = f"http://a-tenant-with-a-long-name.example.com:8000/accounts/reset/MQ/{'0' * 40}/"
    settings.MAILERS = {"default": read_email_url("consolemail://")}

    send_mail("Set a password", f"Hello Mia Müller,\n\n{link}\n", None, ["mia@example.com"])

    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Subject: Set a password", "To: mia@example.com"]
    assert {"Hello Mia Müller,", link} <= set(lines)

import json
import os
import subprocess
import sys
from secrets import token_urlsafe

import psycopg
import pytest
from django.conf import settings as project_settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import InterfaceError, OperationalError, connection
from django.http import JsonResponse
from django.test.utils import CaptureQueriesContext
from django.urls import path

from tenants.binding.outages import is_outage
from tenants.context import statement_timeout, tenant_context

ASK = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
from django.conf import settings
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
asked = [("localhost", "/", "*/*"), ("acme.localhost", "/", "text/html"),
    ("acme.localhost", "/api/search?q=x", "*/*"), ("acme.localhost", "/", "application/json"),
    ("acme.localhost", "/nothing/here", "text/html")]
for host, path, accept in asked:
    answer = client.get(path, headers={"host": host, "accept": accept})
    kind, text = answer["Content-Type"].partition(";")[0], answer.content.decode()
    print(json.dumps([answer.status_code, answer.headers.get("Retry-After"), kind, text]))
"""
PAGE, JSON = "text/html", "application/json"


def make_error(kind):
    error = OperationalError(f"{kind.__name__}\nin two lines")
    error.__cause__ = kind()
    return error


def lose_database(request, *args):
    raise make_error(psycopg.errors.AdminShutdown)


def wait_too_long(request):
    raise make_error(psycopg.errors.LockNotAvailable)


def sleep(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")


def show_timeout(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        return JsonResponse({"timeout": cursor.fetchone()[0]})


def show_longer_timeout(request):
    with statement_timeout(77):
        return show_timeout(request)


urlpatterns = [
    path("", lose_database),
    path("api/lost", lose_database),
    path("locked/", wait_too_long),
    path("sleep/", sleep),
    path("api/sleep", sleep),
    path("timeout/", show_timeout),
    path("longer/", show_longer_timeout),
]
handler500 = "tenants.binding.outages.server_error"


@pytest.fixture
def get(client, db, acme, settings):
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = __name__
    client.raise_request_exception = False
    return lambda path: client.get(path, headers={"host": "acme.localhost"})


@pytest.mark.parametrize("debug", ["True", "False"])
def test_without_a_database_each_caller_is_told_in_its_form_and_in_one_line(tmp_path, debug):
    # A folder without a server's socket: the same as a server that is gone.
    variables = {"DATABASE_URL": f"postgresql://nobody@:5432/{tmp_path}/gone", "DEBUG": debug}
    variables |= {"SECRET_KEY": token_urlsafe(50), "ENCRYPTION_KEYS": token_urlsafe(50)}

    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ | variables,
        cwd=project_settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
    )

    answers = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [(status, wait) for status, wait, _, _ in answers] == [(503, "5")] * 5
    assert [kind for _, _, kind, _ in answers] == [PAGE, PAGE, JSON, JSON, PAGE]
    assert "This site is not available just now" in answers[1][3]
    assert json.loads(answers[2][3]) == {
        "errors": {"database": ["The database does not answer just now. Try again in a few seconds."]}
    }
    assert len(asked.stderr.splitlines()) == 5, asked.stderr
    assert "GET /api/search: 503, the database does not answer: " in asked.stderr


@pytest.mark.parametrize(("debug", "asked", "kind"), [(True, "/", PAGE), (False, "/api/lost", JSON)])
def test_a_view_that_loses_the_database_answers_503(get, settings, caplog, debug, asked, kind):
    settings.DEBUG = debug

    response = get(asked)

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response["Content-Type"].startswith(kind)
    assert [record.getMessage() for record in caplog.records] == [
        f"GET {asked}: 503, the database does not answer: AdminShutdown in two lines"
    ]


def test_a_middleware_that_loses_the_database_answers_503(get, monkeypatch, caplog):
    monkeypatch.setattr(SessionMiddleware, "process_request", lose_database)

    response = get("/")

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert len(caplog.records) == 1


def test_an_endpoint_that_loses_the_database_answers_503(client, acme, monkeypatch, settings, caplog):
    settings.DEBUG = True  # django-ninja shows a traceback then
    monkeypatch.setattr("apps.accounts.access.limited_requests.ApiThrottle.allow_request", lose_database)
    monkeypatch.setattr("apps.accounts.access.api_auth.MemberAuth.__call__", lose_database)

    response = client.get("/api/search?q=x", headers={"host": "acme.localhost"})

    assert (response.status_code, response["Content-Type"]) == (503, JSON)
    assert len(caplog.records) == 1


def test_another_error_of_the_database_is_still_a_fault(get, caplog):
    response = get("/locked/")

    assert response.status_code == 500
    assert caplog.records[-1].exc_info


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("connection refused"), True),
        (make_error(psycopg.errors.TooManyConnections), True),
        (make_error(psycopg.errors.DiskFull), True),
        (make_error(psycopg.errors.ConnectionFailure), True),
        (InterfaceError("connection already closed"), True),
        (InterfaceError("cursor already closed"), False),
        (make_error(psycopg.errors.DeadlockDetected), False),
        (make_error(psycopg.errors.QueryCanceled), False),
        (ValueError("connection"), False),
    ],
)
def test_an_outage_is_told_from_other_errors(error, expected):
    assert is_outage(error) is expected


def test_a_session_that_was_ended_is_an_outage(committed):
    def lose():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises((OperationalError, InterfaceError)) as caught:
        committed(lose)

    assert is_outage(caught.value)


@pytest.mark.parametrize(
    ("state", "status", "message"),
    [
        ("provisioning", 503, "This site is being set up. Try again in a minute."),
        ("suspended", 403, "This site is suspended."),
        ("leaving", 410, "This site is closed."),
    ],
)
def test_the_api_of_a_tenant_that_is_not_served_refuses_in_json(client, make_tenant, state, status, message):
    make_tenant("late", state=state)

    response = client.get("/api/search?q=x", headers={"host": "late.localhost"})

    assert (response.status_code, response.json()) == (status, {"errors": {"site": [message]}})


@pytest.mark.parametrize(("asked", "kind"), [("/sleep/", PAGE), ("/api/sleep", JSON)])
def test_a_statement_that_takes_too_long_is_broken_off(get, settings, caplog, asked, kind):
    settings.REQUEST_STATEMENT_TIMEOUT = 0.05

    response = get(asked)

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response["Content-Type"].startswith(kind)
    assert "This took too long and was broken off. Ask for less" in response.content.decode()
    assert [record.getMessage() for record in caplog.records] == [
        f"GET {asked}: 503, a statement took too long: canceling statement due to statement timeout"
    ]


def test_only_requests_have_a_timeout_and_each_site_its_own(get, client, settings, acme):
    settings.REQUEST_STATEMENT_TIMEOUT, settings.OPERATORS_STATEMENT_TIMEOUT = 7, 70

    seen = [get(path).json()["timeout"] for path in ("/timeout/", "/longer/", "/timeout/")]
    seen.append(client.get("/timeout/", headers={"host": "localhost"}).json()["timeout"])
    with tenant_context(acme):
        seen.append(json.loads(show_timeout(None).content)["timeout"])

    assert seen == ["7s", "77s", "7s", "70s", "0"]


def test_the_timeout_costs_no_round_trip(db, acme):
    with CaptureQueriesContext(connection) as queries, tenant_context(acme), statement_timeout(5):
        show_timeout(None)

    assert len(queries) == 2

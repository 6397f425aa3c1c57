import json
import logging

import pytest
from django.http import HttpResponse
from django.tasks import task
from django.urls import path
from django_tasks_db.models import DBTaskResult

from apps.accounts.models import User
from project.json_log import JsonLogFormatter
from tenants.binding.log import TenantFilter
from tenants.context import tenant_context
from tenants.queue.rows import REQUEST_KEY, SCHEMA_KEY, get_arguments
from tenants.tracing import HEADER, get_request_id, get_task_id, tracing_request

logger = logging.getLogger(__name__)
handler500 = "tenants.binding.outages.server_error"


@task
def report_ids():
    follow_up.enqueue()
    return [get_request_id(), get_task_id()]


@task
def follow_up():
    return get_request_id()


def write_task(request):
    report_ids.enqueue()
    return HttpResponse(get_request_id())


def fail(request):
    raise RuntimeError("a fault of ours")


def log_line(request):
    request.user.is_authenticated  # noqa: B018 - reads the user
    logger.warning("at %s", request.path)
    return HttpResponse("ok")


urlpatterns = [path("task/", write_task), path("fail/", fail), path("api/fail", fail), path("log/", log_line)]


@pytest.fixture
def get(client, db, acme, settings):
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False
    return lambda path, **headers: client.get(path, headers={"host": "acme.localhost"} | headers)


@pytest.fixture
def member(acme):
    with tenant_context(acme):
        return User.objects.create_user("mia@example.com")


@pytest.fixture
def lines():
    written = []
    handler = logging.Handler()
    handler.addFilter(TenantFilter())
    handler.setFormatter(JsonLogFormatter())
    handler.emit = lambda record: written.append(json.loads(handler.format(record)))
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def test_each_answer_names_an_id_of_its_own(get):
    first, second = (get("/log/")[HEADER] for _ in range(2))

    assert len(first) == 32
    assert first != second


@pytest.mark.parametrize("path", ["/healthz", "/nothing/"])
def test_answers_that_no_view_gives_name_an_id_too(get, path):
    assert len(get(path)[HEADER]) == 32


def test_an_unknown_hosts_refusal_names_an_id(get):
    assert len(get("/", host="nobody.localhost")[HEADER]) == 32


def test_a_clients_id_is_taken_only_where_the_proxy_sets_it(get, settings):
    untrusted = get("/log/", **{"X-Request-ID": "mine"})[HEADER]
    settings.REQUEST_ID_HEADER = "X-Request-ID"
    trusted = get("/log/", **{"X-Request-ID": "from-the-proxy"})[HEADER]

    assert untrusted != "mine"
    assert trusted == "from-the-proxy"


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "x" * 129, "é"])
def test_what_could_forge_a_log_line_is_no_id(get, settings, value):
    settings.REQUEST_ID_HEADER = "X-Request-ID"

    assert len(get("/log/", **{"X-Request-ID": value})[HEADER]) == 32


def test_a_task_belongs_to_the_request_that_wrote_it(get, acme, run_tasks):
    request_id = get("/task/").content.decode()
    run_tasks()

    rows = {row.task_path.rpartition(".")[2]: row for row in DBTaskResult.objects.all()}
    own, following = rows["report_ids"], rows["follow_up"]
    assert own.return_value == [request_id, str(own.pk)]
    assert following.return_value == request_id
    assert own.args_kwargs["kwargs"] == {SCHEMA_KEY: "acme", REQUEST_KEY: request_id}
    assert get_arguments(own) == ([], {})
    assert (get_request_id(), get_task_id()) == ("", "")


def test_a_task_that_no_request_wrote_has_no_id(acme, run_tasks):
    with tenant_context(acme):
        follow_up.enqueue()
    run_tasks()

    row = DBTaskResult.objects.get()
    assert row.return_value == ""
    assert row.args_kwargs["kwargs"] == {SCHEMA_KEY: "acme"}


def test_an_id_that_somebody_wrote_into_the_queue_cannot_forge_log_lines():
    with tracing_request("id\nINFO public audit: who=operator"):
        forged = get_request_id()
    with tracing_request({"a": 1}):
        no_text = get_request_id()

    assert (forged, no_text) == ("", "")


def test_the_page_of_a_fault_names_the_id(get, lines):
    response = get("/fail/", accept="text/html")

    assert response.status_code == 500
    assert f"<code>{response[HEADER]}</code>" in response.content.decode()
    (line,) = [line for line in lines if "exc_info" in line]
    assert line["request_id"] == response[HEADER]
    assert "a fault of ours" in line["exc_info"]


def test_the_api_tells_a_fault_in_its_own_form(get):
    response = get("/api/fail")

    assert response.status_code == 500
    assert response.json() == {
        "errors": {"server": [f"The fault is ours and has been noted. Request id: {response[HEADER]}"]}
    }


def test_a_line_for_programs_says_whose_it_is_and_what_it_belongs_to(get, client, acme, member, lines):
    with tenant_context(acme):
        client.force_login(member)

    response = get("/log/")

    (line,) = [line for line in lines if line["logger"] == __name__]
    assert line.pop("time")
    assert line == {
        "level": "WARNING",
        "logger": __name__,
        "message": "at /log/",
        "schema_name": "acme",
        "request_id": response[HEADER],
        "user_id": str(member.pk),
    }


def test_a_line_for_programs_has_what_a_record_was_given(lines):
    logger.warning("deed", extra={"deed": {"who": "mia"}, "request": object()})

    assert lines[-1]["deed"] == {"who": "mia"}
    assert "request" not in lines[-1]

import pytest
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django_tasks_db.models import DBTaskResult

from apps.search.indexing.tasks import maintain_vector_indexes
from tenants.context import tenant_context
from tenants.models import Tenant
from tenants.queue.backend import SCHEMA_KEY
from tests.search.pgvector.filling import fill

PAGE = "/admin/vector-indexes/"
AT_PUBLIC = {"headers": {"host": "localhost"}}
AT_ACME = {"headers": {"host": "acme.localhost"}}


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": 200}


@pytest.fixture
def operator(client, db):
    client.force_login(get_user_model().objects.create_superuser("operator@example.com"))
    return client


def list_waiting():
    tasks = DBTaskResult.objects.order_by("enqueued_at")
    return [(task.task_path.rsplit(".", 1)[-1], task.args_kwargs["kwargs"][SCHEMA_KEY]) for task in tasks]


def test_the_page_shows_every_active_tenant_and_what_would_change(operator, acme, globex):
    with tenant_context(acme):
        fill(200, index_name="notes")
    Tenant.objects.filter(pk=globex.pk).update(state="suspended")

    page = operator.get(PAGE, **AT_PUBLIC)

    content = page.content.decode()
    assert page.status_code == 200
    assert "Acme (acme)" in content
    for text in (">notes</td>", ">200</td>", ">exact</td>", ">build</td>"):
        assert text in content
    assert "Globex" not in content
    assert "style=" not in content


def test_one_tenant_with_its_recall(operator, acme, globex):
    with tenant_context(acme):
        fill(200)
    before = operator.get(f"{PAGE}?schema=acme", **AT_PUBLIC).context["reports"]
    maintain_vector_indexes.call(**{SCHEMA_KEY: "acme"})

    reports = operator.get(f"{PAGE}?schema=acme&recall=1", **AT_PUBLIC).context["reports"]
    everyone = operator.get(f"{PAGE}?recall=1", **AT_PUBLIC).context["reports"]

    assert [[status.recall for status in statuses] for _, statuses in before] == [[None]]
    assert [tenant.schema_name for tenant, _ in reports] == ["acme"]
    assert [status.recall >= 0.9 for status in reports[0][1]] == [True]
    assert {status.recall for _, statuses in everyone for status in statuses} == {None}


def test_apply_writes_the_task_of_that_tenant(operator, acme, globex):
    response = operator.post(PAGE, {"schema": "acme"}, **AT_PUBLIC)

    assert (response.status_code, response.url) == (302, PAGE)
    assert list_waiting() == [("maintain_vector_indexes", "acme")]
    assert [str(message) for message in get_messages(response.wsgi_request)] == [
        "A worker sees to the indexes of Acme. Reload to see what it did."
    ]


@pytest.mark.parametrize("schema", ["public", "nobody", ""])
def test_a_schema_of_no_active_tenant_is_not_found(operator, acme, schema):
    assert operator.post(PAGE, {"schema": schema}, **AT_PUBLIC).status_code == 404
    assert schema == "" or operator.get(f"{PAGE}?schema={schema}", **AT_PUBLIC).status_code == 404
    assert list_waiting() == []


def test_the_page_wants_the_csrf_token(operator, acme):
    operator.handler.enforce_csrf_checks = True

    assert operator.post(PAGE, {"schema": "acme"}, **AT_PUBLIC).status_code == 403
    assert list_waiting() == []


def test_staff_who_are_no_superusers_are_refused(client, acme):
    client.force_login(get_user_model().objects.create_user("staff@example.com", is_staff=True))

    statuses = [
        client.get(PAGE, **AT_PUBLIC).status_code,
        client.post(PAGE, {"schema": "acme"}, **AT_PUBLIC).status_code,
    ]
    index = client.get("/admin/", **AT_PUBLIC)

    assert statuses == [403, 403]
    assert (index.status_code, PAGE.encode() in index.content) == (200, False)
    assert list_waiting() == []


def test_a_stranger_is_asked_to_sign_in(client, acme):
    response = client.get(PAGE, **AT_PUBLIC)

    assert (response.status_code, response.url) == (302, f"/admin/login/?next={PAGE}")


def test_a_tenants_superuser_finds_no_such_page(client, acme):
    with tenant_context(acme):
        client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))

    statuses = [
        client.get(PAGE, **AT_ACME).status_code,
        client.post(PAGE, {"schema": "acme"}, **AT_ACME).status_code,
    ]

    assert statuses == [404, 404]
    assert list_waiting() == []


def test_the_admins_first_page_leads_there(operator):
    assert f'href="{PAGE}"' in operator.get("/admin/", **AT_PUBLIC).content.decode()

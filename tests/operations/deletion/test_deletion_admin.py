import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection

from apps.operations.deletion.deleting import prove
from apps.operations.deletion.scheduling import schedule_deletion
from tenants.context import tenant_context
from tenants.models import DeletionReport, Tenant

AT_PUBLIC = {"headers": {"host": "localhost"}}
LIST = "/admin/tenants/tenant/"
REPORTS = "/admin/tenants/deletionreport/"


@pytest.fixture
def get(operator):
    return lambda path: operator.get(path, **AT_PUBLIC)


@pytest.fixture
def post(operator):
    return lambda path, **values: operator.post(path, values, **AT_PUBLIC)


def get_message_texts(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


@pytest.mark.parametrize("typed", ["", "acme", "Globex"])
def test_deletion_wants_the_name_typed(post, acme, typed):
    response = post(f"{LIST}{acme.pk}/delete/", name=typed)

    acme.refresh_from_db()
    assert response.status_code == 200
    assert response.context["form"].errors["name"]
    assert acme.state == "active"


def test_the_page_says_the_date_and_closes_the_tenant(get, post, acme, settings, schemas):
    settings.DELETION_GRACE_DAYS = 0
    asked = get(f"{LIST}{acme.pk}/delete/").content.decode()

    response = post(f"{LIST}{acme.pk}/delete/", name="Acme")

    acme.refresh_from_db()
    when = f"{acme.delete_after:%Y-%m-%d %H:%M} UTC"
    assert f"{acme.delete_after:%Y}" in asked
    assert (response.status_code, response.url) == (302, LIST)
    assert get_message_texts(response) == [f"Acme is closed. A worker deletes it after {when}."]
    assert acme.state == "leaving"
    assert "acme" in schemas()
    assert LogEntry.objects.get().change_message == f"Closed, to be deleted after {when}."


def test_a_leaving_tenants_page_offers_to_keep_it(get, post, acme):
    schedule_deletion(acme)
    asked = get(f"{LIST}{acme.pk}/delete/").content.decode()
    page = get(f"{LIST}{acme.pk}/change/").content.decode()

    response = post(f"{LIST}{acme.pk}/delete/", keep="Keep it")

    acme.refresh_from_db()
    assert "it is active again then" in asked
    assert "Keep it, or delete it now" in page
    assert get_message_texts(response) == ["Acme is kept."]
    assert acme.state == "active"


def test_a_leaving_tenant_is_deleted_now_by_a_worker(post, acme, run_tasks, schemas):
    schedule_deletion(acme)

    post(f"{LIST}{acme.pk}/delete/", name="Acme")
    run_tasks()

    assert "acme" not in schemas()
    assert DeletionReport.objects.get().is_clean


def test_several_tenants_are_kept_at_once(post, acme, globex):
    schedule_deletion(acme)

    response = post(LIST, action="keep_tenants", _selected_action=[acme.pk, globex.pk])

    assert sorted(get_message_texts(response)) == [
        "Acme is kept.",
        "Globex is not leaving, so there is nothing to undo.",
    ]


def test_what_was_never_provisioned_goes_at_once(get, post, make_tenant):
    tenant = make_tenant("soon", state="failed")
    asked = get(f"{LIST}{tenant.pk}/delete/").content.decode()

    response = post(f"{LIST}{tenant.pk}/delete/", name="Soon")

    report = DeletionReport.objects.get()
    assert "Delete it for ever" in asked
    assert get_message_texts(response) == ["Soon is deleted."]
    assert response.url == f"{REPORTS}{report.pk}/change/"
    assert not Tenant.objects.filter(schema_name="soon").exists()


def test_many_tenants_cannot_be_deleted_at_once(post, acme):
    post(LIST, action="delete_selected", _selected_action=[acme.pk])

    assert Tenant.objects.filter(pk=acme.pk).exists()


@pytest.mark.parametrize("values", [{"name": "Acme"}, {"keep": "Keep it"}])
def test_an_operator_without_the_right_to_delete_can_neither_delete_nor_keep(client, acme, values):
    schedule_deletion(acme)
    user = get_user_model().objects.create_user("watcher@example.com", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_tenant"))
    client.force_login(user)

    response = client.post(f"{LIST}{acme.pk}/delete/", values, **AT_PUBLIC)

    before = acme.delete_after
    acme.refresh_from_db()
    assert response.status_code == 403
    assert (acme.state, acme.delete_after) == ("leaving", before)


def test_an_unknown_tenant_cannot_be_deleted(post, acme):
    assert post(f"{LIST}999999/delete/", name="Acme").status_code == 404


def test_operators_read_the_reports(get, deleted):
    listed = get(REPORTS).content.decode()
    shown = get(f"{REPORTS}{deleted.pk}/change/").content.decode()

    assert "nothing is left" in listed
    assert "pg_namespace" in shown
    assert "name=&quot;" not in shown


def test_a_report_says_what_is_left_and_what_to_do(get, deleted):
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA acme")
    prove(deleted)

    shown = get(f"{REPORTS}{deleted.pk}/change/").content.decode()

    assert "left in 1 places" in shown
    assert "DROP SCHEMA &quot;acme&quot; CASCADE;" in shown


def test_a_report_that_was_cut_short_says_how_to_go_on(get, db):
    report = DeletionReport.objects.create(schema_name="gone", name="Gone", tenant_pk=1)

    shown = get(f"{REPORTS}{report.pk}/change/").content.decode()

    assert "cut short: manage.py delete_tenant gone --now" in shown


@pytest.mark.parametrize("path", ["add/", "{pk}/delete/"])
def test_nobody_adds_or_removes_a_report(get, deleted, path):
    assert get(REPORTS + path.format(pk=deleted.pk)).status_code == 403


def test_nobody_changes_a_report(post, deleted):
    response = post(f"{REPORTS}{deleted.pk}/change/", name="Other")

    deleted.refresh_from_db()
    assert (response.status_code, deleted.name) == (403, "Acme")


def test_a_tenants_superuser_does_not_find_the_reports(client, deleted, globex):
    with tenant_context(globex):
        client.force_login(get_user_model().objects.create_superuser("boss@globex.example"))

    response = client.get(REPORTS, headers={"host": "globex.localhost"})

    assert response.status_code == 404

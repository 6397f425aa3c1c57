import csv
import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import Deed
from apps.audit.recording import LONGEST
from apps.operations.doctor.finding import Scope
from apps.operations.doctor.roles import check
from tenants.audit import record
from tenants.context import owner_rights, tenant_context
from tenants.periodic.schedule import Where, list_schedules
from tenants.postgresql.role_names import get_role_name
from tenants.provisioning.life_cycle import suspend

ACME = {"host": "acme.localhost"}
EXPORT = "/admin/audit/deed/export."


def read_deeds(tenant):
    with tenant_context(tenant):
        return [str(deed) for deed in Deed.objects.all()]


@pytest.fixture(autouse=True)
def _empty_logs(acme, globex):
    """The tenants were provisioned, which is a deed."""
    Deed.objects.all().delete()
    for tenant in (acme, globex):
        with tenant_context(tenant), owner_rights():
            Deed.objects.all().delete()


@pytest.fixture
def owner(client, acme):
    """A client that acme's superuser has signed in with."""
    with tenant_context(acme):
        client.force_login(User.objects.create_superuser("olga@example.com"))
    return client


def test_a_sign_in_stands_in_the_tenants_own_log_with_where_it_came_from(client, acme, globex):
    with tenant_context(acme):
        User.objects.create_user("mia@example.com", "correct horse battery")

    form = {"username": "mia@example.com", "password": "correct horse battery"}
    response = client.post("/accounts/login/", form, headers=ACME, REMOTE_ADDR="203.0.113.7")

    with tenant_context(acme):
        deed = Deed.objects.get(what="sign in")
    assert (deed.on, deed.whose, deed.address) == ("mia@example.com", "acme", "203.0.113.7")
    assert deed.request_id == response["X-Request-ID"]
    assert read_deeds(globex) == []


def test_what_operators_do_stands_in_theirs(operator, acme):
    form = {"action": "suspend_tenants", "_selected_action": [acme.pk]}

    operator.post("/admin/tenants/tenant/", form, headers={"host": "localhost"})

    page = operator.get("/admin/audit/deed/", headers={"host": "localhost"}).content.decode()
    deed = Deed.objects.get(what="suspend")
    assert '<td class="field-whose">acme</td>' in page
    assert (deed.who, deed.whose) == ("operator:operator@example.com", "acme")
    assert "suspend" not in " ".join(read_deeds(acme))


def test_a_deed_that_is_rolled_back_is_not_in_the_log(acme):
    with tenant_context(acme), transaction.atomic():
        record("issue key", "one")
        transaction.set_rollback(True)

    assert read_deeds(acme) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_deed SET who = 'nobody'", "DELETE FROM audit_deed", "TRUNCATE audit_deed"]
)
def test_a_tenants_role_can_add_to_its_log_but_not_change_it(acme, statement):
    with tenant_context(acme):
        record("issue key", "one")

        refused = pytest.raises(ProgrammingError, match="permission denied")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    assert len(read_deeds(acme)) == 1


def test_the_doctor_finds_a_role_that_may_change_its_log_and_mends_it(acme, globex):
    role = get_role_name(connection.settings_dict["NAME"], "acme")
    with connection.cursor() as cursor:
        cursor.execute(f'GRANT DELETE ON acme.audit_deed TO "{role}"')

    (finding,) = check(Scope([acme, globex], is_whole=False))
    finding.mend()

    assert finding.subject == "acme"
    assert "may change what is only to be added to" in finding.message
    assert list(check(Scope([acme, globex], is_whole=False))) == []


def test_a_schema_that_is_not_migrated_yet_loses_no_deed(acme, deeds, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE acme.audit_deed RENAME TO audit_later")

    with tenant_context(acme):
        lines = deeds(lambda: record("issue key", "one"))

    assert len(lines) == 1
    assert "This schema has no audit log yet" in caplog.text


@pytest.mark.parametrize("value", ["nul\0", "half \ud83d", "x" * 100_000])
def test_whatever_somebody_typed_is_kept(acme, value):
    with tenant_context(acme):
        record("fail to sign in", value, address=value, note=value)
        deed = Deed.objects.get()

    assert len(deed.on) <= LONGEST + 1
    assert deed.on[:3] == value[:3]
    assert deed.details["note"] == deed.on


def test_members_with_the_right_see_the_log_and_change_nothing(owner, acme, globex):
    with tenant_context(acme):
        record("issue key", "one of acme")
        pk = Deed.objects.get(what="issue key").pk
    with tenant_context(globex):
        record("issue key", "one of globex")

    page = owner.get("/admin/audit/deed/", headers=ACME).content.decode()
    one = owner.get(f"/admin/audit/deed/{pk}/change/", headers=ACME).content.decode()
    statuses = [
        owner.post(f"/admin/audit/deed/{path}", headers=ACME).status_code
        for path in ("add/", f"{pk}/delete/")
    ]

    assert "one of acme" in page
    assert "one of globex" not in page
    assert 'name="_save"' not in one
    assert statuses == [403, 403]


def test_who_lacks_the_right_sees_no_log(client, acme):
    with tenant_context(acme):
        client.force_login(User.objects.create_user("staff@example.com", is_staff=True))

    paths = ["/admin/audit/deed/", f"{EXPORT}csv", f"{EXPORT}jsonl"]
    assert [client.get(path, headers=ACME).status_code for path in paths] == [403] * 3


def test_a_file_has_what_the_filters_leave(owner, acme):
    with tenant_context(acme):
        record("issue key", "a key", note="kept")
        record("revoke key", "another")

    body = owner.get(f"{EXPORT}jsonl?what=issue+key", headers=ACME).getvalue().decode()
    found = owner.get(f"{EXPORT}csv?q=another", headers=ACME)

    (line,) = map(json.loads, body.splitlines())
    assert (line["what"], line["on"], line["details"]) == ("issue key", "a key", {"note": "kept"})
    (row,) = csv.DictReader(io.StringIO(found.getvalue().decode()))
    assert (row["what"], row["on"]) == ("revoke key", "another")
    assert found["Content-Disposition"] == 'attachment; filename="audit.csv"'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_a_file_is_a_formula(owner, acme, text):
    with tenant_context(acme):
        record("fail to sign in", text)

    body = owner.get(f"{EXPORT}csv?what=fail+to+sign+in", headers=ACME).getvalue().decode()

    (row,) = csv.DictReader(io.StringIO(body, newline=""))
    assert row["on"] == f"'{text}"


def test_taking_the_log_along_is_a_deed(owner, acme):
    owner.get(f"{EXPORT}csv?q=x", headers=ACME)

    with tenant_context(acme):
        assert Deed.objects.get(what="export audit log").details == {"filter": "q=x"}


def test_no_other_form_of_file_is_offered(owner):
    assert owner.get(f"{EXPORT}exe", headers=ACME).status_code == 404


def test_old_deeds_go_and_others_stay(acme, globex, settings, capsys):
    settings.AUDIT_DAYS = 30
    for tenant in (acme, globex):
        with tenant_context(tenant):
            record("old", at_most="gone")
            record("new")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE acme.audit_deed SET at = %s WHERE what = 'old'", [timezone.now() - timedelta(days=31)]
        )

    call_command("prune_audit", schema="acme")

    assert capsys.readouterr().out == "acme: 1 deeds deleted\n"
    assert [each.split()[-1] for each in read_deeds(acme)] == ["new"]
    assert len(read_deeds(globex)) == 2


def test_deeds_of_operators_go_with_all(acme, settings, capsys):
    settings.AUDIT_DAYS = 30
    suspend(acme)
    Deed.objects.update(at=timezone.now() - timedelta(days=31))

    call_command("prune_audit", all=True)

    assert capsys.readouterr().out.startswith("public: 1 deeds deleted\n")


def test_old_deeds_go_by_themselves():
    schedule = list_schedules()["apps.audit.recording.prune"]

    assert schedule.where == Where.EVERYWHERE


def test_without_a_limit_all_deeds_are_kept(acme, settings, capsys):
    settings.AUDIT_DAYS = 0

    call_command("prune_audit", all=True)

    assert capsys.readouterr().out == "AUDIT_DAYS is 0: all deeds are kept.\n"


def test_an_unknown_schema_is_refused(db):
    with pytest.raises(CommandError, match="nope"):
        call_command("prune_audit", schema="nope")

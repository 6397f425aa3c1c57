import io
import json
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.operations.doctor.examining import examine
from apps.operations.doctor.finding import Level, name_some
from tenants.context import tenant_context
from tenants.locks import Lock, session_lock
from tenants.models import Domain, Tenant
from tenants.postgresql.role_names import get_role_name
from tenants.provisioning.roles import list_roles
from tests.models_app.models import Note
from tests.tenants import tasks
from tests.tenants.pooler import Pooler

LONG_AGO = timezone.now() - timedelta(minutes=20)


@pytest.fixture
def run(acme, globex):
    def run(*options):
        out = io.StringIO()
        call_command("doctor", *options, stdout=out, no_color=True)
        return out.getvalue()

    return run


@pytest.fixture
def pooler():
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path has at most 107 bytes
        host, poolers = connection.settings_dict["HOST"], []

        def start(mode):
            poolers.append(Pooler(Path(folder), connection.settings_dict, mode))
            connection.settings_dict["HOST"] = folder

        yield start
        connection.settings_dict["HOST"] = host
        for pooler in poolers:
            pooler.close()


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)


def find(subject, schema=None):
    """Return what is found about a subject, leaving out what is only good to know."""
    found = [each for each in examine(schema) if each.subject == subject]
    return [each for each in found if each.level != Level.INFO]


def find_only(subject, schema=None):
    (finding,) = find(subject, schema)
    return finding


def write_task(tenant, **values):
    with tenant_context(tenant):
        pk = tasks.report_binding.enqueue().id
    DBTaskResult.objects.filter(pk=pk).update(**values)
    return pk


def test_a_healthy_database_passes_even_strictly(run):
    out = run("--strict")

    assert out.endswith("All is healthy.\n")
    assert "error" not in out
    assert "warning" not in out


def test_a_healthy_tenant_passes(run):
    out = run("--strict", "--schema=acme")

    assert out.endswith("All is healthy.\n")
    assert "globex" not in out


def test_an_unknown_schema_is_refused(run):
    with pytest.raises(CommandError, match=r"--schema: no tenant has the schema 'nobody'"):
        run("--schema=nobody")


def test_errors_fail_the_command_and_warnings_only_when_strict(run):
    execute("CREATE SCHEMA left_over; CREATE TABLE left_over.django_migrations (app text, name text)")

    out = run()

    assert "left_over\n  warning: A schema like a tenant's that no tenant has." in out
    assert '    fix: DROP SCHEMA "left_over" CASCADE;\n' in out
    assert out.endswith("0 errors, 1 warnings.\n")
    with pytest.raises(CommandError, match="0 errors, 1 warnings"):
        run("--strict")


def test_json_has_every_finding_with_its_fix(acme):
    Domain.objects.filter(tenant=acme).delete()
    out = io.StringIO()

    with pytest.raises(CommandError, match="1 errors, 0 warnings"):
        call_command("doctor", json=True, stdout=out)

    report = json.loads(out.getvalue())
    (row,) = [row for row in report["findings"] if row["level"] == "error"]
    assert report["left"]["error"] == 1
    assert row["subject"] == "acme"
    assert row["message"] == "It is active, but no domain leads to it."
    assert row["fix"].startswith("INSERT INTO public.")
    assert (row["can_be_mended"], row["mended"], row["remark"]) == (False, False, "")


def test_a_database_without_a_registry_is_told_to_migrate(db):
    execute("ALTER TABLE public.tenants_tenant RENAME TO lost")

    (finding,) = examine()

    assert finding.message == "The database has no registry of tenants."
    assert finding.fix == "manage.py migrate_schemas"


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(run):
    execute("ALTER TABLE public.django_tasks_database_dbtaskresult RENAME TO lost")

    messages = [finding.message for finding in examine()]

    assert "apps.operations.doctor.tasks.check could not be run: ProgrammingError." in messages
    assert any(message.startswith("The largest tenants: ") for message in messages)


def test_an_extension_in_a_tenants_schema_is_found_and_moved(run):
    execute("ALTER EXTENSION vector SET SCHEMA acme")

    finding = find_only("database")
    out = run("--fix")

    assert finding.level == Level.ERROR
    assert finding.message.startswith("The extension vector is in the schema 'acme'")
    assert "ALTER EXTENSION vector SET SCHEMA public;" in finding.fix
    assert "    mended\n" in out
    assert find("database") == []


def test_a_half_migrated_public_is_found(run):
    execute("DELETE FROM public.django_migrations WHERE app = 'django_tasks_database'")

    finding = find_only("migrations")

    assert finding.message.startswith("public lacks ")
    assert finding.fix == "manage.py migrate_schemas --shared"


def test_a_failed_provisioning_is_found_without_its_reason(make_tenant):
    make_tenant("initech", state="failed", state_reason="secret content")

    finding = find_only("initech")

    assert finding.level == Level.ERROR
    assert finding.message == "Its provisioning failed; the operators' admin shows the reason."
    assert "Provision again" in finding.fix


def test_a_provisioning_that_takes_long_is_found_unless_somebody_is_at_it(make_tenant):
    tenant = make_tenant("initech", state="provisioning")
    fresh = find("initech")
    Tenant.objects.filter(pk=tenant.pk).update(created_at=LONG_AGO)

    stuck = find_only("initech")
    with session_lock(Lock.LIFE_CYCLE, "initech"):
        at_work = find("initech")

    assert (fresh, at_work) == ([], [])
    assert stuck.message.startswith("It waits for its provisioning since ")
    assert stuck.fix.startswith("manage.py db_worker; or: ")


def test_a_tenant_without_a_schema_is_found(make_tenant):
    make_tenant("initech")

    finding = find_only("initech")

    assert (finding.level, finding.message) == (Level.ERROR, "It is active, but has no schema.")
    assert "manage.py delete_tenant initech --now" in finding.fix


@pytest.mark.parametrize("schema", ["template_tenant", "template_tenant_copy", "somebody_elses"])
def test_a_schema_that_is_no_left_over_is_let_be(acme, schema):
    execute(f"CREATE SCHEMA {schema}")
    if schema != "somebody_elses":
        execute(f"CREATE TABLE {schema}.django_migrations (app text, name text)")

    assert find(schema) == []


def test_the_fix_of_an_orphan_schema_mends_it_but_the_command_never_does(run):
    execute('CREATE SCHEMA "Odd"; CREATE TABLE "Odd".django_migrations (app text, name text)')

    run("--fix")
    finding = find_only("Odd")
    execute(finding.fix)

    assert finding.mend is None
    assert find("Odd") == []


def test_the_fix_of_a_missing_domain_mends_it(acme):
    Domain.objects.filter(tenant=acme).delete()

    finding = find_only("acme")
    execute(finding.fix)

    assert finding.level == Level.ERROR
    assert Domain.objects.get(tenant=acme).domain == acme.hostname
    assert find("acme") == []


def test_a_missing_role_is_found_and_made(run, acme):
    role = get_role_name(connection.settings_dict["NAME"], "acme")
    execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')

    finding = find_only("acme")
    run("--fix")

    assert (finding.level, finding.message) == (
        Level.ERROR,
        "Its database role is missing: every request fails.",
    )
    assert finding.fix == "manage.py tenant_roles --repair"
    with tenant_context(acme):
        assert not Note.objects.exists()


@pytest.mark.parametrize(
    "loss",
    [
        'REVOKE UPDATE ON acme.notes_note FROM "{role}"',
        'REVOKE USAGE ON ALL SEQUENCES IN SCHEMA acme FROM "{role}"',
        'REVOKE USAGE ON SCHEMA acme FROM "{role}"',
        'REVOKE "{group}" FROM "{role}"',
    ],
)
def test_lost_rights_are_found_and_given_back(run, loss):
    role = get_role_name(connection.settings_dict["NAME"], "acme")
    execute(loss.format(role=role, group=role.removesuffix("_acme")))

    finding = find_only("acme", "acme")
    run("--fix", "--schema=acme")

    assert (finding.level, finding.message) == (
        Level.ERROR,
        "Its database role lacks rights in its schema.",
    )
    assert find("acme") == []


def test_an_orphaned_role_is_found_and_dropped(run):
    role = get_role_name(connection.settings_dict["NAME"], "nobody")
    execute(f'CREATE ROLE "{role}"')

    finding = find_only("nobody")
    run("--fix")

    assert (finding.level, finding.message) == (Level.WARNING, f"The role {role} has no tenant.")
    assert finding.fix == "manage.py tenant_roles --repair"
    assert "nobody" not in list_roles()


def test_an_orphaned_role_that_owns_something_is_not_dropped(run):
    role = get_role_name(connection.settings_dict["NAME"], "nobody")
    execute(f'CREATE ROLE "{role}"; CREATE TABLE acme.precious (x int)')
    execute(f'ALTER TABLE acme.precious OWNER TO "{role}"')

    finding = find_only("nobody")
    run("--fix")
    kept = list_roles()
    execute(finding.fix)

    assert finding.fix == f'REASSIGN OWNED BY "{role}" TO CURRENT_USER;'
    assert "nobody" in kept
    assert find_only("nobody").message == f"The role {role} has no tenant."


def test_a_tenant_that_is_being_provisioned_keeps_its_role(make_tenant, run):
    make_tenant("initech", state="provisioning")
    execute(f'CREATE ROLE "{get_role_name(connection.settings_dict["NAME"], "initech")}"')

    assert find("initech") == []


def test_a_way_out_of_the_roles_is_found_and_closed(db):
    execute("GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO PUBLIC")

    finding = find_only("database")
    execute(finding.fix.removeprefix("As a superuser: "))

    assert (finding.level, finding.message) == (
        Level.WARNING,
        "Any role may call set_config(), take advisory locks and read every table's statistics.",
    )
    assert find("database") == []


def test_without_roles_none_is_missed(acme, settings):
    role = get_role_name(connection.settings_dict["NAME"], "acme")
    execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')
    settings.TENANT_ROLES = False

    assert find("acme") == []


@pytest.mark.parametrize("mode", ["transaction", "round robin"])
def test_a_pooler_that_shares_sessions_is_an_error(acme, pooler, mode):
    pooler(mode)

    finding = find_only("database")

    assert finding.level == Level.ERROR
    assert finding.message.startswith("A pooler deals out sessions by transaction or statement")
    assert finding.fix.startswith("pgbouncer.ini: pool_mode = session;")


def test_a_pooler_that_keeps_sessions_is_only_mentioned(acme, pooler):
    pooler("session")

    found = [finding for finding in examine() if finding.subject == "database"]

    assert [finding.level for finding in found] == [Level.INFO]
    assert found[0].message.startswith("A pooler stands before the database")


def test_tasks_that_wait_too_long_are_found(acme, globex):
    write_task(acme, enqueued_at=LONG_AGO)
    write_task(acme, enqueued_at=LONG_AGO, run_after=timezone.now())
    write_task(acme)

    finding = find_only("tasks")

    assert finding.level == Level.WARNING
    assert finding.message == (
        f"1 ready for more than 5 minutes, since {LONG_AGO:%Y-%m-%d %H:%M} UTC; workers at work: 0."
    )
    assert finding.fix == "manage.py db_worker"
    assert find("tasks", "globex") == []
    assert find_only("tasks", "acme").message == finding.message


def test_failed_tasks_of_the_last_day_are_counted_without_their_content(acme, globex):
    values = {"status": TaskResultStatus.FAILED, "traceback": "ValueError: secret content"}
    write_task(globex, finished_at=timezone.now(), **values)
    write_task(globex, finished_at=timezone.now() - timedelta(days=2), **values)

    finding = find_only("tasks")

    assert finding.message == "1 failed in the last day: tests.tenants.tasks.report_binding (1)"
    assert finding.fix.startswith("Operators' admin: Task Results")
    assert find("tasks", "acme") == []


def test_tasks_of_dead_workers_are_found_and_ready_again(acme, run):
    pk = write_task(acme, status=TaskResultStatus.RUNNING, worker_ids=["dead"])

    finding = find_only("tasks")
    run("--fix")

    assert finding.message == "1 run for ever: their workers are dead."
    assert finding.fix == "manage.py db_worker, which recovers them"
    assert DBTaskResult.objects.get(pk=pk).status == TaskResultStatus.READY


def test_tasks_of_live_workers_are_let_be(acme):
    write_task(acme, status=TaskResultStatus.RUNNING, worker_ids=["dead", "alive"])

    with session_lock(Lock.WORKER, "alive"):
        assert find("tasks") == []


def test_the_disk_of_the_database_and_of_the_tenants_is_told(run):
    out = run()

    assert "disk\n  info: The database takes " in out
    assert "The largest tenants: " in out
    assert out.index("acme") < out.index("All is healthy.")


def test_what_cannot_be_mended_is_told_and_fails(acme):
    execute("ALTER EXTENSION vector SET SCHEMA acme; CREATE TYPE public.halfvec AS (x int)")
    out = io.StringIO()

    with pytest.raises(CommandError, match="1 errors"):
        call_command("doctor", fix=True, stdout=out)

    assert "    not mended: " in out.getvalue()
    assert "fix: ALTER EXTENSION vector" in out.getvalue()


def test_what_is_safe_to_mend_is_marked(acme):
    execute("ALTER EXTENSION vector SET SCHEMA acme")
    out = io.StringIO()

    with pytest.raises(CommandError, match="1 errors"):
        call_command("doctor", stdout=out)

    assert "  error *: The extension vector" in out.getvalue()
    assert out.getvalue().endswith("This mends what is marked with a star: manage.py doctor --fix\n")


def test_many_names_are_cut_short():
    assert name_some(f"t{number:02}" for number in range(12)) == (
        "t00, t01, t02, t03, t04, t05, t06, t07, t08, t09 and 2 more"
    )

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from tenants.context import owner_rights, tenant_context
from tenants.postgresql.role_names import get_role_name
from tenants.provisioning.life_cycle import provision, register_tenant
from tenants.provisioning.roles import list_roles
from tests.models_app.models import Note
from tests.registry import delete_tenant

# Runs a statement of its own, and may do so after another part of the query.
BY_FUNCTION = "SELECT word FROM ts_stat('SELECT to_tsvector(title) FROM globex.notes_note')"


def injectable(request):
    """As bad as a view can be: it pastes the query string into SQL."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT title FROM notes_note WHERE title = '{request.GET['title']}'")
        return HttpResponse(repr(cursor.fetchall()))


urlpatterns = [path("injectable/", injectable)]


@pytest.fixture
def secret(globex):
    with tenant_context(globex):
        return Note.objects.create(title="Secret of globex", body="x")


@pytest.fixture
def inject(client, acme):
    def inject(title):
        with override_settings(ROOT_URLCONF=__name__), transaction.atomic():
            return client.get("/injectable/", {"title": title}, headers={"host": "acme.localhost"})

    return inject


def run(sql):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_the_injectable_view_works_for_its_own_tenant(inject, acme):
    with tenant_context(acme):
        Note.objects.create(title="Own", body="x")

    assert "Own" in inject("' OR true --").content.decode()


@pytest.mark.parametrize(
    "attack",
    [
        "' UNION SELECT title FROM globex.notes_note --",
        "' UNION SELECT email FROM globex.accounts_user --",
        "' UNION SELECT content FROM globex.pgvector_pgvectorembedding --",
        "' UNION SELECT session_data FROM globex.django_session --",
        "' UNION SELECT schema_name FROM public.tenants_tenant --",
        "' UNION SELECT domain FROM public.tenants_domain --",
        "' UNION SELECT email FROM public.accounts_user --",
        "' UNION SELECT task_path FROM public.django_tasks_database_dbtaskresult --",
        f"' UNION ALL SELECT set_config('role', 'none', false) UNION ALL {BY_FUNCTION} --",
        f"' UNION ALL {BY_FUNCTION} --",
    ],
)
def test_injected_sql_reads_neither_another_schema_nor_the_registry(inject, secret, attack):
    with pytest.raises(ProgrammingError, match=r"permission denied for (schema globex|table|function)"):
        inject(attack)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE globex.notes_note SET title = 'x'",
        "DELETE FROM public.tenants_domain",
        "DROP TABLE acme.notes_note",
        "ALTER TABLE acme.notes_note ADD COLUMN x int",
        "CREATE TABLE acme.planted (x int)",
        "CREATE TABLE public.planted (x int)",
        "DROP SCHEMA globex CASCADE",
        "CREATE ROLE intruder",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_a_tenants_role_changes_nothing_but_its_own_rows(in_acme, secret, statement):
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        run(statement)


def test_a_tenants_role_may_not_become_another_tenants(in_acme, globex):
    # The session user may take on every role; this shows what the role itself may do.
    assert run("SELECT current_user <> session_user") == [(True,)]
    other = get_role_name(connection.settings_dict["NAME"], "globex")

    member = run(f"SELECT pg_has_role(current_user, '{other}', 'MEMBER')")

    assert member == [(False,)]


def test_a_tenant_may_write_a_task_but_read_none(in_acme):
    from tests.tenants import tasks

    tasks.report_binding.enqueue()

    with pytest.raises(ProgrammingError, match="permission denied for table django_tasks"):
        run("SELECT * FROM django_tasks_database_dbtaskresult")


def test_the_role_follows_the_bound_tenant(acme, globex):
    roles = [current_role()]
    for tenant in (acme, globex):
        with tenant_context(tenant):
            roles.append(current_role())
            with owner_rights():
                roles.append(current_role())
    roles.append(current_role())

    database = connection.settings_dict["NAME"]
    owner = roles[0]
    assert roles == [
        owner,
        get_role_name(database, "acme"),
        owner,
        get_role_name(database, "globex"),
        owner,
        owner,
    ]


def test_a_rollback_does_not_leave_a_tenant_with_the_owners_rights(acme):
    with tenant_context(acme):
        with pytest.raises(ProgrammingError), transaction.atomic():
            run("SELECT * FROM no_such_table")

        assert current_role() == get_role_name(connection.settings_dict["NAME"], "acme")


def current_role():
    return run("SELECT current_user")[0][0]


def test_role_and_path_take_one_round_trip(acme, django_assert_num_queries):
    with tenant_context(acme), django_assert_num_queries(2) as captured:
        list(Note.objects.all())

    assert [query["sql"].split()[0] for query in captured.captured_queries] == ["SET", "SELECT"]


def test_a_role_comes_and_goes_with_its_tenant(db):
    tenant = register_tenant(name="Initech", subdomain="initech", owner_email="bill@initech.example")
    provision(tenant)
    born = list_roles()
    connection.check_constraints()  # what a commit in between would do

    delete_tenant(tenant)

    assert "initech" in born
    assert "initech" not in list_roles()


def test_tables_of_later_migrations_are_the_tenants_own_too(acme):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE acme.later (id int GENERATED BY DEFAULT AS IDENTITY, x int)")

    with tenant_context(acme):
        run("INSERT INTO later (x) VALUES (1) RETURNING id")
        assert run("SELECT x FROM later") == [(1,)]


def test_lost_roles_are_repaired_and_orphaned_ones_dropped(acme, capsys):
    database = connection.settings_dict["NAME"]
    lost, orphan = get_role_name(database, "acme"), get_role_name(database, "nobody")
    with connection.cursor() as cursor:
        cursor.execute(f'DROP OWNED BY "{lost}"; DROP ROLE "{lost}"; CREATE ROLE "{orphan}"')

    call_command("tenant_roles", repair=True)

    out = capsys.readouterr().out
    assert "acme: no role" in out
    assert "nobody: a role without a tenant" in out
    assert "nobody" not in list_roles()
    with tenant_context(acme):
        assert not Note.objects.exists()


def test_a_missing_role_says_how_to_mend_it(acme):
    role = get_role_name(connection.settings_dict["NAME"], "acme")
    with connection.cursor() as cursor:
        cursor.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')

    with pytest.raises(ImproperlyConfigured) as caught, transaction.atomic(), tenant_context(acme):
        run("SELECT 1")

    assert str(caught.value) == (
        f"TENANT_ROLES: the role {role!r} of the tenant with the schema 'acme' does not exist. "
        "Run: manage.py tenant_roles --repair"
    )


def test_roles_can_be_switched_off(acme, settings):
    settings.TENANT_ROLES = False

    with tenant_context(acme):
        assert run("SELECT current_user = session_user") == [(True,)]
    with pytest.raises(CommandError, match="TENANT_ROLES is off"):
        call_command("tenant_roles")


def test_what_remains_is_a_stacked_reset_which_server_side_parameters_refuse(in_acme, secret):
    stacked = "SELECT 1; RESET ROLE; SELECT title FROM globex.notes_note"

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(stacked)  # sent as it is, by the simple protocol
        reached = [cursor.nextset(), cursor.nextset()]
    server_side = psycopg.Cursor(connection.connection)
    with pytest.raises(psycopg.errors.SyntaxError, match="multiple commands"):
        server_side.execute(f"{stacked} WHERE %s", [True])

    assert reached == [True, True]

import re

import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, transaction

from tenants.context import owner_rights, tenant_context
from tenants.locks import Lock, get_key
from tenants.postgresql.estimates import ESTIMATE_ROWS
from tenants.postgresql.role_names import get_role_name
from tenants.provisioning.reserving import RESERVE, is_reserved
from tests.models_app.models import Note

BOOTSTRAP = settings.BASE_DIR / "infra" / "postgres" / "10-bootstrap.sh"


def run(statement):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT pg_advisory_lock({Lock.FLEET:d}, 0)",
        f"SELECT pg_try_advisory_xact_lock_shared({Lock.SPACES:d}, {get_key('globex')})",
        "SELECT pg_advisory_unlock_all()",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT set_config('role', 'none', false)",
        "SELECT relname, n_live_tup FROM pg_stat_user_tables",
        "SELECT * FROM pg_stat_activity",
        "SELECT * FROM pg_stat_all_indexes",
        "SELECT * FROM pg_statio_all_tables",
        "SELECT * FROM pg_stat_database",
        "SELECT * FROM pg_locks",
        "SELECT pg_stat_get_tuples_inserted(oid) FROM pg_class",
        "SELECT pg_total_relation_size(oid) FROM pg_class",
        "SELECT pg_relation_size(oid) FROM pg_class",
        "SELECT pg_database_size(current_database())",
        "SELECT relname, reltuples FROM pg_class",
        "SELECT relpages FROM pg_class",
        "SELECT relfrozenxid FROM pg_class",
        "SELECT * FROM pg_class",
        "SELECT * FROM pg_statistic",
        "SELECT * FROM pg_authid",
    ],
)
def test_a_tenants_role_may_not(in_acme, statement):
    with pytest.raises(ProgrammingError, match="permission denied for"):
        run(statement)


def test_the_statistics_of_columns_are_the_tenants_own(in_acme, globex):
    with owner_rights():
        run("ANALYZE globex.django_migrations")
        assert run("SELECT count(*) > 0 FROM pg_stats WHERE schemaname = 'globex'") == [(True,)]

    assert run("SELECT count(*) FROM pg_stats WHERE schemaname IN ('globex', 'public')") == [(0,)]


def test_the_rest_of_the_catalog_is_read_as_before(in_acme):
    assert "notes_note" in connection.introspection.table_names()
    assert run("SELECT relkind FROM pg_class WHERE oid = 'acme.notes_note'::regclass") == [("r",)]


def test_a_role_learns_the_estimates_of_its_own_schema_only(acme, globex):
    tables = ["acme.notes_note", "globex.notes_note", "public.tenants_tenant", "pg_catalog.pg_class"]
    for tenant in (acme, globex):
        with tenant_context(tenant):
            Note.objects.create(title="One", body="x")
    for table in tables:
        run(f"ANALYZE {table}")

    oids = [run(f"SELECT '{table}'::regclass::oid")[0][0] for table in tables]

    def estimate():
        return [run(f"SELECT {ESTIMATE_ROWS}({oid})")[0][0] for oid in oids]

    as_owner = estimate()
    with tenant_context(acme):
        as_acme = estimate()

    assert as_owner[:3] == [1, 1, 2]
    assert as_acme == [1, None, None, None]


def test_in_public_a_role_may_write_tasks_and_nothing_else(acme):
    role = get_role_name(connection.settings_dict["NAME"], "acme")
    rights = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]

    found = run(
        f"SELECT relname, name FROM pg_class, unnest(ARRAY{rights}) AS name"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')"
        f" AND has_table_privilege('{role}', pg_class.oid, name)"
    )
    sequences = run(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        f" AND CASE relkind WHEN 'S' THEN has_sequence_privilege('{role}', oid, 'USAGE, SELECT, UPDATE') END"
    )
    functions = run("SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace")
    creates = run(
        f"SELECT nspname FROM pg_namespace WHERE has_schema_privilege('{role}', oid, 'CREATE')"
        " AND nspname !~ '^pg_temp'"
    )

    assert found == [("django_tasks_database_dbtaskresult", "INSERT")]
    assert (sequences, creates) == ([], [])
    assert functions == [("tenants_estimate_rows",)]


def test_what_is_reserved_is_no_role_of_everybodys(db):
    reserved = is_reserved()
    run("GRANT EXECUTE ON FUNCTION pg_advisory_lock(int, int) TO PUBLIC")

    assert (reserved, is_reserved()) == (True, False)


@pytest.mark.skipif(not BOOTSTRAP.exists(), reason="a clone may have another server")
def test_the_bootstrap_reserves_the_same():
    (statement,) = re.findall(
        r"format\(\$format\$(.*)\$format\$, :'role'\)", BOOTSTRAP.read_text(), re.DOTALL
    )

    assert statement == RESERVE.replace("{user}", "%L")

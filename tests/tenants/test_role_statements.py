"""What SQL a tenant's role is refused: whatever is not a row of its own schema."""

import pytest
from django.db import Error, connection, transaction

from tenants.context import tenant_context
from tests.models_app.models import Note

TABLES = [
    "notes_note",
    "accounts_user",
    "accounts_apikey",
    "django_session",
    "auth_group",
    "django_migrations",
]
REGISTRY = ["tenants_tenant", "tenants_domain", "accounts_user", "django_session", "django_migrations"]
STATEMENTS = [
    *(f"SELECT * FROM globex.{table}" for table in TABLES),
    *(f"SELECT * FROM public.{table}" for table in REGISTRY),
    *(f"DELETE FROM globex.{table}" for table in TABLES),
    *(f"TRUNCATE globex.{table}" for table in TABLES),
    *(f"LOCK TABLE globex.{table} IN ACCESS EXCLUSIVE MODE" for table in TABLES),
    *(f"DELETE FROM public.{table}" for table in REGISTRY),
    "INSERT INTO public.tenants_domain (domain) VALUES ('evil.example')",
    "UPDATE public.tenants_tenant SET state = 'suspended'",
    "SELECT * FROM public.django_tasks_database_dbtaskresult",
    "UPDATE public.django_tasks_database_dbtaskresult SET status = 'READY'",
    "DELETE FROM public.django_tasks_database_dbtaskresult",
    "COPY globex.notes_note TO STDOUT",
    "COPY acme.notes_note TO '/tmp/notes'",
    "COPY acme.notes_note FROM '/etc/passwd'",
    "COPY acme.notes_note FROM PROGRAM 'id'",
    "SELECT nextval('globex.notes_note_id_seq')",
    "SELECT setval('globex.notes_note_id_seq', 1)",
    "CREATE TABLE globex.planted (x int)",
    "CREATE VIEW public.planted AS SELECT 1",
    "CREATE VIEW acme.planted AS SELECT * FROM globex.notes_note",
    "CREATE FUNCTION public.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION acme.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER planted AFTER INSERT ON acme.notes_note EXECUTE FUNCTION pg_catalog.now()",
    "CREATE RULE planted AS ON INSERT TO acme.notes_note DO NOTHING",
    "CREATE INDEX ON acme.notes_note (title)",
    "CREATE SCHEMA planted",
    "CREATE EXTENSION dblink",
    "CREATE ROLE planted SUPERUSER",
    "CREATE PUBLICATION planted FOR ALL TABLES",
    "CREATE EVENT TRIGGER planted ON ddl_command_start EXECUTE FUNCTION pg_catalog.now()",
    "ALTER TABLE acme.notes_note OWNER TO CURRENT_USER",
    "ALTER TABLE acme.notes_note DISABLE TRIGGER ALL",
    "ALTER SCHEMA acme RENAME TO planted",
    "ALTER SCHEMA globex RENAME TO planted",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "DROP TABLE acme.notes_note",
    "DROP SCHEMA acme CASCADE",
    "DROP SCHEMA public CASCADE",
    "DROP EXTENSION vector CASCADE",
    "GRANT ALL ON SCHEMA globex TO CURRENT_USER",
    "GRANT ALL ON public.tenants_tenant TO CURRENT_USER",
    "COMMENT ON TABLE globex.notes_note IS 'planted'",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/planted')",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_create_restore_point('planted')",
    "SELECT set_config('role', 'none', false)",
    "DO $$BEGIN EXECUTE 'SELECT * FROM globex.notes_note'; END$$",
    "EXPLAIN ANALYZE SELECT * FROM globex.notes_note",
    "WITH gone AS (DELETE FROM globex.notes_note RETURNING title) SELECT * FROM gone",
    "SELECT table_to_xml('globex.notes_note', true, false, '')",
    "SELECT query_to_xml('SELECT * FROM globex.notes_note', true, false, '')",
    "SELECT schema_to_xml('public', true, false, '')",
]
REFUSALS = {"42501", "42939", "0A000"}  # insufficient_privilege, reserved_name; not supported at all


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_tenants_role_is_refused(acme, globex, statement):
    with tenant_context(globex):
        Note.objects.create(title="Secret", body="of globex")

    with tenant_context(acme), pytest.raises(Error) as caught, transaction.atomic():
        connection.cursor().execute(statement)

    assert caught.value.__cause__.sqlstate in REFUSALS
    with tenant_context(globex):
        assert Note.objects.get().title == "Secret"

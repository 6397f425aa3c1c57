import ast
import re
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from django.apps import apps
from django.conf import settings as project_settings
from django.core.checks import Error, run_checks
from django.core.management import call_command
from django.db import OperationalError, connection, connections, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunSQL

from tenants.checks import (
    _check_extension,
    _check_version,
    check_apps,
    check_engine,
    check_extensions,
    check_relations,
    check_server,
)
from tenants.context import tenant_context
from tenants.discovery import list_points

ENGINES_THAT_DO_NOT_SEPARATE = ["django.db.backends.sqlite3", "django.db.backends.postgresql"]


def get_only(messages):
    (message,) = messages
    assert isinstance(message, Error)
    return message


@pytest.fixture
def scratch_models():
    """Make a model `Scratch` with a relation, in an app, for the length of a test."""
    before = {label: dict(registered) for label, registered in apps.all_models.items()}

    def make(label, relation):
        meta = type("Meta", (), {"app_label": label})
        type("Scratch", (models.Model,), {"Meta": meta, "__module__": __name__, "relation": relation})

    yield make
    for label, registered in before.items():
        apps.all_models[label].clear()
        apps.all_models[label].update(registered)
    apps.clear_cache()


def find_extension_operations(path):
    names = {
        getattr(node, "attr", getattr(node, "id", None)) for node in ast.walk(ast.parse(path.read_text()))
    }
    return {name for name in names if name and name.endswith("Extension")}


def test_the_real_database_has_no_fault(db):
    assert check_engine() == []
    assert check_server(databases=["default"]) == []


def test_the_project_passes_all_its_checks(db, capsys):
    call_command("check", databases=["default"], fail_level="WARNING")

    assert "no issues" in capsys.readouterr().out


def test_the_project_passes_the_checks_that_django_makes_for_a_bound_tenant_alone(acme, capsys):
    with tenant_context(acme):  # Django passes over what has no table in the schema that is bound
        call_command("check", databases=["default"], fail_level="WARNING")

    assert "no issues" in capsys.readouterr().out


def test_the_database_is_only_asked_when_it_is_named(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert check_server() == []
        assert check_server(databases=["other"]) == []


def test_a_server_that_does_not_answer_is_e009(monkeypatch):
    def refuse():
        raise OperationalError("connection refused")

    monkeypatch.setattr(connections["default"], "ensure_connection", refuse)

    message = get_only(check_server(databases=["default"]))

    assert (message.id, message.msg) == ("tenants.E009", "The database does not answer: connection refused")
    assert message.hint.startswith("Correct DATABASE_URL")


@pytest.mark.parametrize("engine", ENGINES_THAT_DO_NOT_SEPARATE)
def test_another_engine_is_e001(settings, engine):
    settings.DATABASES = {"default": {"ENGINE": engine}}

    message = get_only(check_engine())

    assert message.id == "tenants.E001"
    assert message.msg == f"DATABASES['default']['ENGINE'] is {engine!r}; tenants need PostgreSQL."
    assert message.hint.startswith("Set it to 'tenants.postgresql', with a PostgreSQL >= 15")


@pytest.mark.parametrize(
    ("url", "scheme"),
    [("sqlite:///x.db", "sqlite"), ("mysql://app:secret@host/app", "mysql"), ("localhost/app", "")],
)
def test_an_address_of_another_database_is_e001_without_its_password(settings, url, scheme):
    settings.DATABASE_URL = url

    message = get_only(check_engine())

    assert message.id == "tenants.E001"
    assert message.msg == f"DATABASE_URL begins with {scheme!r}; tenants need PostgreSQL."
    assert message.hint.startswith("Write postgresql://user:password@host:5432/name")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "pgsql", "psql"])
def test_every_way_to_write_postgresql_is_allowed(settings, scheme):
    settings.DATABASE_URL = f"{scheme}://app@host:5432/app"

    assert check_engine() == []


@pytest.mark.parametrize(("number", "shown"), [(140_011, "14"), (90_624, "9")])
def test_an_old_server_is_e002(number, shown):
    message = get_only(_check_version(number))

    assert message.id == "tenants.E002"
    assert message.msg == f"The server is PostgreSQL {shown}; 15 or newer is needed."
    assert "DATABASE_URL" in message.hint


@pytest.mark.parametrize("number", [150_000, 180_006])
def test_a_recent_server_has_no_fault(number):
    assert _check_version(number) == []


def test_a_server_without_pgvector_is_e003():
    message = get_only(_check_extension(None, None))

    assert message.id == "tenants.E003"
    assert message.msg == "The server does not have the pgvector extension."
    assert message.hint.startswith("Install pgvector >= 0.8 on the database server")


def test_an_extension_in_a_tenants_schema_is_e004(acme):
    connection.cursor().execute("ALTER EXTENSION vector SET SCHEMA acme")

    message = get_only(check_server(databases=["default"]))

    assert message.id == "tenants.E004"
    assert message.msg.startswith(
        "The extension vector is in the schema 'acme'; only there can its type be found"
    )
    assert message.hint.startswith("Run: ALTER EXTENSION vector SET SCHEMA public;")


def test_the_hint_of_e004_mends_it(acme):
    connection.cursor().execute("ALTER EXTENSION vector SET SCHEMA acme")
    hint = get_only(check_server(databases=["default"])).hint

    connection.cursor().execute(hint.removeprefix("Run: ").split(";")[0])

    assert check_server(databases=["default"]) == []


@pytest.mark.parametrize("version", ["0.7.4", "0.5", "0"])
def test_an_old_pgvector_is_e005_installed_or_not(version):
    installed = get_only(_check_extension((version,), ("public", version)))
    available = get_only(_check_extension((version,), None))

    assert (installed.id, available.id) == ("tenants.E005", "tenants.E005")
    assert installed.msg.startswith(f"The server's pgvector is {version}; 0.8 or newer is needed")
    assert installed.hint.endswith("ALTER EXTENSION vector UPDATE;")


def test_an_old_pgvector_in_the_wrong_schema_is_both():
    messages = _check_extension(("0.7.4",), ("acme", "0.7.4"))

    assert [message.id for message in messages] == ["tenants.E004", "tenants.E005"]


@pytest.mark.parametrize("version", ["0.8.0", "0.8", "0.10.1", "1.0.0"])
def test_a_recent_pgvector_has_no_fault(version):
    assert _check_extension((version,), ("public", version)) == []


def test_the_checks_run_with_djangos_own(db, settings):
    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}

    ids = [message.id for message in run_checks(databases=["default"])]

    assert "tenants.E001" in ids


def test_no_migration_but_the_registrys_creates_an_extension():
    root = project_settings.BASE_DIR
    files = [
        path for app in ("tenants", "apps", "project") for path in (root / app).glob("**/migrations/*.py")
    ]

    creating = {str(path.relative_to(root)): find_extension_operations(path) for path in files}

    found = {path: names for path, names in creating.items() if names}
    assert found == {"tenants/migrations/0001_initial.py": {"VectorExtension", "CreateOptionalExtension"}}


def test_no_migration_runs_sql_that_creates_an_extension():
    root = project_settings.BASE_DIR

    found = [
        path.name
        for app in ("tenants", "apps", "project")
        for path in (root / app).glob("**/migrations/*.py")
        if "create extension" in path.read_text().lower()
    ]

    assert found == []


def test_migrations_run_plain_statements_one_at_a_time():
    loader = MigrationLoader(None)
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith(("apps.", "tenants"))}

    statements = [
        sql
        for (label, _), migration in loader.disk_migrations.items()
        for operation in migration.operations
        if label in ours and isinstance(operation, RunSQL)
        for sql in (operation.sql, operation.reverse_sql)
    ]

    # Citus carries out no table made in a block, no trigger, and one statement at a time.
    assert statements
    assert [sql for sql in statements if re.search(r";\s*\S|^\s*DO\b|\bTRIGGER\b", sql, re.IGNORECASE)] == []


def test_no_table_needs_a_collation_that_a_server_may_lack():
    collations = {
        getattr(field, "db_collation", None)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields
    }

    # The embedded server has no ICU; "C" is PostgreSQL's own everywhere.
    assert collations <= {None, "", "C"}


def test_the_extension_lives_in_public(db, column):
    schemas = column("SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'")

    assert schemas == ["public"]


@pytest.mark.parametrize(
    ("begin", "end", "fault"),
    [
        (
            "notes",
            "tenants.Tenant",
            "whose table is in public only",
        ),
        (
            "tenants",
            "notes.Note",
            "whose table is in the tenants' schemas only",
        ),
    ],
)
def test_a_relation_that_leaves_its_schema_is_e007(scratch_models, begin, end, fault):
    scratch_models(begin, models.ForeignKey(end, on_delete=models.CASCADE, related_name="+"))

    message = get_only(check_relations())

    assert message.id == "tenants.E007"
    assert message.msg.startswith(f"{begin}.Scratch.relation leads to {end}, {fault}")
    assert message.hint.startswith("Store the key of what it leads to")


def test_an_app_that_gets_no_tables_is_e008(settings):
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.tables_app"]

    message = get_only(check_apps())

    assert message.id == "tenants.E008"
    assert message.msg.startswith(
        "tests.tables_app has models, but is in neither SHARED_APPS nor TENANT_APPS"
    )


def test_relations_within_a_schema_have_no_fault(scratch_models):
    scratch_models("notes", models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+"))

    assert check_relations() == []


def test_a_many_to_many_relation_is_looked_at_too(scratch_models):
    scratch_models("notes", models.ManyToManyField("tenants.Tenant", related_name="+"))

    assert "notes.Scratch_relation.tenant leads to tenants.Tenant" in get_only(check_relations()).msg


@pytest.mark.parametrize("schema", ["acme", "globex"])
def test_each_tenant_has_embedding_tables_of_its_own_and_no_registry(db, tables_of, schema):
    tables = set(tables_of(schema))

    assert {"pgvector_pgvectorembedding", "notes_noteembedding", "notes_note"} <= tables
    assert tables.isdisjoint({"tenants_tenant", "tenants_domain", "django_tasks_database_dbtaskresult"})


def test_public_has_the_registry_and_no_tenants_table(db, tables_of):
    tables = set(tables_of("public"))

    assert {"tenants_tenant", "tenants_domain", "django_tasks_database_dbtaskresult"} <= tables
    assert [table for table in tables if table.startswith(("notes_", "pgvector_", "search_"))] == []


@pytest.fixture
def plant(monkeypatch):
    """Let an installed app have a module of this name that is empty."""

    def plant(name):
        path = f"django_tasks_db.{name}"
        module = ModuleType(path)
        module.__spec__ = ModuleSpec(path, None)
        monkeypatch.setitem(sys.modules, path, module)
        return path

    return plant


def test_the_extension_points_of_the_house_are_all_known():
    assert check_extensions() == []
    assert {"api", "doctor", "navigation", "operators", "urls"} <= {point.name for point in list_points()}


@pytest.mark.parametrize("point", list_points(), ids=lambda point: point.name)
def test_a_module_that_does_not_keep_the_form_is_e011(plant, point):
    path = plant(point.name)

    message = get_only(check_extensions())

    assert message.id == "tenants.E011"
    assert message.msg.startswith(f"{path} must ")
    assert f'ExtensionPoint("{point.name}", ...)' in message.hint

import json
import os
import sqlite3
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings as project_settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from tenants.binding.outages import is_outage
from tests.workers import get_test_database_url

SETTINGS = """
import os
import sqlite3
from tests.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "warehouse"]
DATABASES = DATABASES | {
    "lite": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["LITE"]},
    "other": DATABASES["default"]
    | {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["OTHER"], "OPTIONS": {}},
}
DATABASE_ROUTERS = ["warehouse.Router", *DATABASE_ROUTERS]
"""
APP = """
class Router:
    def allow_migrate(self, db, app_label, **hints):
        return db != "default" if app_label == "warehouse" else None
"""
MODELS = """
from django.db import models
class Box(models.Model):
    label = models.CharField(max_length=20)
"""
RUN = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from django.db import connections
from tenants.models import Tenant
from tenants.context import tenant_context
from warehouse.models import Box
call_command("check", databases=["default", "lite", "other"])
call_command("makemigrations", "warehouse", verbosity=0)
call_command("migrate_schemas", verbosity=0)
call_command("migrate", verbosity=0)
tables, found = {}, {}
for alias in ("lite", "other"):
    call_command("migrate", database=alias, verbosity=0)
    tables[alias] = sorted(connections[alias].introspection.table_names())
    for schema in ("acme", "globex"):
        with tenant_context(Tenant.objects.get(schema_name=schema)):
            Box.objects.using(alias).create(label=schema)
    found[alias] = [box.label for box in Box.objects.using(alias).order_by("pk")]
print(json.dumps([tables, found, "warehouse_box" in connections["default"].introspection.table_names()]))
"""


@pytest.fixture
def other_database(db, other_session):
    name = f"{connection.settings_dict['NAME']}_other"
    with other_session.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
        yield name
        cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        for schema in ("public", "acme", "globex"):  # the next run keeps this database
            cursor.execute(f"DELETE FROM {schema}.django_migrations WHERE app = 'warehouse'")


def test_commands_and_tenants_get_along_with_a_second_database(tmp_path, other_database):
    (tmp_path / "two_databases.py").write_text(SETTINGS)
    for name, text in {"__init__": APP, "models": MODELS, "migrations/__init__": ""}.items():
        path = tmp_path / "warehouse" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    environment = os.environ | {
        "DATABASE_URL": get_test_database_url(),
        "DJANGO_SETTINGS_MODULE": "two_databases",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{project_settings.BASE_DIR}",
        "LITE": str(tmp_path / "lite.sqlite3"),
        "OTHER": other_database,
    }

    done = subprocess.run(
        [sys.executable, "-c", RUN],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    tables, found, is_in_default = json.loads(done.stdout.splitlines()[-1])
    assert tables["lite"] == tables["other"] == ["django_migrations", "warehouse_box"]
    assert found["lite"] == found["other"] == ["acme", "globex"]
    assert not is_in_default


@pytest.mark.parametrize("options", [{}, {"executor": "standard"}], ids=str)
def test_migrate_schemas_names_the_command_for_a_database_without_tenants(db, options):
    with pytest.raises(CommandError, match=r"Run: manage\.py migrate --database=lite"):
        call_command("migrate_schemas", database="lite", verbosity=0, **options)


@pytest.mark.parametrize(
    ("cause", "expected"), [(psycopg.OperationalError(), True), (sqlite3.OperationalError(), False)]
)
def test_a_fault_of_another_database_is_no_outage_of_the_tenants(cause, expected):
    error = OperationalError("database is locked")
    error.__cause__ = cause

    assert is_outage(error) is expected

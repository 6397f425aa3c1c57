"""Two schemas to compare, and migrations that come and go."""

import shutil
from uuid import uuid4

import pytest
from django.conf import settings as project_settings
from django.db import connection

from tenants.models import Tenant
from tenants.provisioning.template import create_schema

MIGRATION = """
from django.db import connection, migrations
from tenants.context import get_current_tenant

def write_schema(apps, editor):
    apps.get_model("notes", "Note").objects.create(title="Hello", body=connection.schema_name)

def ask_for_tenant(apps, editor):
    get_current_tenant()

class Migration(migrations.Migration):
    dependencies = [("notes", "{last}")]
    operations = [{operations}]
"""


@pytest.fixture
def make(db):
    """Make a schema as `create_schema` does; give its name back."""

    def make(schema):
        create_schema(Tenant(schema_name=schema))
        return schema

    return make


@pytest.fixture
def migrate(settings, make):
    def migrate(schema):
        settings.TENANT_PROVISIONING = {"TEMPLATE": False}
        make(schema)
        settings.TENANT_PROVISIONING = {"TEMPLATE": True}
        return schema

    return migrate


@pytest.fixture
def add_migration(settings, tmp_path, monkeypatch):
    """Give the notes one more migration, of the named operations or of the SQL."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(*, sql="", operations=""):
        package = f"migrations_{uuid4().hex}"
        shutil.copytree(project_settings.BASE_DIR / "tests/models_app/migrations", tmp_path / package)
        operations = operations or f"migrations.RunSQL({sql!r})"
        last = max(path.stem for path in (tmp_path / package).glob("0*.py"))
        text = MIGRATION.format(last=last, operations=operations)
        (tmp_path / package / "1000_more.py").write_text(text)
        settings.MIGRATION_MODULES = {"notes": package}

    return add


@pytest.fixture
def warnings(caplog):
    """The text of the last warning of the code under test, in a list that may be empty."""

    def read():
        records = [
            record for record in caplog.records if record.name == "tenants.provisioning.template.making"
        ]
        return [record.getMessage() for record in records if record.levelname == "WARNING"][-1:]

    return read


@pytest.fixture
def stop_at():
    """Be interrupted, as by Ctrl-C, once a statement that begins with the text has run."""

    def stop(text):
        def interrupt(execute, sql, params, many, context):
            result = execute(sql, params, many, context)
            if str(sql).strip().startswith(text):
                raise KeyboardInterrupt
            return result

        return connection.execute_wrapper(interrupt)

    return stop


@pytest.fixture(scope="module")
def twins(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        Tenant(schema_name="migrated").create_schema(verbosity=0)
        create_schema(Tenant(schema_name="replayed"))
        yield "migrated", "replayed"
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA migrated CASCADE; DROP SCHEMA replayed CASCADE")

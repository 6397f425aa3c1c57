"""A fleet of four tenants in a database of its own: what threads do there, no rollback takes back."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from tenants.provisioning.life_cycle import provision, register_tenant

SCHEMAS = ("f1", "f2", "f3", "f4")
UNAPPLY = """
    DROP TABLE {0}.notes_note, {0}.notes_noteembedding CASCADE;
    DELETE FROM {0}.auth_permission USING {0}.django_content_type c
        WHERE content_type_id = c.id AND app_label = 'notes';
    DELETE FROM {0}.django_content_type WHERE app_label = 'notes';
    DELETE FROM {0}.django_migrations WHERE app = 'notes';
"""


class Fleet:
    """Acts on the fleet from sessions of its own, as another process would."""

    def __init__(self, name):
        self.name = name

    def call(self, function, *args, **kwargs):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(_call_and_close, function, args, kwargs).result(timeout=120)

    def run(self, *args):
        out = io.StringIO()
        self.call(call_command, "migrate_schemas", *args, stdout=out, stderr=out)
        return out.getvalue()

    def connect(self):
        keys = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
        params = {key: value for name, key in keys.items() if (value := connection.settings_dict[name])}
        return psycopg.connect(dbname=self.name, autocommit=True, **params)

    def sql(self, statement, *parameters):
        with self.connect() as session:
            cursor = session.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def unapply(self, *schemas):
        for schema in schemas:
            self.sql(UNAPPLY.format(schema))

    def migrated(self):
        found = self.sql("SELECT schemaname FROM pg_tables WHERE tablename = 'notes_noteembedding'")
        return sorted(schema for (schema,) in found)

    @contextmanager
    def spoiled(self, *schemas):
        """Tables that stand in the way of notes.0001."""
        for schema in schemas:
            self.sql(f"CREATE TABLE {schema}.notes_note ()")
        yield
        for schema in schemas:
            self.sql(f"DROP TABLE {schema}.notes_note")

    @contextmanager
    def busy(self, schema):
        """Nothing can be recorded in the tenant's django_migrations; reading it goes on."""
        with self.connect() as session:
            session.execute("BEGIN")
            session.execute(f"LOCK TABLE {schema}.django_migrations IN SHARE MODE")
            yield lambda: session.execute("ROLLBACK")
            session.execute("ROLLBACK")

    def wait_until(self, schema, *, is_awaited):
        """Return once a session waits for the tenant's django_migrations, or none does any more."""
        table = f"'{schema}.django_migrations'::regclass"
        query = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = {table}"
        with self.connect() as session:
            for _ in range(3000):
                if bool(session.execute(query).fetchone()[0]) is is_awaited:
                    return
                time.sleep(0.02)
        raise AssertionError(f"{schema} was not {'awaited' if is_awaited else 'given up'} within a minute")


@pytest.fixture(scope="session")
def fleet_database(django_db_blocker):
    fleet = Fleet(f"test_{connection.settings_dict['NAME'].removeprefix('test_')}_fleet")
    with django_db_blocker.unblock():
        fleet.call(_recreate, fleet.name)
        with _at(fleet.name):
            fleet.run("--shared", "--verbosity=0")
            fleet.call(_make_tenants)
        yield fleet
        fleet.call(_drop, fleet.name)


@pytest.fixture
def fleet(fleet_database, django_db_blocker):
    with django_db_blocker.unblock(), _at(fleet_database.name):
        yield fleet_database
        fleet_database.run("--tenant", "--verbosity=0")
        assert fleet_database.migrated() == list(SCHEMAS)


@contextmanager
def _at(name):
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = name
    try:
        with override_settings(TENANT_ROLES=False):  # roles would outlive the database
            yield
    finally:
        connection.settings_dict["NAME"] = before


def _make_tenants():
    for schema in SCHEMAS:
        provision(
            register_tenant(name=schema.upper(), subdomain=schema, owner_email=f"owner@{schema}.example")
        )


def _recreate(name):
    _drop(name)
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')


def _drop(name):
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _call_and_close(function, args, kwargs):
    try:
        return function(*args, **kwargs)
    finally:
        connection.close()

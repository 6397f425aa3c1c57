"""Migrates one tenant, on the connection of the thread that does it."""

import io
import random
import threading
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import KW_ONLY, dataclass, field
from itertools import count
from time import perf_counter
from typing import Any

from django.db import connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.migration_executors.base import run_migrations as stock
from django_tenants.signals import schema_migrated, schema_pre_migration
from django_tenants.utils import get_tenant_base_migrate_command_class, schema_exists

from apps.operations.fleet.failures import describe, is_transient
from apps.operations.fleet.files import MigrationFiles, Sharing, current_migration, sharing
from apps.operations.fleet.introspection import FleetIntrospection
from apps.operations.fleet.locks import BusyError, hold_tenant
from tenants.locks import Lock

BACK_OFF = 1.0  # seconds before the first retry; doubled before each further one
TENANTS_OF_A_CONNECTION = 50  # a session remembers every table it has touched, and grows


@dataclass(frozen=True, slots=True)
class Result:
    """The result of migrating one tenant. `failure` is "" if all went well."""

    schema: str
    seconds: float
    attempts: int
    output: str = ""
    failure: str = ""
    traceback: str = ""


@dataclass
class TenantMigrator:
    """Migrates tenants, one call each, from any number of threads."""

    options: dict[str, Any]  # those of Django's `migrate`, with the database
    files: MigrationFiles
    _: KW_ONLY
    lock_timeout: int  # milliseconds to wait for a busy table; 0 waits for ever
    retries: int  # how often to try again when a lock was busy
    stopping: threading.Event  # once it is set, there are no retries
    in_transaction: bool = False  # whether all changes belong to a transaction of the calling thread
    _thread: threading.local = field(default_factory=threading.local, init=False)

    def migrate(self, schema: str) -> Result:
        """Migrate the tenant. A failure is part of the result and is never raised."""
        started = perf_counter()
        for attempt in count(1):
            output = io.StringIO()
            current_migration.set(None)
            reason = details = ""
            try:
                self._migrate(schema, output)
            except (Exception, SystemExit) as error:  # must not stop the other tenants
                reason, details = describe(error), "".join(traceback.format_exception(error))
                self.close()
                may_retry = attempt <= self.retries and not self.in_transaction and is_transient(error)
                if may_retry and not self.stopping.wait(get_pause(attempt)):
                    continue
            return Result(schema, perf_counter() - started, attempt, output.getvalue(), reason, details)
        raise AssertionError  # count() has no end

    def close(self) -> None:
        """Close the thread's connection, unless it is in the caller's transaction."""
        connection = self._get_connection()
        connection.set_schema_to_public()
        self._thread.migrated = 0
        if not self.in_transaction:
            connection.close()

    def _migrate(self, schema: str, output: io.StringIO) -> None:
        connection = self._get_connection()
        with ExitStack() as stack:
            stack.enter_context(prepared(connection, Sharing(self.files, self.lock_timeout)))
            stack.enter_context(hold_tenant(connection, schema, Lock.LIFE_CYCLE, Lock.MIGRATION))
            if self.in_transaction:
                stack.enter_context(transaction.atomic(connection.alias))
            # With the schema gone, the tables would be made in the next one of the search_path: public.
            if not schema_exists(schema, connection.alias):
                raise BusyError(f"The schema {schema!r} was deleted meanwhile.")
            schema_pre_migration.send(stock, schema_name=schema)
            stack.enter_context(_bound(connection, schema))
            command = get_tenant_base_migrate_command_class()(stdout=output, stderr=output, no_color=True)
            command.execute(**self.options)
        schema_migrated.send(stock, schema_name=schema)
        self._thread.migrated = getattr(self._thread, "migrated", 0) + 1
        if self._thread.migrated >= TENANTS_OF_A_CONNECTION:
            self.close()

    def _get_connection(self) -> Any:
        return connections[self.options["database"]]


def get_pause(attempt: int) -> float:
    """Return how many seconds to wait after this attempt (the first is 1), a little different each time."""
    return BACK_OFF * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - not for secrets


@contextmanager
def prepared(connection: Any, shared: Sharing) -> Iterator[None]:
    """Make a connection and this context fit for migrating one tenant among many."""
    introspection, token = connection.introspection, sharing.set(shared)
    connection.introspection = FleetIntrospection(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {shared.lock_timeout}")
    try:
        yield
    finally:
        connection.introspection = introspection
        sharing.reset(token)
        if connection.connection is not None and not connection.needs_rollback and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")


@contextmanager
def _bound(connection: Any, schema: str) -> Iterator[None]:
    # Without a django_migrations of its own, the tenant would seem to have what public's lists.
    connection.set_schema(schema, include_public=False)
    try:
        MigrationRecorder(connection).ensure_schema()
        connection.set_schema(schema)
        yield
    finally:
        connection.set_schema_to_public()

"""A django-tenants connection whose bound tenant belongs to the context and not to the connection.

django-tenants keeps the tenant on the connection, and a connection belongs to a thread. Under ASGI a
middleware and the view behind it may run in different threads, so the view would see `public` or, worse,
the tenant of somebody else's request. A ContextVar follows the request through threads and coroutines.

With a tenant bound, the session also takes on the role of the tenant, in the same round trip as its
search_path, so that not even injected SQL reaches another schema. A timeout for statements goes with both.

A session also has settings, temporary tables and advisory locks. They are reset, again in the same round
trip, before another tenant uses the session, and when the next request or task has no tenant. Temporary
tables are looked up last, so that none takes the place of a real one.

With a pool (OPTIONS: {"pool": ...}) a session that is given back is reset: see tenants.postgresql.pool.
"""

import os
import re
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django_tenants.postgresql_backend import base
from django_tenants.utils import get_public_schema_name, quote_schema_name
from psycopg import sql
from psycopg.pq import TransactionStatus

from tenants.conf import conf
from tenants.postgresql.bound import Binding, current_binding
from tenants.postgresql.pool import is_from_pool, is_pool_off, with_reset
from tenants.postgresql.role_names import get_role_name

TEMPORARY = "pg_temp"
UNKNOWN = "?"  # no schema's name
# What DISCARD ALL does, but for prepared statements, and possible in a transaction (PostgreSQL's manual,
# "DISCARD"). Only the connection's user may give locks back.
RESET = (
    "RESET ROLE; RESET ALL; SET TimeZone = {time_zone}; UNLISTEN *; SELECT pg_advisory_unlock_all(); "
    "DISCARD TEMP; DISCARD SEQUENCES; "
)

EXTENSION = re.compile(r"(CREATE|DROP)\s+EXTENSION\b", re.IGNORECASE)

# By psycopg's connection, which a pool hands from one DatabaseWrapper to the next.
_schemas_of_session: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


def _bound(field: str) -> property:
    def read(connection: "DatabaseWrapper") -> Any:
        return getattr(current_binding.get(), field)

    def write(connection: "DatabaseWrapper", value: Any) -> None:
        current_binding.set(current_binding.get()._replace(**{field: value}))

    return property(read, write)


class DatabaseOperations(base.original_backend.DatabaseWrapper.ops_class):
    """The stock operations, with compilers that know tenants."""

    compiler_module = "tenants.postgresql.compiler"

    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """As Django's, and for a cursor that binds on the server, for which psycopg keeps no such text."""
        if isinstance(cursor, psycopg.ClientCursor):
            return super().last_executed_query(cursor, sql, params)
        return self.compose_sql(sql, params)


class SchemaEditor(base.original_backend.DatabaseWrapper.SchemaEditorClass):
    """The stock editor, for which an extension belongs to all tenants and not to the one that is bound."""

    def execute(self, sql: Any, params: Any = ()) -> None:
        """Run a statement; where a tenant is bound, an extension is made in `public`, and none is dropped."""
        statement = str(sql).strip().rstrip(";")
        is_unbound = self.connection.schema_name == get_public_schema_name()
        if is_unbound or not EXTENSION.match(statement):
            super().execute(sql, params)
        elif statement.upper().startswith("CREATE"):
            has_schema = re.search(r"\bSCHEMA\b", statement, re.IGNORECASE)
            super().execute(statement if has_schema else f"{statement} SCHEMA public", params)


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection; `set_tenant`, `set_schema` and `set_schema_to_public` are django-tenants' own."""

    ops_class = DatabaseOperations
    SchemaEditorClass = SchemaEditor
    search_path_set_schemas: list[Any] | None  # with the role, and the timeout for statements
    _setting_search_path: bool
    settings_dict: dict[str, Any]
    _set_binding: Binding | None = None  # the one that search_path_set_schemas was made of
    # Whose statements may have changed the session's state, a schema; UNKNOWN after a rollback of a reset.
    _state_of: str | None = None
    _is_at_edge = False  # whether a request or a task has ended since
    # At which of the transaction's savepoints, 0 at its beginning; None: not in this transaction.
    _reset_at: int | None = None
    tenant = _bound("tenant")
    schema_name = _bound("schema_name")
    include_public_schema = _bound("include_public_schema")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # A new thread makes a new connection in the middle of a request: it must not unbind the tenant.
        binding = current_binding.get()
        super().__init__(*args, **kwargs)
        current_binding.set(binding)
        self.execute_wrappers.append(self._execute_where_bound)

    def set_settings_schema(self, schema_name: str) -> None:
        """Do nothing: the schema belongs to the context and not to the settings of a connection."""

    @property
    def pool(self) -> Any:
        """Django's pool of this alias, with sessions that are reset; None where this connection has none."""
        is_without = is_pool_off() if self.connection is None else not is_from_pool(self.connection)
        if is_without:
            return None
        options = self.settings_dict["OPTIONS"]
        if not options.get("pool") or self.alias in self._connection_pools:
            return super().pool
        given = self.settings_dict  # other threads use it, too
        self.settings_dict = given | {"OPTIONS": options | {"pool": with_reset(options["pool"])}}
        try:
            return super().pool
        finally:
            self.settings_dict = given

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """As Django's; a session of the pool is set up again, since its reset took the time zone with it."""
        self.search_path_set_schemas = self._state_of = None
        self._is_at_edge, self._reset_at = False, None
        session = super().get_new_connection(conn_params)
        if is_from_pool(session):
            self._configure_connection(session)
        return session

    def copy(self, alias: str | None = None) -> Any:
        """Return a connection to the same database with a session of its own, never one of the pool's.

        Callers hold a lock in it, or compare sessions.
        """
        other = super().copy(alias)
        other.settings_dict["OPTIONS"].pop("pool", None)
        return other

    def on_commit(self, func: Callable[[], object], robust: bool = False) -> None:
        """As Django's; the function runs with the tenant that is bound now."""
        binding = current_binding.get()

        def run() -> None:
            token = current_binding.set(binding)
            try:
                func()
            finally:
                current_binding.reset(token)

        super().on_commit(run, robust)

    def _commit(self) -> None:
        # A COMMIT that fails is a rollback. So is, without any error, that of a transaction in which an error
        # was swallowed. The session then is where the transaction began: at another tenant, perhaps.
        is_kept = self.connection and self.connection.info.transaction_status != TransactionStatus.INERROR
        kept, self.search_path_set_schemas = self.search_path_set_schemas, None
        try:
            super()._commit()
        except BaseException:
            self._forget_reset()
            raise
        if is_kept:
            self.search_path_set_schemas = kept
            self._reset_at = None
        else:
            self._forget_reset()

    def rollback(self) -> None:
        """As django-tenants'; a reset of the session's state is undone, too."""
        super().rollback()
        self._forget_reset()

    def savepoint_rollback(self, sid: str) -> None:
        """As `rollback`, to a savepoint: a reset before it stays, or another would drop temporary tables."""
        try:
            super().savepoint_rollback(sid)
        finally:
            if self._reset_at is not None and self._reset_at >= _get_number(sid):
                self._forget_reset()

    def _forget_reset(self) -> None:
        if self._reset_at is not None:
            self._state_of, self._reset_at = UNKNOWN, None
            self.search_path_set_schemas = None

    def end_use(self) -> None:
        """Say that a request or task has ended: what comes next without a tenant gets a clean session."""
        if self._state_of is not None:
            self._is_at_edge, self.search_path_set_schemas = True, None

    def close_if_unusable_or_obsolete(self) -> None:
        """As Django's, and close a session that has been bound to too many schemas.

        Django asks at both edges of a request, a worker at those of a task. A server process remembers every
        table it has ever used, some 0.1 MB a tenant, and forgets none before its end.
        """
        super().close_if_unusable_or_obsolete()
        self.end_use()
        limit = conf.TENANT_SCHEMAS_PER_CONNECTION
        if self.connection is None or self.in_atomic_block or limit <= 0:
            return
        if len(_schemas_of_session.get(self.connection, ())) > limit:
            self.connection.close()  # a pool would take it back as it is
            self.close()

    def _handle_search_path(self, cursor: Any = None) -> None:
        """Bring the session in line with the context, in one round trip: its path, role, timeout and state.

        What was set last is kept in `search_path_set_schemas`, which the parent forgets when a transaction
        or a savepoint is rolled back, because a SET is rolled back with it.
        """
        binding = current_binding.get()
        if self._setting_search_path or (self.search_path_set_schemas and self._set_binding is binding):
            return
        role = self._get_role()
        wanted = [*self._get_cursor_search_paths(), TEMPORARY, role, binding.statement_timeout]
        if self.search_path_set_schemas == wanted:
            return
        self._setting_search_path = True
        own_cursor = self.connection.cursor() if cursor is None else None
        reset = self._get_reset()
        try:
            (own_cursor or cursor).execute(reset + _session_sql(*wanted))
        except (DatabaseError, psycopg.Error) as error:
            self.search_path_set_schemas = None
            if _is_caused_by(error, psycopg.errors.InvalidParameterValue):
                raise ImproperlyConfigured(_explain_missing_role(binding, role)) from error
            if not _is_caused_by(error, psycopg.errors.InFailedSqlTransaction):
                raise  # in a failed transaction the caller's statement fails by itself
        else:
            self.search_path_set_schemas, self._set_binding = wanted, binding
            self._note_use(binding, was_reset=bool(reset))
        finally:
            self._setting_search_path = False
            if own_cursor is not None:
                own_cursor.close()

    def _note_use(self, binding: Binding, *, was_reset: bool) -> None:
        if was_reset:
            self._state_of = None
            self._reset_at = self.savepoint_state if self.in_atomic_block else None
        if binding.schema_name == get_public_schema_name():
            return
        _schemas_of_session.setdefault(self.connection, set()).add(binding.schema_name)
        if _is_of_tenant(binding):
            self._state_of, self._is_at_edge = binding.schema_name, False

    def _get_reset(self) -> str:
        """Return the SQL that resets the session's state, "" where it is this tenant's own, or nobody's."""
        schema = self.schema_name
        is_others = self._state_of not in (None, schema)
        is_due = self._is_at_edge or self._state_of == UNKNOWN
        if not is_others or (schema == get_public_schema_name() and not is_due):
            return ""
        time_zone = sql.Literal(self.timezone_name).as_string()
        return RESET.format(time_zone=time_zone)

    def _execute_where_bound(self, execute: Callable[..., Any], *statement: Any) -> Any:
        # A cursor may outlive the binding that it was opened in.
        if self.connection is not None:
            self._handle_search_path()
        return execute(*statement)

    def _get_role(self) -> str:
        binding = current_binding.get()
        name = self.settings_dict["NAME"]
        return get_role_name(name, binding.schema_name) if _is_of_tenant(binding) else ""


_of_parent: list[Any] = []  # kept: a pool that is collected waits for its threads, and a fork has none


def _forget_pools() -> None:
    """In a forked process, leave the parent's pools and sessions to the parent."""
    _of_parent.extend(DatabaseWrapper._connection_pools.values())
    DatabaseWrapper._connection_pools.clear()
    for wrapper in connections.all(initialized_only=True):
        if is_from_pool(wrapper.connection):
            _of_parent.append(wrapper.connection)
            wrapper.connection = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pools)


def _is_of_tenant(binding: Binding) -> bool:
    # django-tenants binds a stand-in without a key while it migrates.
    return not binding.as_owner and isinstance(getattr(binding.tenant, "pk", None), int)


def _session_sql(*wanted: Any) -> str:
    *schemas, role, timeout = wanted
    path = ",".join(quote_schema_name(schema) for schema in schemas)
    change = f"SET ROLE {quote_schema_name(role)}" if role else "RESET ROLE"
    limit = f"SET statement_timeout = {timeout * 1000:.0f}" if timeout else "RESET statement_timeout"
    return f"SET search_path = {path}; {change}; {limit}"


def _explain_missing_role(binding: Binding, role: str) -> str:
    if getattr(binding.tenant, "provisioned_at", "") is None:
        return (
            f"The tenant with the schema {binding.schema_name!r} is not provisioned and has no tables yet. "
            "A worker provisions it: manage.py db_worker. In tests, subclass "
            "tenants.provisioning.testing.TenantTestCase."
        )
    return (
        f"TENANT_ROLES: the role {role!r} of the tenant with the schema {binding.schema_name!r} does not "
        "exist. Run: manage.py tenant_roles --repair"
    )


def _get_number(sid: str) -> int:
    """Return which of a transaction's savepoints it is; Django counts them in their names, from 1."""
    return int(sid.rpartition("x")[2])


def _is_caused_by(error: Exception, kind: type[Exception]) -> bool:
    return isinstance(error, kind) or isinstance(error.__cause__, kind)

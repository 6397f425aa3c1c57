"""System checks of the database, of pgvector, and of relations between schemas. Ids begin with `tenants.`."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import OperationalError, connections
from psycopg_pool import ConnectionPool

from tenants.placement import has_shared_tables, has_tenant_tables

MINIMUM_POSTGRESQL = 150_000
MINIMUM_PGVECTOR = (0, 8)
ENGINE = "tenants.postgresql"
URL_SCHEMES = ("postgresql", "postgres", "pgsql", "psql")


@register(Tags.security)
def check_engine(**kwargs: Any) -> list[CheckMessage]:
    """E001: the default database must be PostgreSQL through our engine, or nothing separates tenants."""
    engine, url = settings.DATABASES["default"]["ENGINE"], getattr(settings, "DATABASE_URL", "")
    scheme = urlsplit(url).scheme
    if (
        url and scheme not in URL_SCHEMES
    ):  # ENGINE hides it: our engine would look for a PostgreSQL of that name
        message = f"DATABASE_URL begins with {scheme!r}; tenants need PostgreSQL."
        hint = (
            "Write postgresql://user:password@host:5432/name (PostgreSQL >= 15 with pgvector >= 0.8), "
            "or leave it empty for the embedded PostgreSQL."
        )
        return [Error(message, hint=hint, id="tenants.E001")]
    if engine == ENGINE:
        return []
    return [
        Error(
            f"DATABASES['default']['ENGINE'] is {engine!r}; tenants need PostgreSQL.",
            hint=f"Set it to {ENGINE!r}, with a PostgreSQL >= 15 that has pgvector >= 0.8.",
            id="tenants.E001",
        )
    ]


@register(Tags.security)
def check_pool(**kwargs: Any) -> list[CheckMessage]:
    """E006: a pool of sessions whose options psycopg refuses, or beside connections that are kept."""
    database = settings.DATABASES["default"]
    pool = database.get("OPTIONS", {}).get("pool")
    if not pool:
        return []
    fault = _find_pool_fault(pool)
    if fault:
        message = f"DATABASES['default']['OPTIONS']['pool'] {fault}"
        hint = "Use True or a dict of options of psycopg_pool.ConnectionPool, such as {'max_size': 8}."
        return [Error(message, hint=hint, id="tenants.E006")]
    if (age := database.get("CONN_MAX_AGE", 0)) != 0:
        message = f"DATABASES['default']['CONN_MAX_AGE'] is {age!r}; with OPTIONS['pool'] only 0 is allowed."
        hint = "Set it to 0: the pool keeps the sessions, for `max_lifetime` seconds at most."
        return [Error(message, hint=hint, id="tenants.E006")]
    return []


def _find_pool_fault(pool: Any) -> str:
    if pool is True:
        return ""
    if not isinstance(pool, dict):
        return f"is {pool!r}, which is neither True nor a dict."
    taken = sorted({"kwargs", "configure", "open"} & pool.keys())
    if taken:
        return f"has {taken[0]!r}, which Django sets itself."
    try:
        ConnectionPool(open=False, **pool)
    except (TypeError, ValueError) as error:
        return f"is refused by psycopg: {error}."
    return ""


@register(Tags.database)
def check_server(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """E002 to E005, E009: its version, pgvector installed, in `public`, recent enough; whether it answers."""
    if "default" not in (databases or ()) or connections["default"].vendor != "postgresql":
        return []
    try:
        connections["default"].ensure_connection()
    except OperationalError as error:
        hint = "Correct DATABASE_URL, or start that server. Empty, it means the embedded PostgreSQL."
        return [Error(f"The database does not answer: {error}", hint=hint, id="tenants.E009")]
    with connections["default"].cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server_version = int(cursor.fetchone()[0])
        cursor.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
        available = cursor.fetchone()
        cursor.execute(
            "SELECT extnamespace::regnamespace::text, extversion FROM pg_extension WHERE extname = 'vector'"
        )
        installed = cursor.fetchone()
    return [*_server_version(server_version), *_extension(available, installed)]


@register(Tags.models)
def check_relations(**kwargs: Any) -> list[CheckMessage]:
    """E007: a relation must end in every schema in which it begins, so none leads from a tenant to public."""
    hint = "Store the key of what it leads to, or put both apps into the same of SHARED_APPS and TENANT_APPS."
    return [
        Error(f"{field} leads to {target}, {fault}", hint=hint, id="tenants.E007")
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if (target := _get_target(field)) and (fault := _find_fault_of_relation(model, target))
    ]


@register(Tags.models)
def check_apps(**kwargs: Any) -> list[CheckMessage]:
    """E008: the tables of an app must be somewhere."""
    hint = (
        "Name it in TENANT_APPS, for tables in each tenant's schema, or in SHARED_APPS, for those of public."
    )
    return [
        Error(
            f"{config.name} has models, but is in neither SHARED_APPS nor TENANT_APPS: it gets no tables.",
            hint=hint,
            id="tenants.E008",
        )
        for config in apps.get_app_configs()
        if not has_tenant_tables(config.label)
        and not has_shared_tables(config.label)
        and any(model._meta.managed for model in config.get_models())
    ]


def _get_target(field: Any) -> str:
    is_relation = field.remote_field and field.related_model
    return field.related_model._meta.label if is_relation else ""


def _find_fault_of_relation(model: Any, target: str) -> str:
    begin, end = model._meta.app_label, target.partition(".")[0]
    if has_tenant_tables(begin) and not has_tenant_tables(end):
        return "whose table is in public only, where a tenant's role may read nothing."
    if has_shared_tables(begin) and not has_shared_tables(end):
        return "whose table is in the tenants' schemas only, so that it leads nowhere in public."
    return ""


def _server_version(number: int) -> list[CheckMessage]:
    if number >= MINIMUM_POSTGRESQL:
        return []
    return [
        Error(
            f"The server is PostgreSQL {number // 10_000}; 15 or newer is needed.",
            hint="Upgrade the server, or point DATABASE_URL to another one.",
            id="tenants.E002",
        )
    ]


def _extension(available: tuple[str] | None, installed: tuple[str, str] | None) -> list[CheckMessage]:
    if installed is None and available is None:
        return [
            Error(
                "The server does not have the pgvector extension.",
                hint="Install pgvector >= 0.8 on the database server (package postgresql-NN-pgvector).",
                id="tenants.E003",
            )
        ]
    schema, version = installed or ("public", available[0] if available else "0")
    messages: list[CheckMessage] = []
    if schema != "public":
        messages.append(
            Error(
                f"The extension vector is in the schema {schema!r}; only there can its type be found, and "
                "dropping that schema would drop every tenant's vectors.",
                hint="Run: ALTER EXTENSION vector SET SCHEMA public;  (data and indexes stay)",
                id="tenants.E004",
            )
        )
    if _parse(version) < MINIMUM_PGVECTOR:
        messages.append(
            Error(
                f"The server's pgvector is {version}; 0.8 or newer is needed, for iterative index scans.",
                hint="Install a newer pgvector on the server, then run: ALTER EXTENSION vector UPDATE;",
                id="tenants.E005",
            )
        )
    return messages


def _parse(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())

"""System checks of the database, of pgvector, of relations between schemas, and of what apps add.

Their ids begin with `tenants.`.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.cache.backends.dummy import DummyCache
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, router
from django.db.models import Model
from django.utils.module_loading import import_string
from psycopg_pool import ConnectionPool

from tenants.binding.memory_cache import EmptiedByTenant
from tenants.discovery import list_points
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
    # ENGINE does not show the scheme: our engine would look for a PostgreSQL database of that name.
    if url and scheme not in URL_SCHEMES:
        message = f"DATABASE_URL begins with {scheme!r}; tenants need PostgreSQL."
        hint = (
            "Write postgresql://user:password@host:5432/name (PostgreSQL >= 15 with pgvector >= 0.8), "
            "or leave it empty for the embedded PostgreSQL."
        )
    elif engine != ENGINE:
        message = f"DATABASES['default']['ENGINE'] is {engine!r}; tenants need PostgreSQL."
        hint = f"Set it to {ENGINE!r}, with a PostgreSQL >= 15 that has pgvector >= 0.8."
    else:
        return []
    return [Error(message, hint=hint, id="tenants.E001")]


@register(Tags.security)
def check_pool(**kwargs: Any) -> list[CheckMessage]:
    """E006: psycopg must accept the options of a pool, and Django must not keep connections beside it."""
    database = settings.DATABASES["default"]
    pool = database.get("OPTIONS", {}).get("pool")
    if not pool:
        return []
    if fault := _find_pool_fault(pool):
        message = f"DATABASES['default']['OPTIONS']['pool'] {fault}"
        hint = "Use True or a dict of options of psycopg_pool.ConnectionPool, such as {'max_size': 8}."
    elif (age := database.get("CONN_MAX_AGE", 0)) != 0:
        message = f"DATABASES['default']['CONN_MAX_AGE'] is {age!r}; with OPTIONS['pool'] only 0 is allowed."
        hint = "Set it to 0: the pool keeps the sessions, for `max_lifetime` seconds at most."
    else:
        return []
    return [Error(message, hint=hint, id="tenants.E006")]


@register(Tags.security)
def check_cookies(**kwargs: Any) -> list[CheckMessage]:
    """E012: a cookie belongs to one host, and a name that begins with `__Host-` must keep its promise."""
    messages: list[CheckMessage] = []
    for kind in ("SESSION", "CSRF", "LANGUAGE"):
        name, domain, path, secure = (
            getattr(settings, f"{kind}_COOKIE_{part}") for part in ("NAME", "DOMAIN", "PATH", "SECURE")
        )
        if domain:
            message = f"{kind}_COOKIE_DOMAIN is {domain!r}: browsers would show the cookie to other tenants."
            messages.append(Error(message, hint="Set it to None.", id="tenants.E012"))
        elif name.startswith("__Host-") and not (secure and path == "/"):
            message = (
                f"{kind}_COOKIE_NAME is {name!r}: browsers take such a cookie only if it is secure, for '/'."
            )
            hint = f"Set {kind}_COOKIE_SECURE to True and {kind}_COOKIE_PATH to '/', or choose another name."
            messages.append(Error(message, hint=hint, id="tenants.E012"))
    return messages


def _find_pool_fault(pool: Any) -> str:
    if pool is True:
        return ""
    if not isinstance(pool, dict):
        return f"is {pool!r}, which is neither True nor a dict."
    if taken := sorted({"kwargs", "configure", "open"} & pool.keys()):
        return f"has {taken[0]!r}, which Django sets itself."
    try:
        ConnectionPool(open=False, **pool)
    except (TypeError, ValueError) as error:
        return f"is refused by psycopg: {error}."
    return ""


@register(Tags.database)
def check_server(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """E002 to E005, E009: the server must answer, be recent, and have a recent pgvector in `public`."""
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
    return [*_check_version(server_version), *_check_extension(available, installed)]


@register(Tags.database, deploy=True)
def check_encryption(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """W001: a database over the network without TLS; no warning where the URL says sslmode=disable."""
    connection = connections["default"]
    if "default" not in (databases or ()) or connection.vendor != "postgresql":
        return []
    try:
        connection.ensure_connection()
    except OperationalError:  # E009
        return []
    session = connection.connection.pgconn
    host = session.host.decode()
    if session.ssl_in_use or host.startswith(("/", "@")):  # a socket: a file, or an abstract name
        return []
    message = f"The connection to the database at {host!r} is not encrypted"
    if connection.settings_dict["OPTIONS"].get("sslmode") == "disable":
        return [Info(f"{message}, as sslmode=disable in DATABASE_URL wants.", id="tenants.W001")]
    hint = (
        "Append ?sslmode=verify-full&sslrootcert=/path/of/ca.pem to DATABASE_URL, or ?sslmode=disable where "
        "nobody else can read the network."
    )
    return [Warning(f"{message}.", hint=hint, id="tenants.W001")]


def _check_version(number: int) -> list[CheckMessage]:
    if number >= MINIMUM_POSTGRESQL:
        return []
    message = f"The server is PostgreSQL {number // 10_000}; 15 or newer is needed."
    hint = "Upgrade the server, or point DATABASE_URL to another one."
    return [Error(message, hint=hint, id="tenants.E002")]


def _check_extension(available: tuple[str] | None, installed: tuple[str, str] | None) -> list[CheckMessage]:
    if installed is None and available is None:
        message = "The server does not have the pgvector extension."
        hint = "Install pgvector >= 0.8 on the database server (package postgresql-NN-pgvector)."
        return [Error(message, hint=hint, id="tenants.E003")]
    schema, version = installed or ("public", available[0] if available else "0")
    messages: list[CheckMessage] = []
    if schema != "public":
        message = (
            f"The extension vector is in the schema {schema!r}; only there can its type be found, and "
            "dropping that schema would drop every tenant's vectors."
        )
        hint = "Run: ALTER EXTENSION vector SET SCHEMA public;  (data and indexes stay)"
        messages.append(Error(message, hint=hint, id="tenants.E004"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < MINIMUM_PGVECTOR:
        message = f"The server's pgvector is {version}; 0.8 or newer is needed, for iterative index scans."
        hint = "Install a newer pgvector on the server, then run: ALTER EXTENSION vector UPDATE;"
        messages.append(Error(message, hint=hint, id="tenants.E005"))
    return messages


@register(Tags.models)
def check_relations(**kwargs: Any) -> list[CheckMessage]:
    """E007: a relation must end in every schema in which it begins, so none leads from a tenant to public."""
    hint = "Store the key of what it leads to, or put both apps into the same of SHARED_APPS and TENANT_APPS."
    return [
        Error(f"{field} leads to {field.related_model._meta.label}, {fault}", hint=hint, id="tenants.E007")
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if field.remote_field and field.related_model
        if (fault := _find_relation_fault(model._meta.app_label, field.related_model._meta.app_label))
    ]


def _find_relation_fault(begin: str, end: str) -> str:
    if has_tenant_tables(begin) and not has_tenant_tables(end):
        return "whose table is in public only, where a tenant's role may read nothing."
    if has_shared_tables(begin) and not has_shared_tables(end):
        return "whose table is in the tenants' schemas only, so that it leads nowhere in public."
    return ""


@register(Tags.models)
def check_indexes(**kwargs: Any) -> list[CheckMessage]:
    """Run Django's checks of indexes, such as models.E012: it skips models without a table in `public`."""
    connection = connections[DEFAULT_DB_ALIAS]
    return [
        message
        for model in apps.get_models(include_auto_created=True)
        if has_tenant_tables(model._meta.app_label) and not has_shared_tables(model._meta.app_label)
        for index in model._meta.indexes
        for message in index.check(model, connection)
    ]


@register(Tags.models)
def check_apps(**kwargs: Any) -> list[CheckMessage]:
    """E008: the tables of an app must be somewhere."""
    hint = (
        "Name it in TENANT_APPS, for tables in each tenant's schema, or in SHARED_APPS, for those of public. "
        "For those of another database, add a router that allows it there before TenantSyncRouter."
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
        and any(model._meta.managed and not _has_another_home(model) for model in config.get_models())
    ]


def _has_another_home(model: type[Model]) -> bool:
    return any(router.allow_migrate_model(alias, model) for alias in connections if alias != DEFAULT_DB_ALIAS)


@register(Tags.caches)
def check_caches(**kwargs: Any) -> list[CheckMessage]:
    """W002: cache.clear() in one tenant must leave the other tenants' values alone."""
    hint = (
        "Use tenants.binding.memory_cache.TenantLocMemCache or tenants.binding.redis_cache.TenantRedisCache. "
        "Where nothing calls clear(), silence this."
    )
    return [
        Warning(
            f"CACHES[{alias!r}] is a {backend.__name__}: clear() in one tenant would empty it for all.",
            hint=hint,
            id="tenants.W002",
        )
        for alias, entry in settings.CACHES.items()
        if not issubclass(backend := import_string(str(entry["BACKEND"])), EmptiedByTenant | DummyCache)
    ]


@register()
def check_extensions(**kwargs: Any) -> list[CheckMessage]:
    """E011: each module by which an app adds something must keep the form of its extension point."""
    for urlconf in (settings.ROOT_URLCONF, settings.PUBLIC_SCHEMA_URLCONF):
        import_module(urlconf)  # which declare extension points, too
    return [
        Error(
            fault,
            hint=f'The module with ExtensionPoint("{point.name}", ...) says what a {point.name}.py holds.',
            id="tenants.E011",
        )
        for point in list_points()
        for _, fault in point.find_faults()
    ]

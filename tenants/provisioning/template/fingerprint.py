"""Everything that a template depends on, as one short string."""

import sys
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import django
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from tenants.context import connection

FORMAT = 1  # raise it when a change of this package changes what a replay makes

SERVER = """
SELECT current_setting('server_version_num'),
    (SELECT string_agg(concat_ws(' ', extname, extversion, extnamespace::regnamespace), ', ' ORDER BY extname)
     FROM pg_extension)
"""


def get_fingerprint() -> str:
    """Return 64 hexadecimal digits that change when migrating a new tenant may give something else.

    They stand for every migration's app, name and text (a tenant records those of shared apps, too), for
    TENANT_APPS and AUTH_USER_MODEL, Django, the server and its extensions.
    """
    with connection.cursor() as cursor:
        cursor.execute(SERVER)
        server = cursor.fetchone()
    parts = (
        FORMAT,
        django.VERSION,
        settings.TENANT_APPS,
        settings.AUTH_USER_MODEL,
        server,
        _list_migrations(tuple(settings.INSTALLED_APPS), repr(settings.MIGRATION_MODULES)),
    )
    return sha256(repr(parts).encode()).hexdigest()


@lru_cache(maxsize=8)
def _list_migrations(apps: tuple[str, ...], modules: str) -> list[Any]:
    """Return the migrations of these apps in these modules; a process keeps those it was started with."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return sorted(
        (app, name, _hash_source(sys.modules[migration.__module__]))
        for (app, name), migration in loader.disk_migrations.items()
    )


@cache
def _hash_source(module: ModuleType) -> str:
    """Return the digest of a module's file, which is read once, as the module is."""
    return sha256(Path(str(module.__file__)).read_bytes()).hexdigest()

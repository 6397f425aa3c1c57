"""Takes away what a tenant has. Every function may run twice."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django_tenants.utils import quote_schema_name, schema_context

from tenants.models import Tenant
from tenants.provisioning.caches import erase_cached
from tenants.provisioning.roles import drop_roles
from tenants.provisioning.sessions import find_sessions
from tenants.queue.rows import delete_traces
from tenants.validators import validate_schema_name

REPLACED = r"_replaced_[0-9]{14}"  # what infra/restore.sh appends to a schema's first 38 characters
SET_ASIDE = "SELECT nspname FROM pg_namespace WHERE nspname ~ %s"
EXTENSIONS = """
    SELECT e.extname, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE n.nspname = ANY(%s)
"""


def erase_shared(schema: str, pk: int) -> None:
    """Remove the tenant's tasks, role and schema, and the schemas that restoring a backup set aside.

    All goes at once or nothing does; the tenant's row and its domains stay. Raises ValidationError when one
    of the schemas holds an extension: it would go, too, and with vector every tenant's vectors; and for a
    name that no tenant's schema can have, since with "" or "public" all tenants' things would go.
    """
    validate_schema_name(schema)
    with connection.cursor() as cursor:
        cursor.execute(SET_ASIDE, [f"^{schema[:38]}{REPLACED}$"])
        set_aside = {name for (name,) in cursor.fetchall()}
        tenants = Tenant.objects.values_list("schema_name", flat=True)
        names = [schema, *sorted(set_aside.difference(tenants))]
        cursor.execute(EXTENSIONS, [names])
        if found := cursor.fetchone():
            extension, holder = found
            raise ValidationError(
                f"The extension {extension} is in the schema {holder!r}; dropping it would take from every "
                "tenant the columns that need it. Run: "
                f"ALTER EXTENSION {quote_schema_name(extension)} SET SCHEMA public;"
            )
    with transaction.atomic():
        delete_traces(schema, pk)
        Session.objects.filter(pk__in=find_sessions(schema)).delete()
        for name in names:
            drop_schema(name)
        drop_roles([schema])


def erase_outside(schema: str) -> None:
    """Remove what is outside of the database: files, and the entries that the caches list.

    Raises ValidationError as `erase_shared` does for a name.
    """
    validate_schema_name(schema)
    erase_cached(schema)
    with schema_context(schema):
        if not has_own_folder():
            return
        for name in list(_walk("")):
            default_storage.delete(name)
        # Unless the storage is not a file system, or the tenant had no file.
        with suppress(NotImplementedError, FileNotFoundError):
            Path(default_storage.path("")).rmdir()


def drop_schema(schema: str) -> None:
    """Drop a schema with all that is in it, if it exists."""
    connection.check_constraints()  # in a caller's transaction, a table whose checks still wait stays
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {quote_schema_name(schema)} CASCADE")


def has_own_folder() -> bool:
    """Return whether the storage says that it keeps the bound tenant's files in a place of their own.

    A storage that does not say so is left alone: its files may be everybody's.
    """
    own = getattr(default_storage, "location", None)
    with schema_context("public"):
        return own != getattr(default_storage, "location", None)


def _walk(folder: str) -> Iterator[str]:
    """Yield files and folders, what is inside before what is around it."""
    folders, files = default_storage.listdir(folder)
    for name in files:
        yield f"{folder}{name}"
    for name in folders:
        yield from _walk(f"{folder}{name}/")
        yield f"{folder}{name}"

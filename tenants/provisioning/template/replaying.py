"""Makes a schema from the statements of a template: all of it or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django_tenants.utils import quote_schema_name

from tenants.context import connection
from tenants.provisioning.template.census import digest, read_objects


class TemplateError(RuntimeError):
    """The template does not give what migrating gives; the tenant has to be migrated."""


def replay(schema: str, statements: str, objects: str = "") -> None:
    """Create the schema and run the statements, separated by semicolons, in it: one round trip.

    `objects`, if given, is the digest of the census that the new schema must have. Raises TemplateError when
    its digest differs, and django.db.Error when a statement fails; there is no schema then.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {quote_schema_name(schema)}")
        with search_path(cursor, schema):
            cursor.execute(statements)  # without parameters, PostgreSQL takes many statements at a time
            if objects not in ("", digest(read_objects(cursor))):
                raise TemplateError(f"The replay of the template left {schema!r} with other objects than it.")


@contextmanager
def search_path(cursor: Any, schema: str) -> Iterator[None]:
    """Look names up in the schema only, until the end of the block or of the transaction.

    Without `public` behind it, a statement that misses its table fails and does not find a shared one. The
    block restores the search_path that the connection believes in.
    """
    cursor.execute("SHOW search_path")
    (before,) = cursor.fetchone()
    cursor.execute(f"SET LOCAL search_path = {quote_schema_name(schema)}")
    yield
    cursor.execute(f"SET LOCAL search_path = {before}")

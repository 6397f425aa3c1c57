"""Operations for migrations."""

from typing import Any

from django.contrib.postgres.operations import CreateExtension
from django.db import router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from tenants.provisioning.roles import close_append_only

# A superuser creates any extension, the database's owner those that are marked as trusted (PostgreSQL's
# manual, CREATE EXTENSION).
MAY_CREATE = """
    SELECT EXISTS (
        SELECT FROM pg_available_extension_versions
        WHERE name = %s AND (
            trusted AND has_database_privilege(current_database(), 'CREATE')
            OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        )
    )
"""


class CreateOptionalExtension(CreateExtension):
    """Create an extension where the server offers it to this role; otherwise do nothing.

    For what the project can do without, such as unaccent: its users look whether it is there. Backwards, the
    extension stays, since others may use it.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Create it, if the role may, in the database of the tenants."""
        connection = schema_editor.connection
        if connection.vendor != "postgresql" or not router.allow_migrate(connection.alias, app_label):
            return
        with connection.cursor() as cursor:
            cursor.execute(MAY_CREATE, [self.name])
            may_create = cursor.fetchone()[0]
        if may_create:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Leave it."""

    def describe(self) -> str:
        """Say what it does, for `migrate --plan`."""
        return f"Creates extension {self.name} where the server offers it"


def keep_append_only(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take from the tenant's role what it may not do to new tables of models with `is_append_only = True`.

    For migrations.RunPython, behind the operation that makes the table.
    """
    close_append_only(schema_editor.connection.schema_name)  # type: ignore[attr-defined]

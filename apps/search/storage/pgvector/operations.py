"""Operations for the migrations of embedding tables."""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

HALF_A_PAGE = 4080  # bytes; PostgreSQL's default is a quarter, beyond which it moves the largest column out


class KeepVectorsInRows(Operation):
    """Keep rows of an embedding table whole up to half a page, by the parameter toast_tuple_target.

    Every distance needs the vector, and fetching one that was moved out costs more than comparing it.
    Existing rows stay as they are until they are written again. Source: PostgreSQL's manual, CREATE TABLE,
    "Storage Parameters".
    """

    reversible = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing that models know of."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Set the parameter."""
        model = to_state.apps.get_model(app_label, self.model_name)
        self._alter(schema_editor, model, f"SET (toast_tuple_target = {HALF_A_PAGE})")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Return to PostgreSQL's default."""
        model = from_state.apps.get_model(app_label, self.model_name)
        self._alter(schema_editor, model, "RESET (toast_tuple_target)")

    def describe(self) -> str:
        """Say what it does, for `migrate --plan`."""
        return f"Keep vectors of {self.model_name} in their rows"

    def _alter(self, schema_editor: BaseDatabaseSchemaEditor, model: Any, change: str) -> None:
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            table = schema_editor.quote_name(model._meta.db_table)
            schema_editor.execute(f"ALTER TABLE {table} {change}")

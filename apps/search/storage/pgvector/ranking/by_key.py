"""Values that were computed beforehand, for the rows they belong to."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F, Field, Func


class ValueByKey(Func):
    """A row's value, found by its primary key among those given; NULL for a row whose key is not there."""

    def __init__(self, pks: Sequence[Any], values: Sequence[Any], output_field: Field) -> None:
        super().__init__(F("pk"), output_field=output_field)
        self.arrays = (list(values), list(pks))

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> Any:  # type: ignore[override]
        """Send both lists as one parameter each, however long they are."""
        column: Any = self.get_source_expressions()[0]
        key, params = compiler.compile(column)
        values, keys = (field.rel_db_type(connection) for field in (self.output_field, column.target))
        return f"(%s::{values}[])[array_position(%s::{keys}[], {key})]", (*self.arrays, *params)

"""Django's cache of content types, kept apart by schema.

The ids of content types differ between schemas, but Django keeps one cache in a process. A thread that serves
tenant A would find there what another thread has just read for tenant B, and check the wrong permission.
"""

from typing import Any

from django.contrib.contenttypes.models import ContentType

from tenants.context import connection


class PerSchemaCache(dict[tuple[str, str], Any]):
    """A dict whose keys belong to the bound schema."""

    def __getitem__(self, key: str) -> Any:  # type: ignore[override]
        """Return what the bound schema has under the key. Raises KeyError."""
        return super().__getitem__((connection.schema_name, key))

    def setdefault(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
        """As a dict's, within the bound schema."""
        return super().setdefault((connection.schema_name, key), default)


def separate_content_types() -> None:
    """Give the manager of ContentType a cache for each schema."""
    ContentType.objects._cache = PerSchemaCache()  # type: ignore[attr-defined]

"""A django-tenants connection whose bound tenant belongs to the context and not to the connection.

django-tenants keeps the tenant on the connection, and a connection belongs to a thread. Under ASGI a
middleware and the view behind it may run in different threads, so the view would see `public` or, worse,
the tenant of somebody else's request. A ContextVar follows the request through threads and coroutines.
"""

from contextvars import ContextVar
from typing import Any, NamedTuple

from django_tenants.postgresql_backend import base


class Binding(NamedTuple):
    """What a context is bound to."""

    tenant: Any = None
    schema_name: str = "public"
    include_public_schema: bool = True


_binding: ContextVar[Binding] = ContextVar("tenant_binding", default=Binding())  # noqa: B039 - immutable


def _bound(field: str) -> property:
    def read(connection: "DatabaseWrapper") -> Any:
        return getattr(_binding.get(), field)

    def write(connection: "DatabaseWrapper", value: Any) -> None:
        _binding.set(_binding.get()._replace(**{field: value}))

    return property(read, write)


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection; `set_tenant`, `set_schema` and `set_schema_to_public` are django-tenants' own."""

    search_path_set_schemas: list[str] | None
    tenant = _bound("tenant")
    schema_name = _bound("schema_name")
    include_public_schema = _bound("include_public_schema")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # A new thread makes a new connection in the middle of a request: it must not unbind the tenant.
        binding = _binding.get()
        super().__init__(*args, **kwargs)
        _binding.set(binding)

    def set_settings_schema(self, schema_name: str) -> None:
        """Do nothing: the settings of a connection are no place for what belongs to the context."""

    def _handle_search_path(self, cursor: Any = None) -> None:
        # With TENANT_LIMIT_SET_CALLS the path is set once, and the context may have changed since.
        if self.search_path_set_schemas not in (None, self._get_cursor_search_paths()):
            self.search_path_set_schemas = None
        super()._handle_search_path(cursor)

"""Settings with types and defaults, read at call time: for any app, and at the end those of this one.

An app lists its settings in a `conf.py` of its own:

    class DeletionSettings(AppSettings):
        DELETION_GRACE_DAYS: float = 14  # days for which a deleted tenant is kept

    conf = DeletionSettings()

`conf.DELETION_GRACE_DAYS` is what project/settings.py says, else the environment variable of that name, else
the default.
"""

import os
from collections.abc import Mapping
from typing import Any

import environ
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

FROM_ENVIRONMENT = (bool, int, float, str, list)  # how a variable's text is read; a list by its commas

_env = environ.Env()
_missing = object()


class AppSettings:
    """Settings in capitals, each with its type and its default; see the module's docstring."""

    def __getattribute__(self, name: str) -> Any:
        """Return the setting as it is now. Raises ImproperlyConfigured for an unusable variable."""
        default = super().__getattribute__(name)
        if not name.isupper():
            return default
        if (value := getattr(settings, name, _missing)) is not _missing:
            return value
        if name not in os.environ or name not in self.list_variables():
            return default
        cast = self.list_variables()[name]
        try:
            return _env.get_value(name, cast=cast)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} is {os.environ[name]!r} in the environment; it must be a {cast.__name__}."
            ) from error

    @classmethod
    def list_variables(cls) -> dict[str, Any]:
        """Return the settings that the environment may decide, each with its type."""
        annotations = cls.__annotations__.items()
        return {name: kind for name, kind in annotations if name.isupper() and kind in FROM_ENVIRONMENT}


class TenantSettings(AppSettings):
    """The settings of this app."""

    # Seconds for which a process may not notice that another one changed a tenant; 0: it asks each time.
    TENANT_CACHE_SECONDS: float = 5
    # A connection that has served more tenants is closed after the request or task; 0: never.
    TENANT_SCHEMAS_PER_CONNECTION: int = 1000
    TENANT_ROLES: bool = True  # whether each tenant has a database role
    # Seconds until PostgreSQL breaks off a statement of a request, on tenants' sites and on the operators';
    # 0: as the database says. Tasks and commands have no limit.
    REQUEST_STATEMENT_TIMEOUT: float = 10
    OPERATORS_STATEMENT_TIMEOUT: float = 60
    REQUEST_ID_HEADER: str = ""  # in which a proxy hands over its id of a request; "": none does
    SCHEDULES: bool = True  # whether workers begin the periodic tasks that are due
    TASK_RESULT_DAYS: float = 14  # days for which the result of a finished task is kept
    TENANT_PROVISIONING: Mapping[str, bool] = {}  # {"TEMPLATE": False}: every new tenant is migrated


conf = TenantSettings()

"""Where an app's tables are: in `public`, in the schema of every tenant, or in both."""

from collections.abc import Iterable
from functools import lru_cache

from django.apps import apps
from django.conf import settings


@lru_cache(maxsize=256)
def is_tenant_app(app_label: str) -> bool:
    """Return whether an app's tables are in the tenants' schemas only."""
    return has_tenant_tables(app_label) and not has_shared_tables(app_label)


def has_tenant_tables(app_label: str) -> bool:
    """Return whether an app's tables are in the tenants' schemas; they may be in `public`, too."""
    return app_label in list_labels(settings.TENANT_APPS)


def has_shared_tables(app_label: str) -> bool:
    """Return whether an app's tables are in `public`; they may be in the tenants' schemas, too."""
    return app_label in list_labels(settings.SHARED_APPS)


def list_labels(names: Iterable[str]) -> set[str]:
    """Return the labels of installed apps, of which `names` has the module or the path of the AppConfig."""
    listed = set(names)
    return {
        config.label
        for config in apps.get_app_configs()
        if config.name in listed or f"{type(config).__module__}.{type(config).__qualname__}" in listed
    }

"""Wires the signals and the checks."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class SearchConfig(AppConfig):
    """Per-tenant semantic search."""

    name = "apps.search"

    def ready(self) -> None:
        """Listen to the indexed models and register the system checks."""
        from apps.search import checks  # noqa: F401
        from apps.search.indexing import signals
        from apps.search.spaces.space import register_use
        from apps.search_switching import advancing, overview

        signals.connect()
        autodiscover_modules("search_indexes")
        advancing.connect()
        register_use(overview.describe_use)

"""Wires the signals and the checks."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    """Per-tenant semantic search."""

    name = "apps.search"

    def ready(self) -> None:
        """Listen to the indexed models and register the system checks."""
        from apps.search import checks, signals  # noqa: F401
        from apps.search.switching import advancing

        signals.connect()
        advancing.connect()

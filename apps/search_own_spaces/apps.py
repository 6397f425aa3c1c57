"""Lends the tenants' own spaces to the search."""

from django.apps import AppConfig


class OwnSpacesConfig(AppConfig):
    """Embedding services that tenants bring themselves."""

    name = "apps.search_own_spaces"
    label = "own_spaces"
    verbose_name = "Search spaces"

    def ready(self) -> None:
        """Lend the entries, forget those that change, and register the system checks."""
        from apps.search.embedders import register_entries
        from apps.search_own_spaces import checks, entries  # noqa: F401

        register_entries(entries.find_entry, entries.list_aliases)

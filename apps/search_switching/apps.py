"""Joins the search: adds a live switch's spaces and follows its runs."""

from typing import ClassVar

from django.apps import AppConfig


class SearchSwitchingConfig(AppConfig):
    """Moves a tenant's search from one space to another without downtime."""

    name = "apps.search_switching"
    verbose_name = "search switching"
    moved_tasks: ClassVar[dict[str, str]] = {
        f"apps.search.switching.{task}": f"apps.search_switching.{task}"
        for task in ("advancing.advance_switch", "dropping.drop_documents", "loose.copy_loose_documents")
    }

    def ready(self) -> None:
        """Register the live spaces and listen for finished runs."""
        from apps.search.spaces.live_spaces import register_live_spaces
        from apps.search_switching import advancing, models

        register_live_spaces(models.list_live_spaces)
        advancing.connect()

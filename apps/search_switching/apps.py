"""Joins the search: adds a live switch's spaces and follows its runs."""

from typing import ClassVar

from django.apps import AppConfig


class SearchSwitchingConfig(AppConfig):
    """Moves a tenant's search from one space to another without downtime."""

    name = "apps.search_switching"
    verbose_name = "search switching"
    moved_tasks: ClassVar[dict[str, str]] = {
        "apps.search.switching.advancing.advance_switch": f"{name}.advancing.advance_switch",
        "apps.search.switching.dropping.drop_documents": f"{name}.dropping.drop_documents",
        "apps.search.switching.loose.copy_loose_documents": f"{name}.handwritten.copy_loose_documents",
        "apps.search.quality.switch_comparing.compare_switch": f"{name}.comparing.compare_switch",
    }

    def ready(self) -> None:
        """Register the live spaces and listen for finished runs."""
        from apps.search.spaces.live_spaces import register_live_spaces
        from apps.search_switching import advancing, dropping, models  # noqa: F401 - with tasks

        register_live_spaces(models.list_live_spaces)
        advancing.connect()

"""The app of golden queries and evaluations."""

from typing import ClassVar

from django.apps import AppConfig


class QualityConfig(AppConfig):
    """Measures the search of each tenant."""

    name = "apps.search_quality"
    label = "quality"
    verbose_name = "Search quality"
    url_prefix = "search/quality/"
    moved_tasks: ClassVar[dict[str, str]] = {
        "apps.search.quality.tasks.carry_out_run": "apps.search_quality.tasks.carry_out_run"
    }

    def ready(self) -> None:
        """Register the system checks, and listen to searches."""
        from apps.search.searching.answering import search_answered
        from apps.search.spaces.comparing import comparison_wanted
        from apps.search_quality import checks, receivers  # noqa: F401

        for receiver in (receivers.note_answered, receivers.offer_promotion):
            search_answered.connect(receiver, dispatch_uid=f"quality:{receiver.__name__}")
        comparison_wanted.connect(receivers.compare, dispatch_uid="quality:compare")

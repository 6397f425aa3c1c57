"""The app of golden queries and evaluations."""

from typing import ClassVar

from django.apps import AppConfig, apps


class QualityConfig(AppConfig):
    """Measures the search of each tenant."""

    name = "apps.search_quality"
    label = "quality"
    verbose_name = "search quality"
    url_prefix = "search/quality/"
    moved_tasks: ClassVar[dict[str, str]] = {
        f"apps.search.quality.{task}": f"apps.search_quality.{task}"
        for task in ("tasks.carry_out_run", "switch_comparing.compare_switch")
    }

    def ready(self) -> None:
        """Register the system checks, and listen to searches."""
        from apps.search.searching.answering import search_answered
        from apps.search_quality import checks, receivers  # noqa: F401

        for receiver in (receivers.note_answered, receivers.offer_promotion):
            search_answered.connect(receiver, dispatch_uid=f"quality:{receiver.__name__}")
        if apps.is_installed("apps.search_switching"):
            from apps.search_quality import switch_comparing

            switch_comparing.connect()

"""The app of golden queries and evaluations."""

from django.apps import AppConfig


class QualityConfig(AppConfig):
    """Measures the search of each tenant."""

    name = "apps.search_quality"
    label = "quality"
    verbose_name = "search quality"
    url_prefix = "search/quality/"

    def ready(self) -> None:
        """Register the system checks, and listen to searches."""
        from apps.search.searching.answering import search_answered
        from apps.search_quality import checks, receivers, switch_comparing  # noqa: F401
        from apps.search_switching.advancing import switch_ready

        for receiver in (receivers.note_answered, receivers.offer_promotion):
            search_answered.connect(receiver, dispatch_uid=f"quality:{receiver.__name__}")
        switch_ready.connect(switch_comparing.ask_for_comparison, dispatch_uid="quality:switch")

"""The app itself."""

from django.apps import AppConfig


class SearchSwitchingConfig(AppConfig):
    """Moves a tenant's search from one space to another without downtime."""

    name = "apps.search_switching"
    verbose_name = "search switching"

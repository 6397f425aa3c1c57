"""The app itself."""

from django.apps import AppConfig


class IsolationConfig(AppConfig):
    """Attacks each tenant from every other: `manage.py prove_isolation`."""

    name = "apps.operations.isolation"

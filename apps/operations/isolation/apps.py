from django.apps import AppConfig


class IsolationConfig(AppConfig):
    """Attacks each tenant from every other: `manage.py prove_isolation`."""

    name = "apps.operations.isolation"

    def ready(self) -> None:
        """Declare the extension point, of which the system checks must know."""
        from apps.operations.isolation import proving  # noqa: F401

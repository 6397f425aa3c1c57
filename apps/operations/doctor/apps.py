"""The app itself."""

from django.apps import AppConfig


class DoctorConfig(AppConfig):
    """Finds what is wrong with an installation: `manage.py doctor`."""

    name = "apps.operations.doctor"

    def ready(self) -> None:
        """Declare the extension point, of which the system checks must know."""
        from apps.operations.doctor import examining  # noqa: F401

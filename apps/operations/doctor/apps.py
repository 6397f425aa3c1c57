"""The app itself."""

from django.apps import AppConfig


class DoctorConfig(AppConfig):
    """Finds what is wrong with an installation: `manage.py doctor`."""

    name = "apps.operations.doctor"

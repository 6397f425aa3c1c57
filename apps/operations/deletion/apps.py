"""The app itself."""

from django.apps import AppConfig


class DeletionConfig(AppConfig):
    """Deletes a tenant after a time of grace, and proves it: `manage.py delete_tenant`."""

    name = "apps.operations.deletion"

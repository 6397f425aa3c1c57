from django.apps import AppConfig


class FleetConfig(AppConfig):
    """Migrates many tenants: `manage.py migrate_schemas`."""

    name = "apps.operations.fleet"

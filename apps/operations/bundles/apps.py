from django.apps import AppConfig


class BundlesConfig(AppConfig):
    """A tenant as one file: `manage.py export_tenant` and `import_tenant`."""

    name = "apps.operations.bundles"

    def ready(self) -> None:
        """Declare the extension point, of which the system checks must know, and the settings."""
        from apps.operations.bundles import conf, parts  # noqa: F401

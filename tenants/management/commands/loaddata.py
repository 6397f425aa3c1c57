"""manage.py loaddata"""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import loaddata

from tenants.context import is_tenant_app


class Command(loaddata.Command):
    """Django's command. It says so when it leaves rows of the tenants' apps out, since no tenant is bound."""

    def handle(self, *fixture_labels: str, **options: Any) -> None:
        """Load what has a table here. Raises CommandError, afterwards, if something was left out."""
        self.left_out: set[str] = set()
        super().handle(*fixture_labels, **options)
        if self.left_out:
            models, files = ", ".join(sorted(self.left_out)), " ".join(fixture_labels)
            raise CommandError(
                f"Left out, because their tables are in the tenants' schemas: {models}. "
                f"For one tenant: manage.py tenant_command loaddata {files} --schema=SCHEMA"
            )

    def save_obj(self, obj: Any) -> bool:
        """Save an object that has a table here, and note the model of one that has none."""
        is_saved: bool = super().save_obj(obj)
        model = type(obj.object)
        is_excluded = model._meta.app_config in self.excluded_apps or model in self.excluded_models
        if not is_saved and not is_excluded and is_tenant_app(model._meta.app_label):
            self.left_out.add(model._meta.label)
        return is_saved

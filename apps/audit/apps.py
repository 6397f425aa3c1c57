"""Keeps the deeds of tenants.audit in a table of the schema in which they were done."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The audit log: one in each tenant's schema, for its people, and one in `public`, for operators."""

    name = "apps.audit"
    verbose_name = "Audit log"

    def ready(self) -> None:
        """Listen to the deeds."""
        from apps.audit.recording import keep_deed
        from tenants.signals import deed_done

        deed_done.connect(keep_deed, dispatch_uid="audit.keep_deed")

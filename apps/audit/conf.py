"""The settings of this app."""

from tenants.conf import AppSettings


class AuditSettings(AppSettings):
    """How long deeds are kept."""

    AUDIT_DAYS: int = 365  # days after which `prune_audit` deletes a deed; 0: never


conf = AuditSettings()

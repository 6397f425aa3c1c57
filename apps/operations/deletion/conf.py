"""The settings of deletion."""

from tenants.conf import AppSettings


class DeletionSettings(AppSettings):
    """Each with its default."""

    DELETION_GRACE_DAYS: float = 14  # for which a tenant that leaves can still be kept


conf = DeletionSettings()

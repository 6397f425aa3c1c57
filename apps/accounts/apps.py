"""The people of a tenant: their accounts, API keys and invitations."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_delete, post_save

from tenants.signals import owner_needed


class AccountsConfig(AppConfig):
    """Listed in SHARED_APPS for the operators and in TENANT_APPS for the members of each tenant."""

    name = "apps.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    url_prefix = "accounts/"

    def ready(self) -> None:
        """Register the check; take note of deeds; make new tenants' owners."""
        from django.contrib.admin.models import LogEntry
        from django.contrib.auth.models import Group

        from apps.accounts import checks, receivers  # noqa: F401
        from apps.accounts.access.masked_logs import mask_logs
        from apps.accounts.invitations import make_owner

        mask_logs()
        user_logged_in.connect(receivers.note_sign_in, dispatch_uid="accounts.sign_in")
        user_login_failed.connect(receivers.note_failed_sign_in, dispatch_uid="accounts.failed_sign_in")
        user_logged_out.connect(receivers.note_sign_out, dispatch_uid="accounts.sign_out")
        post_save.connect(receivers.note_admin_change, LogEntry, dispatch_uid="accounts.admin_change")
        for model in (self.get_model("User"), self.get_model("ApiKey"), Group):
            post_delete.connect(receivers.note_deletion, model, dispatch_uid="accounts.deletion")
        owner_needed.connect(make_owner, dispatch_uid="accounts.make_owner")

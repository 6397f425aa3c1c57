"""The people of a tenant: their accounts, API keys and invitations."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class AccountsConfig(AppConfig):
    """Listed in SHARED_APPS for the operators and in TENANT_APPS for the members of each tenant."""

    name = "apps.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    url_prefix = "accounts/"

    def ready(self) -> None:
        """Register the check; a sign-in that succeeds does not count against its limit."""
        from apps.accounts import checks  # noqa: F401
        from apps.accounts.access.limited_requests import forgive_sign_in

        user_logged_in.connect(forgive_sign_in, dispatch_uid="accounts.forgive_sign_in")

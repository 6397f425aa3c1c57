"""The people of a tenant: their accounts, API keys and invitations."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in

from tenants.signals import owner_needed


class AccountsConfig(AppConfig):
    """Listed in SHARED_APPS for the operators and in TENANT_APPS for the members of each tenant."""

    name = "apps.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    url_prefix = "accounts/"

    def ready(self) -> None:
        """Register the check; forgive an address its failures when it signs in; make new tenants' owners."""
        from apps.accounts import checks  # noqa: F401
        from apps.accounts.access.limited_requests import forgive_sign_in
        from apps.accounts.invitations import make_owner

        user_logged_in.connect(forgive_sign_in, dispatch_uid="accounts.forgive_sign_in")
        owner_needed.connect(make_owner, dispatch_uid="accounts.make_owner")

"""The people of a tenant: their accounts, API keys and invitations."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Listed in SHARED_APPS for the operators and in TENANT_APPS for the members of each tenant."""

    name = "apps.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

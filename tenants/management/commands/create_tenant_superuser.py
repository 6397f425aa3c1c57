"""manage.py create_tenant_superuser"""

from django_tenants.management.commands import create_tenant_superuser

from tenants.management.tenants import ProvisionedTenant


class Command(ProvisionedTenant, create_tenant_superuser.Command):
    """django-tenants' command, in a tenant that has a schema."""

    help = "Make a member of one tenant who may do everything there."

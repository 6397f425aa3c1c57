"""manage.py clone_tenant"""

from django_tenants.management.commands import clone_tenant

from tenants.management.refusing import RefusingCommand


class Command(RefusingCommand, clone_tenant.Command):
    """Refuses django-tenants' command."""

    help = (
        "A cloned schema would have no role, and the new tenant no owner. To copy a tenant: "
        "manage.py export_tenant SCHEMA --to FILE, then manage.py import_tenant FILE --subdomain=COPY"
    )

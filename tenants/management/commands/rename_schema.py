"""manage.py rename_schema"""

from django_tenants.management.commands import rename_schema

from tenants.management.refusing import RefusingCommand


class Command(RefusingCommand, rename_schema.Command):
    """Refuses django-tenants' command."""

    help = (
        "A tenant's schema keeps its name: the tenant's role, tasks, files and signatures are known by it. "
        "To give the tenant another address: manage.py rename_tenant SCHEMA SUBDOMAIN"
    )

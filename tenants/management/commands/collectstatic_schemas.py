"""manage.py collectstatic_schemas"""

from django_tenants.management.commands import collectstatic_schemas

from tenants.management.refusing import RefusingCommand


class Command(RefusingCommand, collectstatic_schemas.Command):
    """Refuses django-tenants' command."""

    help = "Static files are the same for all tenants. Collect them once: manage.py collectstatic --noinput"

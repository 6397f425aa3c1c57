"""manage.py create_missing_schemas"""

from django_tenants.management.commands import create_missing_schemas

from tenants.management.refusing import RefusingCommand


class Command(RefusingCommand, create_missing_schemas.Command):
    """Refuses django-tenants' command."""

    help = (
        "A schema alone makes no tenant: a role, an owner and a domain belong to it. manage.py db_worker "
        'provisions tenants that wait. After a failure choose "Provision again" in the operators\' admin. '
        "manage.py doctor names tenants whose schema is gone."
    )

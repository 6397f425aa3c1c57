"""manage.py tenant_roles"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.management.tenants import describe_broken
from tenants.models import Tenant
from tenants.postgresql.role_names import are_roles_used
from tenants.provisioning.roles import create_role, drop_roles, list_roles
from tenants.provisioning.schemas import list_schemas
from tenants.queue.guarding import guard_queue, is_queue_guarded


class Command(BaseCommand):
    """Compare the tenants' database roles with the registry, and mend them."""

    help = "List tenants without a role and roles without a tenant; --repair creates and drops them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the switch that changes something."""
        parser.add_argument("--repair", action="store_true", help="create, grant anew and drop")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what is missing or left over; with --repair mend it."""
        if not are_roles_used():
            raise CommandError("TENANT_ROLES is off: tenants have no roles.")
        provisioned, schemas = Tenant.objects.exclude(provisioned_at=None), list_schemas()
        for tenant in provisioned:
            if tenant.schema_name not in schemas:
                self.stderr.write(f"Passed over {describe_broken([tenant])[tenant.schema_name]}")
        tenants = {one.schema_name: one for one in provisioned if one.schema_name in schemas}
        roles = list_roles()
        for schema in sorted(missing := tenants.keys() - roles):
            self.stdout.write(f"{schema}: no role")
        for schema in sorted(left_over := roles - tenants.keys()):
            self.stdout.write(f"{schema}: a role without a tenant")
        if not options["repair"] and (missing or left_over):
            self.stdout.write("This mends it: manage.py tenant_roles --repair")
        elif not options["repair"]:
            self.stdout.write(self.style.SUCCESS(f"{len(tenants)} tenants, each with its role."))
        else:
            if not is_queue_guarded():  # to guard it waits for everybody who is at the queue
                guard_queue()
            for tenant in tenants.values():
                create_role(tenant)
            drop_roles(left_over)
            self.stdout.write(self.style.SUCCESS(f"{len(tenants)} roles are as they should be."))

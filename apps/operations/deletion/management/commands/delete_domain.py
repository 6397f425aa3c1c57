"""manage.py delete_domain"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.management.tenants import find_tenant


class Command(BaseCommand):
    """Take a domain from a tenant; in place of django-tenants' command, which takes even the last one."""

    help = "Take a domain from a tenant, but not its primary one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whose and which; the names are django-tenants'."""
        parser.add_argument("-s", "--schema", required=True, help="the schema of the tenant")
        parser.add_argument("-d", "--domain-domain", required=True, metavar="HOST", help="without a port")
        parser.add_argument("--noinput", "--no-input", action="store_true", help="nothing is asked anyway")

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete it. Raises CommandError if the tenant does not have it, or it is primary."""
        tenant, host = find_tenant(options["schema"]), options["domain_domain"]
        domain = tenant.domains.filter(domain=host).first()
        if domain is None:
            hosts = ", ".join(tenant.domains.values_list("domain", flat=True))
            raise CommandError(f"{tenant.name} does not have the domain {host!r}. It has: {hosts or 'none'}.")
        if domain.is_primary:
            other = f"manage.py create_domain --schema={tenant.schema_name} --domain-domain=HOST"
            raise CommandError(
                f"{host!r} is the primary domain of {tenant.name}. Make another one primary first: "
                f"{other} --domain-is_primary"
            )
        domain.delete()
        self.stdout.write(self.style.SUCCESS(f"{host} is no longer a domain of {tenant.name}."))

"""manage.py create_domain"""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.management.tenants import find_tenant
from tenants.models import Domain, get_address


class Command(BaseCommand):
    """Give a tenant a further domain; in place of django-tenants' command, which checks nothing."""

    help = "Give a tenant a further domain, under which its site is served or from which it redirects."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whose, which and what for; the names are django-tenants'."""
        parser.add_argument("-s", "--schema", required=True, help="the schema of the tenant")
        parser.add_argument("-d", "--domain-domain", required=True, metavar="HOST", help="without a port")
        use = parser.add_mutually_exclusive_group()
        use.add_argument("--domain-is_primary", action="store_true", help="redirects lead to it from now on")
        use.add_argument("--domain-redirects", action="store_true", help="it leads to the primary domain")
        parser.add_argument("--noinput", "--no-input", action="store_true", help="nothing is asked anyway")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create it. Raises CommandError for a host that is malformed or taken."""
        domain = Domain(
            tenant=find_tenant(options["schema"]),
            domain=options["domain_domain"],
            is_primary=options["domain_is_primary"],
            redirects=options["domain_redirects"],
        )
        try:
            domain.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        domain.save()
        does = "redirects" if domain.redirects else f"leads to {domain.tenant.name}"
        self.stdout.write(self.style.SUCCESS(f"{get_address(domain.domain)}/ {does}"))

"""manage.py create_tenant"""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import ProgrammingError

from tenants.management.plain_errors import NO_REGISTRY, is_registry_missing
from tenants.models import SEARCH_LANGUAGES
from tenants.provisioning.life_cycle import ProvisioningError, provision, register_tenant


class Command(BaseCommand):
    """Register a tenant and provision it at once."""

    help = "Create a tenant: its schema, its domain and its first user. Prints the address."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the values that the form in the operators' admin asks for, too."""
        parser.add_argument("--name", required=True)
        parser.add_argument("--subdomain", required=True, help="the first label of the tenant's host")
        parser.add_argument("--owner-email", required=True, help="the first user; is sent an invitation")
        parser.add_argument("--space", default="default", help="an alias of settings.EMBEDDINGS")
        parser.add_argument(
            "--search-language",
            default="english",
            choices=SEARCH_LANGUAGES,
            metavar="LANGUAGE",
            help=f"whose word forms are matched; one of {', '.join(SEARCH_LANGUAGES)} (default: english)",
        )
        parser.add_argument("--public-search", action="store_true", help="anyone may search and read")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create it; bad values end in a CommandError that names them all."""
        try:
            tenant = register_tenant(
                name=options["name"],
                subdomain=options["subdomain"],
                owner_email=options["owner_email"],
                space=options["space"],
                search_language=options["search_language"],
                search_is_public=options["public_search"],
            )
            link = provision(tenant)
        except ValidationError as error:
            faults = error.message_dict.items()
            lines = [f"--{field.replace('_', '-')}: {' '.join(messages)}" for field, messages in faults]
            raise CommandError("\n".join(lines)) from error
        except ProvisioningError as error:
            raise CommandError(str(error)) from error
        except ProgrammingError as error:
            if is_registry_missing(error):
                raise CommandError(NO_REGISTRY) from error
            raise
        self.stdout.write(self.style.SUCCESS(f"{tenant.name} is at {tenant.url}"))
        self.stdout.write(f"{tenant.owner_email} sets a password at {link}")

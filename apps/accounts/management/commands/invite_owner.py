"""manage.py invite_owner"""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.invitations import invite_owner
from tenants.management.tenants import add_schema_arguments, each_tenant


class Command(BaseCommand):
    """Invite the owner of a tenant once more."""

    help = "Send a tenant's owner a new link to set the first password, and print it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whose owner, and how the link gets there."""
        add_schema_arguments(parser, allow_all=False)
        parser.add_argument("--email", default="", help="another address, which becomes the owner's")
        parser.add_argument("--no-mail", action="store_true", help="only print the link")

    def handle(self, *args: Any, **options: Any) -> None:
        """Invite; what keeps it from being sent ends in a CommandError."""
        for tenant in each_tenant(options):
            try:
                link = invite_owner(tenant, options["email"], by_mail=not options["no_mail"])
            except OSError as error:
                raise CommandError(f"The mail could not be sent: {error}. Try --no-mail.") from error
            except ValidationError as error:
                raise CommandError(f"--email: {' '.join(error.messages)}") from error
            except ValueError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{tenant.owner_email} sets a password at {link}")

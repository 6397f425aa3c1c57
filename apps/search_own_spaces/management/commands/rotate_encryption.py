"""manage.py rotate_encryption"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.search_own_spaces.encryption import UndecryptableError
from apps.search_own_spaces.models import OwnSpace
from tenants.management.tenants import add_schema_arguments, work_in_each


class Command(BaseCommand):
    """Encrypt again, after which keys but the first may leave the settings. Running twice is harmless."""

    help = "Encrypt the keys of the tenants' own spaces with the first of ENCRYPTION_KEYS, else SECRET_KEY."

    def add_arguments(self, parser: CommandParser) -> None:
        add_schema_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Go through the tenants; raises CommandError at the end if some keys could not be read."""
        unreadable: list[str] = []

        def rotate(tenant: Any) -> None:
            spaces = list(OwnSpace.objects.exclude(encrypted_key=""))
            faults = [space.alias for space in spaces if not self._renew(space)]
            names = f"; cannot be read: {', '.join(faults)}" if faults else ""
            self.stdout.write(
                f"{tenant.schema_name}: {len(spaces) - len(faults)} keys encrypted again{names}"
            )
            unreadable.extend(faults)

        failures = work_in_each(options, rotate)
        if unreadable:
            failures.append(
                f"{len(unreadable)} keys cannot be read: keep the former secrets, or give them again."
            )
        if failures:
            raise CommandError("\n".join(failures))

    def _renew(self, space: OwnSpace) -> bool:
        # Only as it was read: a key that is given anew meanwhile is encrypted as it should be.
        unchanged = OwnSpace.objects.filter(pk=space.pk, encrypted_key=space.encrypted_key)
        try:
            space.renew_encryption()
        except UndecryptableError:
            return False
        unchanged.update(encrypted_key=space.encrypted_key)
        return True

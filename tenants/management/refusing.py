"""What the commands have in common that refuse one of django-tenants'."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class RefusingCommand(BaseCommand):
    """Refuses to run; `help` says why, and which command to use instead."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise CommandError."""
        raise CommandError(self.help)

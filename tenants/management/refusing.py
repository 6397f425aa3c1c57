"""What the commands have in common that refuse one of django-tenants'."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

ANSWERED = {"-h", "--help", "--version", "--traceback"}


class RefusingCommand(BaseCommand):
    """Refuses to run; `help` says why, and which command to use instead."""

    def run_from_argv(self, argv: list[str]) -> None:
        """Refuse whatever is asked for, with arguments that the command never had, too."""
        super().run_from_argv([*argv[:2], *(word for word in argv[2:] if word in ANSWERED)])

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise CommandError."""
        raise CommandError(self.help)

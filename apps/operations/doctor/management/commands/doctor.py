"""manage.py doctor"""

import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django_tenants.utils import get_public_schema_name, schema_context

from apps.operations.doctor.examining import Outcome, examine, mend
from apps.operations.doctor.finding import Finding, Level

ORDER = list(Level)
NOT_TRIED = Outcome(False, "")


class Command(BaseCommand):
    """Say what is wrong with the installation, and what mends it."""

    help = (
        "Examine the database, the tenants, their roles, indexes and tasks. Each finding comes with its fix. "
        "Ends with exit code 1 when there are errors."
    )
    requires_system_checks: list[str] = []  # a failing one would end the command just when it is needed

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what to examine, and what to do with the findings."""
        parser.add_argument("--schema", help="one tenant only, and nothing that all share")
        parser.add_argument("--fix", action="store_true", help="mend what loses nothing")
        parser.add_argument("--strict", action="store_true", help="exit code 1 for warnings, too")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine, mend if asked to, and print. Raises CommandError when faults remain."""
        try:
            with schema_context(get_public_schema_name()):
                findings = examine(options["schema"])
                outcomes = mend(findings) if options["fix"] else {}
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error}") from error
        left = Counter(
            finding.level for finding in findings if not outcomes.get(finding, NOT_TRIED).is_mended
        )
        show = self._show_json if options["json"] else self._show
        show(findings, outcomes, left)
        counts = f"{left[Level.ERROR]} errors, {left[Level.WARNING]} warnings."
        if left[Level.ERROR] or (options["strict"] and left[Level.WARNING]):
            raise CommandError(counts)
        if left[Level.WARNING] and not options["json"]:
            self.stdout.write(counts)

    def _show_json(
        self, findings: list[Finding], outcomes: dict[Finding, Outcome], left: Counter[Level]
    ) -> None:
        rows = [
            {
                "level": finding.level,
                "subject": finding.subject,
                "message": finding.message,
                "fix": finding.fix,
                "can_be_mended": finding.mend is not None,
                "mended": outcomes.get(finding, NOT_TRIED).is_mended,
                "remark": outcomes.get(finding, NOT_TRIED).remark,
            }
            for finding in findings
        ]
        self.stdout.write(json.dumps({"findings": rows, "left": {level: left[level] for level in Level}}))

    def _show(self, findings: list[Finding], outcomes: dict[Finding, Outcome], left: Counter[Level]) -> None:
        groups: dict[str, list[Finding]] = {}
        for finding in sorted(findings, key=lambda one: ORDER.index(one.level)):
            groups.setdefault(finding.subject, []).append(finding)
        for subject, group in groups.items():  # the worst first
            self.stdout.write(subject)
            for finding in group:
                self._show_one(finding, outcomes.get(finding, NOT_TRIED))
        if not (left[Level.ERROR] or left[Level.WARNING]):
            self.stdout.write(self.style.SUCCESS("All is healthy."))
        elif any(finding.mend and finding not in outcomes for finding in findings):
            self.stdout.write("This mends what is marked with a star: manage.py doctor --fix")

    def _show_one(self, finding: Finding, outcome: Outcome) -> None:
        style = {Level.ERROR: self.style.ERROR, Level.WARNING: self.style.WARNING}.get(finding.level, str)
        star = " *" if finding.mend else ""
        self.stdout.write(f"  {style(finding.level)}{star}: {finding.message}")
        if outcome.is_mended:
            remark = f"; {outcome.remark}" if outcome.remark else ""
            self.stdout.write(self.style.SUCCESS(f"    mended{remark}"))
            return
        if finding.fix:
            self.stdout.write(f"    fix: {finding.fix}")
        if outcome.remark:
            self.stdout.write(f"    not mended: {outcome.remark}")

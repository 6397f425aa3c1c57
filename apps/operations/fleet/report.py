"""What the operator sees: a bar on a terminal, lines elsewhere, and a summary at the end."""

import sys
from collections import Counter
from typing import Any

from django.core.management.commands.migrate import Command as MigrateCommand
from tqdm import tqdm

from apps.operations.fleet.files import Plan
from apps.operations.fleet.survey import Survey
from apps.operations.fleet.tenant import Result

NAMES = 10  # how many tenants are named in one line


class Report:
    """Writes to the command's streams; nothing but failures at verbosity 0.

    Args:
        command: the management command, for its streams and its style.
        total: how many tenants are to be migrated.
        verbosity: 0 to 3; from 2 on with the output of each tenant's migrations.
        with_traceback: whether failures are shown in full, and so with what the tenant's data say.

    """

    def __init__(self, command: Any, total: int, *, verbosity: int, with_traceback: bool) -> None:
        self._command, self._total, self._count = command, total, 0
        self._verbosity, self._with_traceback = verbosity, with_traceback
        # disable=None: no bar where nobody looks at it. The lines are for there.
        self._bar = tqdm(
            total=total, desc="migrating", unit=" tenants", disable=None if verbosity and total else True
        )

    def finished(self, result: Result) -> None:
        """Write the result of one tenant."""
        self._count += 1
        self._bar.update()
        if self._verbosity > 1 and result.output:
            self._say(result.output.rstrip())
        if result.failure:
            self._complain(f"{self._place(result)} FAILED: {result.failure}{_count_attempts(result)}")
            if self._with_traceback:
                self._complain(result.traceback)
        elif self._bar.disable:
            self._say(f"{self._place(result)} migrated in {result.seconds:.2f} s{_count_attempts(result)}")

    def stopping(self, running: list[str]) -> None:
        """Say what is waited for."""
        self._complain(f"Stopping. Waiting for {_name(running)}." if running else "Stopping.")

    def close(self) -> None:
        """Remove the bar's hold on the terminal."""
        self._bar.close()

    def _place(self, result: Result) -> str:
        return f"[{self._count}/{self._total}] {result.schema}:"

    def _say(self, line: str) -> None:
        if self._verbosity:
            with tqdm.external_write_mode(file=sys.stdout):
                self._command.stdout.write(line)

    def _complain(self, line: str) -> None:
        with tqdm.external_write_mode(file=sys.stderr):
            self._command.stderr.write(line)


def describe_plan(survey: Survey) -> list[str]:
    """Return the lines of --plan: each different plan once, with its tenants and its operations."""
    if not survey.lagging:
        return describe_lag(survey)
    tenants: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    plans: dict[tuple[tuple[str, bool], ...], Plan] = {}
    for schema, plan in survey.lagging.items():
        key = tuple((str(migration), is_backwards) for migration, is_backwards in plan)
        tenants.setdefault(key, []).append(schema)
        plans[key] = plan
    lines = []
    for key, schemas in tenants.items():
        lines.append(f"Planned operations in {len(schemas)} of {survey.size} tenants: {_name(schemas)}")
        lines.extend(_describe_operations(plans[key]))
    return lines


def describe_lag(survey: Survey) -> list[str]:
    """Return which tenants lag, in one line."""
    if not survey.lagging:
        return [f"No tenant lags; {survey.size} looked at."]
    return [f"{len(survey.lagging)} of {survey.size} tenants lag: {_name(list(survey.lagging))}"]


def describe_passed_over(survey: Survey) -> list[str]:
    """Return which tenants are passed over, a line for each reason."""
    reasons = Counter(survey.passed_over.values())
    return [
        f"Passed over, because {reason}: "
        + _name([schema for schema, other in survey.passed_over.items() if other == reason])
        for reason in reasons
    ]


def summarize(results: list[Result], left: list[str], why_left: str) -> list[str]:
    """Return the lines at the end: how many, which failed and why, and which were not begun and why."""
    failures = [result for result in results if result.failure]
    lines = [f"{len(results) - len(failures)} migrated, {len(failures)} failed, {len(left)} not begun."]
    lines += [
        f"  {result.schema}: {result.failure}" for result in sorted(failures, key=lambda one: one.schema)
    ]
    if left:
        lines.append(f"Not begun, because {why_left}: {_name(left)}")
    if failures or left:
        lines.append("Run it again for what is left; --schema=NAME --traceback shows one failure in full.")
    return lines


def _describe_operations(plan: Plan) -> list[str]:
    if not plan:
        return ["  No operations; squashed migrations are recorded, or all tenants are visited as asked."]
    lines = []
    for migration, is_backwards in plan:
        lines.append(f"  {'Unapply ' if is_backwards else ''}{migration}")
        for operation in migration.operations:
            lines.append(f"    {MigrateCommand.describe_operation(operation, is_backwards)[0]}")
    return lines


def _count_attempts(result: Result) -> str:
    return f" (attempt {result.attempts})" if result.attempts > 1 else ""


def _name(schemas: list[str]) -> str:
    more = len(schemas) - NAMES
    return ", ".join(schemas[:NAMES]) + (f" and {more} more" if more > 0 else "")

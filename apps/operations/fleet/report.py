"""Shows the operator a bar on a terminal, lines elsewhere, and a summary at the end."""

import sys
from typing import Any

from django.core.management.commands.migrate import Command as MigrateCommand
from tqdm import tqdm

from apps.operations.fleet.files import Plan
from apps.operations.fleet.migrator import Result
from apps.operations.fleet.survey import Survey

NAMES = 10  # how many tenants are named in one line


class Report:
    """Writes to the command's streams; at verbosity 0 only failures.

    From verbosity 2 on, the output of each tenant's migrations is shown. `with_traceback` shows failures in
    full, which may quote the tenant's data.
    """

    def __init__(self, command: Any, total: int, *, verbosity: int, with_traceback: bool) -> None:
        self._command, self._total, self._count = command, total, 0
        self._verbosity, self._with_traceback = verbosity, with_traceback
        # disable=None: a bar only on a terminal; elsewhere there are lines.
        self._bar = tqdm(
            total=total, desc="migrating", unit=" tenants", disable=None if verbosity and total else True
        )

    def finished(self, result: Result) -> None:
        """Write the result of one tenant."""
        self._count += 1
        self._bar.update()
        if self._verbosity > 1 and result.output:
            self._say(result.output.rstrip())
        place = f"[{self._count}/{self._total}] {result.schema}:"
        attempts = f" (attempt {result.attempts})" if result.attempts > 1 else ""
        if result.failure:
            self._complain(f"{place} FAILED: {result.failure}{attempts}")
            if self._with_traceback:
                self._complain(result.traceback)
        elif self._bar.disable:
            self._say(f"{place} migrated in {result.seconds:.2f} s{attempts}")

    def stopping(self, running: list[str]) -> None:
        """Say which tenants are still at work."""
        self._complain(f"Stopping. Waiting for {_name(running)}." if running else "Stopping.")

    def close(self) -> None:
        """Remove the bar's hold on the terminal."""
        self._bar.close()

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
    groups: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    for schema, plan in survey.lagging.items():
        key = tuple((str(migration), is_backwards) for migration, is_backwards in plan)
        groups.setdefault(key, []).append(schema)
    lines = []
    for schemas in groups.values():
        lines.append(f"Planned operations in {len(schemas)} of {survey.size} tenants: {_name(schemas)}")
        lines.extend(_describe_operations(survey.lagging[schemas[0]]))
    return lines


def describe_lag(survey: Survey) -> list[str]:
    """Return which tenants lag, in one line."""
    if not survey.lagging:
        return [f"No tenant lags; {survey.size} looked at."]
    return [f"{len(survey.lagging)} of {survey.size} tenants lag: {_name(list(survey.lagging))}"]


def describe_passed_over(survey: Survey) -> list[str]:
    """Return which tenants are passed over, a line for each reason."""
    reasons: dict[str, list[str]] = {}
    for schema, reason in survey.passed_over.items():
        reasons.setdefault(reason, []).append(schema)
    return [f"Passed over, because {reason}: {_name(schemas)}" for reason, schemas in reasons.items()]


def summarize(results: list[Result], left: list[str], why_left: str) -> list[str]:
    """Return the last lines: how many, which failed and why, which were not begun and why."""
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


def _name(schemas: list[str]) -> str:
    more = len(schemas) - NAMES
    return ", ".join(schemas[:NAMES]) + (f" and {more} more" if more > 0 else "")

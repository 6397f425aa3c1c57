"""manage.py migrate_schemas"""

import os
import sys
import threading
import time
from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, OperationalError, ProgrammingError, connections
from django_tenants.management.commands import migrate_schemas as stock
from django_tenants.migration_executors.base import run_migrations
from django_tenants.utils import get_public_schema_name, has_multi_type_tenants
from psycopg.errors import InsufficientPrivilege

from apps.operations.fleet.failures import is_transient
from apps.operations.fleet.files import MigrationFiles, Planner, Sharing
from apps.operations.fleet.locks import BusyError, hold_fleet, hold_tenant
from apps.operations.fleet.migrator import TenantMigrator, get_pause, prepared
from apps.operations.fleet.parallel import FleetRun, stop_on_signals
from apps.operations.fleet.report import Report, describe_lag, describe_passed_over, describe_plan, summarize
from apps.operations.fleet.survey import Survey, survey_fleet
from tenants.locks import Lock
from tenants.management.executors import check_options
from tenants.management.numbers import number_within
from tenants.management.plain_errors import INTERRUPTED, NO_DATABASE
from tenants.management.tenants import find_next_step
from tenants.postgresql.pool import without_pool

BUDGET_SHARE, LEAST_BUDGET = 0.1, 3
MOST_THREADS = 4
HOW_TO_EXTEND = (
    "In this database a superuser has to run: CREATE EXTENSION vector SCHEMA public; then migrate again. "
    "docs/how-to/production.md, The database, has all of it."
)


class Command(stock.MigrateSchemasCommand):
    """Migrate `public`, then the tenants that lag, several at a time.

    With --executor, or EXECUTOR in the environment, all goes through django-tenants' own executors.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        for action in parser._actions:
            if action.dest == "parallel":
                action.type = number_within(int, 1)
                action.help = (
                    f"how many tenants at a time (default: {MOST_THREADS}, or the number of processors)"
                )
        add = parser.add_argument
        add("--canary", metavar="SCHEMA", help="the tenant that goes first (default: the first one by name)")
        add(
            "--lock-timeout",
            type=_milliseconds,
            default=5000,
            metavar="SECONDS",
            help="how long to wait for a busy table; 0 is for ever (default: 5)",
        )
        add(
            "--retries",
            type=number_within(int, 0),
            default=3,
            metavar="N",
            help="after a lock time-out (default: 3)",
        )
        add(
            "--max-failures",
            type=number_within(int, 1),
            metavar="N",
            help="begin no more tenants once N failed (default: a tenth of the fleet, at least 3)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate. Raises CommandError with the failures, and SystemExit(1) for --check."""
        self.options = options
        try:
            check_options(options)
            self._connection.ensure_connection()
        except OperationalError as error:
            raise CommandError(NO_DATABASE.format(error=error)) from error
        try:
            with without_pool():
                self._migrate(*args)
        except BusyError as error:
            raise CommandError(str(error)) from error
        except ProgrammingError as error:
            if isinstance(error.__cause__, InsufficientPrivilege) and 'extension "vector"' in str(error):
                raise CommandError(f"{error}\n{HOW_TO_EXTEND}") from error
            raise

    def _migrate(self, *args: Any) -> None:
        schema = self.options["schema_name"]
        if self.options["executor"] or os.environ.get("EXECUTOR") or has_multi_type_tenants():
            super().handle(*args, **self.options)
        elif schema and schema != get_public_schema_name():
            if self.options["canary"] is not None:
                raise CommandError("--canary goes without --schema: of one tenant, none goes first.")
            self._migrate_one(schema, *args)
        else:
            with nullcontext() if self._only_looks else hold_fleet(self._connection):
                self._migrate_all(*args)

    @property
    def _connection(self) -> Any:
        return connections[self.options["database"]]

    @property
    def _only_looks(self) -> bool:
        return self.options["plan"] or self.options["check_unapplied"]

    def _migrate_one(self, schema: str, *args: Any) -> None:
        shared = Sharing(MigrationFiles(), self.options["lock_timeout"])
        session = self._connection.copy()  # for the lock: migrating closes the connection
        try:
            with hold_tenant(session, schema, Lock.MIGRATION):
                for attempt in range(1, self.options["retries"] + 2):
                    try:
                        with prepared(self._connection, shared):
                            super().handle(*args, **self.options)
                        return
                    except DatabaseError as error:
                        is_last = attempt > self.options["retries"]
                        if is_last or self._connection.in_atomic_block or not is_transient(error):
                            raise
                    time.sleep(get_pause(attempt))
        finally:
            session.close()

    def _migrate_all(self, *args: Any) -> None:
        options = self.options
        schema = options["schema_name"]
        if options["shared"] or schema or not options["tenant"]:
            if schema and options["shared"]:
                raise CommandError("--schema goes with --tenant only, not with --shared.")
            run_migrations(args, options, "standard", get_public_schema_name())
        if not schema and (options["tenant"] or not options["shared"]):
            self._migrate_tenants()

    def _migrate_tenants(self) -> None:
        options, files = self.options, MigrationFiles()
        planner = Planner(files, options["app_label"], options["migration_name"])
        visit_all = options["prune"] or options["run_syncdb"]
        self._connection.set_schema_to_public()
        survey = survey_fleet(self._connection, planner, visit_all=visit_all)
        canary = options["canary"]
        if canary is not None and canary not in {*survey.lagging, *survey.current}:
            raise CommandError(
                f"--canary: {canary!r} is the schema of no tenant that can be migrated. "
                f"{find_next_step(canary)}"
            )
        self._say(describe_passed_over(survey))
        if self._only_looks:
            self._say(describe_plan(survey) if options["plan"] else describe_lag(survey))
            if options["check_unapplied"] and survey.lagging:
                sys.exit(1)
        elif survey.lagging:
            self._run(survey, files)
        else:
            self._say(describe_lag(survey))

    def _run(self, survey: Survey, files: MigrationFiles) -> None:
        options, in_transaction = self.options, self._connection.in_atomic_block
        canary = self._choose_canary(survey)
        stopping = threading.Event()
        # Without the command's own streams: each tenant's output is collected. Checks have run already.
        kept = {name: value for name, value in options.items() if name not in ("stdout", "stderr")}
        migrator = TenantMigrator(
            kept | {"skip_checks": True, "no_color": True, "force_color": False},
            files,
            lock_timeout=options["lock_timeout"],
            retries=options["retries"],
            stopping=stopping,
            in_transaction=in_transaction,
        )
        report = Report(
            self, len(survey.lagging), verbosity=options["verbosity"], with_traceback=options["traceback"]
        )
        run = FleetRun(
            migrator,
            report,
            # Other sessions see nothing of what this transaction did: then all is done in it.
            parallel=0 if in_transaction else options["parallel"] or min(MOST_THREADS, os.cpu_count() or 1),
            max_failures=options["max_failures"] or max(LEAST_BUDGET, int(survey.size * BUDGET_SHARE)),
            stopping=stopping,
        )
        rest = [schema for schema in survey.lagging if schema != canary]
        with stop_on_signals(stopping):
            run.migrate([canary])
            if run.failures:
                run.waiting.extend(rest)
            else:
                run.migrate(rest)
        report.close()
        self._conclude(run, canary)

    def _choose_canary(self, survey: Survey) -> str:
        canary = self.options["canary"]
        if canary in survey.lagging:
            return str(canary)
        first = next(iter(survey.lagging))
        if canary is not None:
            self._say([f"The canary {canary} lags no longer; {first} goes first."])
        return first

    def _conclude(self, run: FleetRun, canary: str) -> None:
        if run.stopping.is_set():
            why_left = "the run was stopped"
        elif run.results[0].failure:
            why_left = f"the canary {canary} failed"
        else:
            why_left = f"{len(run.failures)} failed (--max-failures)"
        lines = summarize(run.results, list(run.waiting), why_left)
        if run.failures or run.waiting:
            raise CommandError("\n".join(lines), returncode=INTERRUPTED if run.stopping.is_set() else 1)
        self._say(lines)

    def _say(self, lines: list[str]) -> None:
        if self.options["verbosity"]:
            for line in lines:
                self.stdout.write(line)


def _milliseconds(text: str) -> int:
    return round(number_within(float, 0, 86_400, unit="seconds")(text) * 1000)

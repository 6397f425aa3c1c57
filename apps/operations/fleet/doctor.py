"""What `manage.py doctor` finds of tenants that wait to be migrated."""

from collections.abc import Iterator

from apps.operations.doctor.finding import Finding, Level, Scope, name_some
from apps.operations.fleet.files import MigrationFiles, Planner
from apps.operations.fleet.survey import survey_fleet
from tenants.context import connection


def check_lag(scope: Scope) -> Iterator[Finding]:
    """Yield which tenants lag behind the migration files."""
    survey = survey_fleet(connection, Planner(MigrationFiles()))
    if lagging := sorted(survey.lagging.keys() & scope.schemas):
        message = f"{len(lagging)} of {len(scope.tenants)} tenants lag: {name_some(lagging)}"
        option = f" --schema={lagging[0]}" if len(lagging) == 1 else ""
        yield Finding(Level.ERROR, "migrations", message, f"manage.py migrate_schemas{option}")


CHECKS = [check_lag]

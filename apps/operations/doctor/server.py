"""Reports what the system checks say of the engine, the server and pgvector."""

from collections.abc import Iterator
from dataclasses import replace

from apps.operations.doctor.finding import Finding, Scope, from_checks
from tenants.checks import check_engine, check_server
from tenants.context import connection

MOVE = "ALTER EXTENSION vector SET SCHEMA public"


def check(scope: Scope) -> Iterator[Finding]:
    """Yield tenants.E001 to E005; an extension in the wrong schema can be moved."""
    if not scope.is_whole:
        return
    for finding in from_checks("database", [*check_engine(), *check_server(databases=["default"])]):
        yield replace(finding, mend=_move_extension) if MOVE in finding.fix else finding


def _move_extension() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MOVE)

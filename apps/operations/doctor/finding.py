"""What a check of the doctor takes and yields. An app's `doctor.py` imports nothing else of the doctor."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from django.core.checks import CheckMessage
from psycopg import sql

from tenants.models import Tenant

PATIENCE = timedelta(minutes=15)  # for what a worker or a command is doing with a tenant
NAMES = 10  # how many schemas are named in one line


class Level(StrEnum):
    """An error breaks something, a warning will or is slow, info is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One fault and its cure.

    `subject` is a tenant's schema or another topic; findings are shown by subject. `message` is one line of
    names and counts. It never quotes what a tenant wrote, since operators read it. `fix` is a command or SQL.
    `mend` does it, where that loses nothing and may be done twice; several findings may share one. It may
    return a text that says what is still to come.
    """

    level: Level
    subject: str
    message: str
    fix: str
    mend: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What to examine: these tenants and, if `is_whole`, all that they share.

    Rows whose schema's name no tenant can have are apart: nothing can be done in them.
    """

    tenants: list[Tenant]
    is_whole: bool
    misnamed: list[Tenant] = field(default_factory=list)

    @property
    def schemas(self) -> set[str]:
        """The schemas of the tenants."""
        return {tenant.schema_name for tenant in self.tenants}

    @property
    def provisioned(self) -> list[Tenant]:
        """The tenants that should have a schema."""
        return [tenant for tenant in self.tenants if tenant.state not in Tenant.UNPROVISIONED]


def from_checks(subject: str, messages: Iterable[CheckMessage]) -> Iterable[Finding]:
    """Turn messages of Django's system checks into findings."""
    for message in messages:
        level = Level.ERROR if message.is_serious() else Level.WARNING
        yield Finding(
            level, subject, f"{message.msg} ({message.id})", (message.hint or "").removeprefix("Run: ")
        )


def name_some(schemas: Iterable[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    names = sorted(schemas)
    more = len(names) - NAMES
    return ", ".join(names[:NAMES]) + (f" and {more} more" if more > 0 else "")


def write_sql(statement: str, **parts: str | sql.Composable) -> str:
    """Return the statement with its parts filled in: texts as quoted names, all else as it is."""
    composed = {name: sql.Identifier(part) if isinstance(part, str) else part for name, part in parts.items()}
    return sql.SQL(statement).format(**composed).as_string()

"""What a check of the doctor's takes and yields."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.core.checks import CheckMessage
from psycopg import sql

from tenants.models import Tenant

PATIENCE = timedelta(minutes=15)  # for what a worker or a command is doing with a tenant
NAMES = 10  # how many schemas are named in one line


class Level(StrEnum):
    """How bad it is: an error breaks something, a warning will or is slow, info is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One fault and its cure.

    `subject` is a tenant's schema or what else it is about; findings are shown together by it. `message` is
    one line of names and counts and never what a tenant wrote, for operators read it. `fix` is a command or
    SQL. `mend` does it, where that loses nothing and may be done twice; findings may share one. The text
    that it may return says what is still to come.
    """

    level: Level
    subject: str
    message: str
    fix: str
    mend: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be examined: these tenants and, if `is_whole`, all that they share."""

    tenants: list[Tenant]
    is_whole: bool

    @property
    def schemas(self) -> set[str]:
        """The schemas of the tenants."""
        return {tenant.schema_name for tenant in self.tenants}

    @property
    def provisioned(self) -> list[Tenant]:
        """The tenants that should have a schema."""
        return [tenant for tenant in self.tenants if tenant.state not in Tenant.UNPROVISIONED]


def from_checks(subject: str, messages: Iterable[CheckMessage]) -> Iterable[Finding]:
    """Turn what Django's system checks say into findings."""
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
    """Return the statement with its parts as quoted names, or as what they are composed of."""
    composed = {name: sql.Identifier(part) if isinstance(part, str) else part for name, part in parts.items()}
    return sql.SQL(statement).format(**composed).as_string()

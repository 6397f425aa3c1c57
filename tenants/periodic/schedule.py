"""What runs from time to time. An app names its periodic tasks in a module `schedules.py`:

    def clear_sessions() -> None:
        '''Delete the sessions that have expired.'''

    SCHEDULES = [Schedule(clear_sessions, every=timedelta(days=1), where=Where.EVERYWHERE)]

The function is called with nothing, in a worker: once for `public`, or once for each active tenant, with it
bound, or both. It may run twice and must be short: what takes long is a task of its own, which it writes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Flag, auto
from typing import Any

from tenants.discovery import ExtensionPoint, list_attribute
from tenants.queue.not_here import NotHereError

SHORTEST = timedelta(minutes=5)


class Where(Flag):
    """For whom a schedule runs."""

    PUBLIC = auto()
    TENANTS = auto()
    EVERYWHERE = PUBLIC | TENANTS


@dataclass(frozen=True)
class Schedule:
    """A function, the time from one run to the next, and for whom it runs.

    Raises ValueError for a time below five minutes: a thousand tenants would keep the workers busy.
    """

    work: Callable[[], Any]
    every: timedelta
    where: Where = Where.TENANTS

    def __post_init__(self) -> None:
        if self.every < SHORTEST:
            raise ValueError(f"every: {self.every} is too short for {self.name}; {SHORTEST} is the least.")

    @property
    def name(self) -> str:
        """The dotted path of the function, by which the database knows the schedule."""
        return f"{self.work.__module__}.{self.work.__qualname__}"


class UnknownScheduleError(NotHereError):
    """No installed app has this schedule; a newer worker may know it."""


POINT = ExtensionPoint(
    "schedules",
    list_attribute("SCHEDULES", "Schedule objects", lambda value: isinstance(value, Schedule)),
)


def list_schedules() -> dict[str, Schedule]:
    """Return the schedules of all installed apps, by name."""
    found = [schedule for _, module in POINT.load() for schedule in module.SCHEDULES]
    return {schedule.name: schedule for schedule in found}


def get_schedule(name: str) -> Schedule:
    """Return the schedule of that name. Raises UnknownScheduleError."""
    try:
        return list_schedules()[name]
    except KeyError as error:
        raise UnknownScheduleError(f"No installed app has a periodic task {name!r}.") from error

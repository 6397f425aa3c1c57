"""Writes the tasks of schedules that are due. All workers ask, and one of them finds a schedule due.

The database has one row for each schedule, with the time when it is due next, by the clock of PostgreSQL.
Moving that time on and writing the tasks is one transaction, so a run is neither lost nor made twice. Tenants
come in slices: a task for each, spread over half of the time until the next run.
"""

from datetime import datetime
from itertools import batched
from zlib import crc32

from django.db import transaction

from tenants.conf import conf
from tenants.context import connection
from tenants.periodic.schedule import Schedule, Where, list_schedules
from tenants.periodic.tasks import list_active, run_in_public, run_in_tenants
from tenants.queue.rows import UNDONE, find_rows

SLICE = 50  # tenants that one task serves
SHARES = 1000

# New schedules begin at different times of their first period, not all when a worker starts.
ADD = """
    INSERT INTO tenants_scheduledrun (name, due_at)
    SELECT name, now() + every * share
    FROM unnest(%s::text[], %s::interval[], %s::float[]) AS known (name, every, share)
    ON CONFLICT DO NOTHING
"""
# However many runs were missed, there is one. A time that is too far away comes of a clock that was wrong.
BEGIN = """
    UPDATE tenants_scheduledrun AS run
    SET began_at = now(), due_at = date_bin(known.every, now(), run.due_at) + known.every
    FROM unnest(%s::text[], %s::interval[]) AS known (name, every)
    WHERE run.name = known.name AND (run.due_at <= now() OR run.due_at > now() + known.every)
    RETURNING run.name, now()
"""


def write_due_tasks() -> int:
    """Write the tasks of all schedules that are due; return how many tasks that are.

    A schedule is passed over while tasks of its last run are still to be done.
    """
    schedules = list_schedules() if conf.SCHEDULES else {}
    if not schedules:
        return 0
    with transaction.atomic():
        return sum(_write(schedules[name], now) for name, now in _begin(schedules))


def _begin(schedules: dict[str, Schedule]) -> list[tuple[str, datetime]]:
    names, periods = list(schedules), [schedule.every for schedule in schedules.values()]
    shares = [crc32(name.encode()) % SHARES / SHARES for name in names]
    with connection.cursor() as cursor:
        cursor.execute(ADD, [names, periods, shares])
        cursor.execute(BEGIN, [names, periods])
        return cursor.fetchall()


def _write(schedule: Schedule, now: datetime) -> int:
    # A task that is to run later than the next run comes of a clock that was wrong.
    undone = find_rows().filter(status__in=UNDONE, run_after__lt=now + schedule.every)
    paths = [run_in_public.module_path, run_in_tenants.module_path]
    if undone.filter(task_path__in=paths, args_kwargs__args__0=schedule.name).exists():
        return 0
    count = 0
    if Where.PUBLIC in schedule.where:
        run_in_public.using(run_after=now).enqueue(schedule.name)
        count += 1
    if Where.TENANTS in schedule.where:
        slices = list(batched(list_active().values_list("pk", flat=True), SLICE))
        for number, pks in enumerate(slices):
            later = schedule.every / 2 / len(slices) * number
            run_in_tenants.using(run_after=now + later).enqueue(schedule.name, pks[0], pks[-1])
        count += len(slices)
    return count

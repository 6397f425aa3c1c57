"""A worker that picks up what killed workers left behind, and outlives its database sessions.

A task whose worker was killed would stay `RUNNING` for ever. So a thread of every worker holds an advisory
lock of its own database session, named after the worker's id; PostgreSQL gives the lock back when the
process is gone, and any other worker that can take it makes the tasks of the dead one ready again. A task
may run twice, which is harmless: tasks take keys and re-read rows.
"""

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import format_exception
from typing import Any

from django.db import (
    Error,
    ProgrammingError,
    close_old_connections,
    connection,
    connections,
    transaction,
)
from django.tasks import TaskResultStatus
from django.tasks.signals import task_finished
from django.utils.crypto import get_random_string
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult
from django_tenants.utils import get_public_schema_name
from psycopg.errors import UndefinedTable

from tenants.locks import Lock, find_held, take
from tenants.models import Tenant
from tenants.queue.held_tasks import hold
from tenants.queue.known_tasks import UnusableTaskError, find_fault
from tenants.queue.retries import PASSING_ERRORS, count_deaths, give_back, retry_later
from tenants.queue.rows import get_schema, get_worker
from tenants.queue.turns import Turns
from tenants.tracing import tracing_task

logger = logging.getLogger(__name__)

INTERVAL = 15  # seconds between two searches for orphaned tasks
PAUSE = 0.5  # seconds between two tries to reach a database that was lost
IDLE = 2  # seconds, the longest pause between two looks at a queue in which nothing is due
MAX_ATTEMPTS = 3


class WorkerDiedError(RuntimeError):
    """A task was given up because every worker that ran it died."""


class RecoveringWorker(Worker):
    """django-tasks-db's worker; it also recovers orphaned tasks, and lets tasks of a closed tenant wait."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._turns = Turns(leaves_one_free=not self.batch)  # a batch ends when nothing is due

    def run(self) -> None:
        """Work until stopped. A worker that loses the database goes on once it is back, with another id.

        The task that it was running is retried. While a backup is restored, the database may be there without
        the queue. With `batch` it raises the error instead, for the caller who waits for the end.
        """
        lost: tuple[str, Exception] | None = None
        while True:
            try:
                with self._watched():
                    if lost:
                        give_back(*lost)
                        lost = None
                    self._work()
                return
            except (*PASSING_ERRORS, ProgrammingError) as error:
                is_lost = not isinstance(error, ProgrammingError) or isinstance(
                    error.__cause__, UndefinedTable
                )
                if self.batch or not is_lost:
                    raise
                before, self.worker_id = self.worker_id, get_random_string(32)
                lost = before, error
                message = "Worker %s lost the database and waits for it, to go on as %s: %s"
                logger.warning(message, before, self.worker_id, error)
                _wait_for_queue()
                logger.warning("Worker %s has the database back", self.worker_id)
                self.startup_delay = False

    def _work(self) -> None:
        """Do as django-tasks-db's `run`, but give tenants their turns, and ask less often while idle."""
        logger.info("Worker %s works on the queues %s", self.worker_id, ", ".join(self.queue_names))
        if self.startup_delay and self.interval:
            time.sleep(random.random())  # noqa: S311  # workers that start together should not ask together
        pause = self.interval
        while self.running:
            close_old_connections()  # as between two requests
            task = self.claim()
            if task is not None:
                self.run_task(task)
                pause = self.interval
            elif self.batch:
                logger.info("Worker %s finds no more tasks and ends", self.worker_id)
                return
            if self.max_tasks is not None and self._run_tasks >= self.max_tasks:
                logger.info("Worker %s ends after %d tasks", self.worker_id, self._run_tasks)
                return
            close_old_connections()
            if self.running and task is None:
                time.sleep(pause)
                pause = min(pause * 1.5, max(self.interval, IDLE))

    def claim(self) -> DBTaskResult | None:
        """Take the task whose turn it is; return None if none is due."""
        tasks = DBTaskResult.objects.filter(backend_name=self.backend_name)
        if not self.process_all_queues:
            tasks = tasks.filter(queue_name__in=self.queue_names)
        if self.excluded_queue_names:
            tasks = tasks.exclude(queue_name__in=self.excluded_queue_names)
        return self._turns.claim(tasks, self.worker_id)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Run a thread that holds this worker's lock and recovers the tasks of dead workers."""
        ready, stop = threading.Event(), threading.Event()
        args = (self.worker_id, ready, stop)
        watch = threading.Thread(target=_keep_watch, args=args, name="task recovery", daemon=True)
        watch.start()
        ready.wait()
        try:
            yield
        finally:
            stop.set()
            watch.join(INTERVAL)  # its lock says that this worker lives

    def run_task(self, db_task_result: DBTaskResult) -> None:
        """Run the task, unless its tenant is suspended or leaving, and retry it if the database failed.

        A row that makes no sense is a failed task. A receiver of the task's signals that fails is logged. The
        row may go meanwhile, with its tenant or by itself. Nothing can be written down about it then.
        """
        if fault := find_fault(db_task_result):
            logger.error("Task %s (%s) fails: %s", db_task_result.id, db_task_result.task_path, fault)
            db_task_result.set_failed(UnusableTaskError(fault))
            self._run_tasks += 1
            return
        fail = db_task_result.set_failed

        db_task_result.set_failed = lambda error: (
            retry_later(db_task_result, error) or fail(_make_storable(error))
        )
        try:
            if not hold(db_task_result):
                with tracing_task(db_task_result.id):
                    super().run_task(db_task_result)
        except DBTaskResult.NotUpdated:
            schema = get_schema(db_task_result)
            is_tenant_gone = (
                schema not in (None, get_public_schema_name())
                and not Tenant.objects.filter(schema_name=schema).exists()
            )
            cause = f"the tenant {schema!r} was deleted" if is_tenant_gone else "the row was deleted"
            message = "Task %s (%s) is not in the queue any more, so how it ended is lost: %s"
            logger.warning(message, db_task_result.id, db_task_result.task_path, cause)
        except (*PASSING_ERRORS, ProgrammingError):
            raise
        except Exception:
            # The state of the task is written down by then.
            message = "A receiver of the signals of task %s (%s) failed"
            logger.exception(message, db_task_result.id, db_task_result.task_path)


def recover_orphans(own_id: str = "") -> int:
    """Make the tasks of dead workers other than `own_id` ready again; return how many there were.

    A task that has outlived MAX_ATTEMPTS workers has probably killed them: it fails instead.
    """
    running = DBTaskResult.objects.running().only("pk", "worker_ids")
    return sum(_recover(task) for task in running if get_worker(task) != (own_id or None))


def find_orphans(tasks: Any) -> list[DBTaskResult]:
    """Return those of a queryset of tasks whose workers died while they ran them."""
    running = list(tasks.running().only("pk", "worker_ids"))
    alive = find_held(Lock.WORKER, {get_worker(task) for task in running})
    return [task for task in running if get_worker(task) not in alive]


def _make_storable(error: BaseException) -> BaseException:
    """Return the error, or what can be said of it if its text holds a NUL or a lone surrogate."""
    text = "".join(format_exception(error))
    storable = text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
    return error if storable == text else RuntimeError(storable)


def _wait_for_queue() -> None:
    while True:
        connections.close_all()
        try:
            DBTaskResult.objects.exists()
            return
        except Error:
            time.sleep(PAUSE)


def _recover(task: DBTaskResult) -> bool:
    worker_id = get_worker(task)
    with transaction.atomic():
        locked = DBTaskResult.objects.running().select_for_update(skip_locked=True).filter(pk=task.pk).first()
        if locked is None or not take(Lock.WORKER, worker_id, wait=False, until_commit=True):
            return False
        deaths = count_deaths(locked)
        if deaths >= MAX_ATTEMPTS:
            locked.set_failed(WorkerDiedError(f"{deaths} workers died while they ran this task."))
        else:
            locked.status = TaskResultStatus.READY
            locked.save(update_fields=["status"])
    if deaths >= MAX_ATTEMPTS:
        if not find_fault(locked):
            backend = type(locked.task.get_backend())
            task_finished.send_robust(backend, task_result=locked.task_result)
        return False
    logger.warning("Task %s (%s) is ready again: worker %s died", task.id, task.task_path, worker_id)
    return True


def _keep_watch(worker_id: str, ready: threading.Event, stop: threading.Event) -> None:
    locked_session, pause = None, float(INTERVAL)
    while not stop.is_set():
        try:
            connection.ensure_connection()
            if locked_session is not connection.connection:
                take(Lock.WORKER, worker_id)
                locked_session = connection.connection
            recover_orphans(worker_id)
            ready.set()
            pause = INTERVAL
        except Error as error:
            if pause != PAUSE:  # the first try
                logger.warning("The task recovery lost its connection and goes on with a new one: %s", error)
            connection.close()
            pause = PAUSE
        stop.wait(pause)
    connection.close()

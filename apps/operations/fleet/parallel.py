"""Several tenants at a time, each in a thread with a connection of its own."""

import queue
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from apps.operations.fleet.migrator import Result, TenantMigrator
from apps.operations.fleet.report import Report

LOOK_AROUND = 0.2  # seconds until the next look at `stopping`


@dataclass
class FleetRun:
    """Migrates tenants until none is left, too many failed, or `stopping` is set."""

    migrator: TenantMigrator  # is called in several threads at once
    report: Report  # hears of each result, in the calling thread
    _: KW_ONLY
    parallel: int  # how many tenants at a time; 0 means one after another in the calling thread
    max_failures: int  # once so many have failed, no further tenant is begun
    stopping: threading.Event  # once it is set, no further tenant is begun; those at work go on to their end
    waiting: deque[str] = field(default_factory=deque, init=False)
    results: list[Result] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._failed = 0
        self._running: set[str] = set()
        self._is_announced = False

    @property
    def failures(self) -> list[Result]:
        """The results of the tenants that failed."""
        return [result for result in self.results if result.failure]

    def migrate(self, schemas: Iterable[str]) -> None:
        """Migrate these; return when each is done or left in `waiting`."""
        self.waiting.extend(schemas)
        if self.parallel:
            self._migrate_in_threads()
            return
        while schema := self._take():
            self._finish(self._migrate(schema))
        self._announce()

    def _migrate_in_threads(self) -> None:
        ended: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=self._work, args=(ended,), name=f"migration {number}")
            for number in range(min(self.parallel, len(self.waiting)))
        ]
        for thread in threads:
            thread.start()
        at_work = len(threads)
        while at_work:
            self._announce()
            try:
                result = ended.get(timeout=LOOK_AROUND)
            except queue.Empty:
                continue
            if result is None:
                at_work -= 1
            else:
                self._finish(result)
        for thread in threads:
            thread.join()
        for schema in sorted(self._running):
            self._failed += 1
            self._finish(Result(schema, 0.0, 1, failure="its thread ended without a result"))

    def _work(self, ended: "queue.SimpleQueue[Result | None]") -> None:
        try:
            while schema := self._take():
                ended.put(self._migrate(schema))
        finally:
            self.migrator.close()
            ended.put(None)

    def _take(self) -> str | None:
        with self._lock:
            is_over_budget = self._failed >= self.max_failures
            if not self.waiting or self.stopping.is_set() or is_over_budget:
                return None
            schema = self.waiting.popleft()
            self._running.add(schema)
            return schema

    def _migrate(self, schema: str) -> Result:
        result = self.migrator.migrate(schema)
        with self._lock:
            self._running.discard(schema)
            self._failed += bool(result.failure)
        return result

    def _finish(self, result: Result) -> None:
        self.results.append(result)
        self.report.finished(result)

    def _announce(self) -> None:
        if self.stopping.is_set() and not self._is_announced:
            self._is_announced = True
            with self._lock:
                running = sorted(self._running)
            self.report.stopping(running)


@contextmanager
def stop_on_signals(stopping: threading.Event) -> Iterator[None]:
    """Set `stopping` at the first Ctrl-C or SIGTERM; the second one acts as it always does.

    An exception would come at any point, even between a result and its report.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: Any) -> None:
        stopping.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""What a process remembers of tenants for some seconds."""

import time
from collections.abc import Callable, Hashable
from threading import Lock

from tenants.context import connection


class TenantMemory[Value]:
    """Answers that are believed for some seconds, each tenant's apart; for any number of threads.

    `seconds` is how long an answer is believed, `size` how many are kept, of all tenants together: the oldest
    go. None is an answer like any other if `keeps_none`; otherwise it is never kept.
    """

    def __init__(self, *, seconds: float, size: int, keeps_none: bool = False) -> None:
        self.seconds, self.size, self.keeps_none = seconds, size, keeps_none
        self._answers: dict[tuple[str, Hashable], tuple[float, Value]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Hashable, find: Callable[[], Value]) -> Value:
        """Return the bound tenant's answer under the key; `find()` gives it when none is remembered."""
        own_key = (connection.schema_name, key)
        if (known := self._answers.get(own_key)) and time.monotonic() < known[0]:
            return known[1]
        answer = find()
        if answer is not None or self.keeps_none:
            with self._lock:
                self._answers.pop(own_key, None)
                self._answers[own_key] = (time.monotonic() + self.seconds, answer)
                while len(self._answers) > self.size:
                    del self._answers[next(iter(self._answers))]
        return answer

    def forget(self, key: Hashable) -> None:
        """Forget the bound tenant's answer under the key."""
        with self._lock:
            self._answers.pop((connection.schema_name, key), None)

    def clear(self) -> None:
        """Forget all answers, of every tenant."""
        with self._lock:
            self._answers.clear()

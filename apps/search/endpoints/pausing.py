"""A service that failed a moment ago is left alone, so that it does not hold up the server's threads."""

import threading
import time

PAUSE = 10.0  # seconds
TRIAL = 5.0  # seconds for which others wait for what one request finds out


class Pause:
    """Whether a service is left alone just now; for all threads of a process."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()

    def get_seconds(self) -> float:
        """Return how long the service is still left alone; 0: ask it, then say how it went.

        Say it with `begin` or `end`. Until then, others leave it alone if it had failed before.
        """
        with self._lock:
            if (seconds := self._until - time.monotonic()) > 0:
                return seconds
            if self._until:
                self._until = time.monotonic() + TRIAL
            return 0.0

    def begin(self) -> None:
        self._until = time.monotonic() + PAUSE

    def end(self) -> None:
        self._until = 0.0

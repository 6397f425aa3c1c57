"""A writer of COPY that also reads, so that PostgreSQL can refuse a huge value.

The refusal quotes the value. If it is larger than what the socket holds, PostgreSQL writes and reads nothing.
psycopg's own writer writes and reads nothing, either, so that both would wait for ever. What to do is in
PostgreSQL's manual, "Asynchronous Command Processing": wait for both, and read what has come.
"""

from collections.abc import Callable
from typing import Any

from psycopg import errors
from psycopg.copy import LibpqWriter
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus
from psycopg.waiting import Ready, Wait


class ReadingWriter(LibpqWriter):
    """Sends rows to PostgreSQL, for `writer` of psycopg's `Cursor.copy`."""

    def write(self, data: Any) -> None:
        """Send a block, of less than a megabyte."""
        self.connection.wait(self._send(lambda: self._pgconn.put_copy_data(data)))

    def finish(self, exc: BaseException | None = None) -> None:
        """End the rows, or give them up because of an error. Raises what PostgreSQL says of them."""
        reason = None if exc is None else type(exc).__name__.encode()
        self.connection.wait(self._send(lambda: self._pgconn.put_copy_end(reason)))
        (result,) = self.connection.wait(fetch_many(self._pgconn))
        if result.status == ExecStatus.COMMAND_OK:
            self.cursor._results = [result]
            return
        error = errors.error_from_result(result)
        if exc is None or not isinstance(error, errors.QueryCanceled):  # so PostgreSQL gives rows up
            raise error

    def _send(self, put: Callable[[], int]) -> Any:
        """Yield what to wait for until everything has left this process, and take in what comes meanwhile."""
        is_put = False
        while not is_put or self._pgconn.flush():
            is_put = is_put or put() == 1
            if (yield Wait.RW) & Ready.R:
                self._pgconn.consume_input()

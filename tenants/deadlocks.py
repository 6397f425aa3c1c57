"""What to do about deadlocks: lock rows in one order, and where that cannot be, do it again."""

from collections.abc import Callable
from functools import wraps

from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from tenants.context import connection

ATTEMPTS = 5


def retry_deadlocks[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Make a function run again when PostgreSQL ends its transaction because of a deadlock.

    Within a transaction of the caller's the error is raised: that transaction would have to begin anew.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(ATTEMPTS - 1):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                    raise
        return function(*args, **kwargs)

    return call

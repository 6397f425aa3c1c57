"""Methods as coroutines."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Concatenate

from asgiref.sync import sync_to_async


def in_thread[**P, R](
    method: Callable[Concatenate[Any, P], R],
) -> Callable[Concatenate[Any, P], Awaitable[R]]:
    """Return the method as a coroutine, which runs in the thread that asgiref keeps for the request.

    Django's database connection belongs to that thread. The bound tenant is the coroutine's own and goes
    along.
    """

    @wraps(method)
    async def run(self: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        return await sync_to_async(getattr(self, method.__name__))(*args, **kwargs)

    return run

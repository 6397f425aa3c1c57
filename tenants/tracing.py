"""One id for all that a request causes: its answer, its log lines, its error page, and its tasks."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from tenants.conf import conf

HEADER = "X-Request-ID"
_USABLE = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)  # nothing that could forge a line of a log

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_task_id: ContextVar[str] = ContextVar("task_id", default="")


def get_request_id() -> str:
    """Return the id of the request at work, or of the one that wrote the task at work; else ""."""
    return _request_id.get()


def get_task_id() -> str:
    """Return the id of the task that this worker runs; else ""."""
    return _task_id.get()


def forget_request() -> None:
    """Let what follows belong to no request."""
    _request_id.set("")


@contextmanager
def tracing_request(request_id: object) -> Iterator[None]:
    """Let what happens within belong to a request; to none for what cannot be an id."""
    token = _request_id.set(_clean(request_id))
    try:
        yield
    finally:
        _request_id.reset(token)


@contextmanager
def tracing_task(task_id: object) -> Iterator[None]:
    """Let what happens within belong to a task."""
    token = _task_id.set(str(task_id))
    try:
        yield
    finally:
        _task_id.reset(token)


class RequestIdMiddleware(MiddlewareMixin):
    """Gives each request an id and sends it back as `X-Request-ID`.

    The id is a new one, or that of the proxy where REQUEST_ID_HEADER names the header that it sets.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Set the id, before anything can be logged."""
        given = request.headers.get(conf.REQUEST_ID_HEADER, "") if conf.REQUEST_ID_HEADER else ""
        _request_id.set(_clean(given) or uuid.uuid4().hex)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Name it in the answer."""
        response.headers[HEADER] = get_request_id()
        return response


def _clean(value: Any) -> str:
    return value if isinstance(value, str) and _USABLE.fullmatch(value) else ""

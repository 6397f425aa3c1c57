"""What a request is told that cannot be answered just now: 503, and when to try again.

The database cannot be reached, a statement took longer than a request may, or the tenant has its share of
some work already. Three places ask here, for Django gives an exception to none of them alone:
TenantMiddleware, for the registry and for views; the API; and `server_error`, for everything else, such as
middleware and error pages. With DEBUG, Django shows its own page instead of calling the last one.
"""

import logging
import sys
from typing import NamedTuple

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from psycopg.errors import QueryCanceled

from tenants.binding.shares import BusyError
from tenants.tracing import get_request_id

logger = logging.getLogger(__name__)

API = "/api/"  # where project/urls.py has it: all below is answered in JSON
RETRY_AFTER = "5"  # seconds
# Connections, resources and shutdown: see "Error Codes" in PostgreSQL's manual. A timeout of a statement, a
# lock or a deadlock is an OperationalError, too, but the database is there.
OUTAGES = ("08", "53", "57P")


class Failure(NamedTuple):
    """What the log, people and programs are told; `name` is the field of the errors in JSON."""

    name: str
    level: int
    log: str
    heading: str
    message: str


OUTAGE = Failure(
    "database",
    logging.ERROR,
    "the database does not answer",
    "This site is not available just now",
    "The database does not answer just now. Try again in a few seconds.",
)
OVERRUN = Failure(
    "time",
    logging.WARNING,
    "a statement took too long",
    "This took too long",
    "This took too long and was broken off. Ask for less, or try again in a few seconds.",
)

BUSY = Failure(
    "busy",
    logging.WARNING,
    "the tenant has its share at work",
    "This site is busy",
    "This site has as much at work as it may. Try again in a few seconds.",
)


def is_outage(error: BaseException | None) -> bool:
    """Return whether the error says that the database cannot be reached, or takes no more work."""
    if isinstance(error, InterfaceError):
        return "connection" in str(error)  # that is closed; others are faults of ours
    if not isinstance(error, OperationalError):
        return False
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None)
    is_of_postgresql = cause is None or isinstance(cause, psycopg.Error)  # a second database may be another
    return is_of_postgresql and (state is None or state.startswith(OUTAGES))


def is_overrun(error: BaseException | None) -> bool:
    """Return whether the error says that a statement was broken off because it took too long."""
    return isinstance(error, OperationalError) and isinstance(error.__cause__, QueryCanceled)


def answer_failure(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    """Answer 503 in the caller's form, without asking the database; None if the error is of another kind.

    Writes one line into the log.
    """
    if error is not None and is_outage(error):
        return _answer(request, OUTAGE, error)
    if error is not None and is_overrun(error):
        return _answer(request, OVERRUN, error)
    if isinstance(error, BusyError):
        return _answer(request, BUSY, error)
    return None


def _answer(request: HttpRequest, failure: Failure, error: BaseException) -> HttpResponse:
    reason = " ".join(str(error).split())
    logger.log(failure.level, "%s %s: 503, %s: %s", request.method, request.path, failure.log, reason)
    errors = {failure.name: [failure.message]}
    response = refuse(request, 503, "tenants/outage.html", errors, heading=failure.heading)
    response.headers["Retry-After"] = RETRY_AFTER
    response._has_been_logged = True  # type: ignore[attr-defined]  # or Django would, with two tracebacks
    return response


def refuse(
    request: HttpRequest, status: int, template: str, errors: dict[str, list[str]], **context: str
) -> HttpResponse:
    """Answer with the template's page, or with the errors as JSON if the API is called or JSON preferred."""
    preferred = request.get_preferred_type(["text/html", "application/json"])
    if request.path.startswith(API) or preferred == "application/json":
        return JsonResponse({"errors": errors}, status=status)
    messages = [message for each in errors.values() for message in each]
    shown = {"status": status, "site_name": settings.SITE_NAME, "messages": messages, **context}
    return HttpResponse(render_to_string(template, shown), status=status)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 if `answer_failure` does and 500 otherwise; this is the `handler500` of all sites.

    The answer names the request's id, by which the log has the cause.
    """
    if answer := answer_failure(request, sys.exc_info()[1]):
        return answer
    message = f"The fault is ours and has been noted. Request id: {get_request_id()}"
    return refuse(request, 500, "500.html", {"server": [message]}, request_id=get_request_id())

"""What a request is told while the database cannot be reached: 503, and when to try again.

Three places ask here, for Django gives an exception to none of them alone: TenantMiddleware, for the registry
and for views; the API; and `server_error`, for everything else, such as middleware and error pages. With
DEBUG, Django shows its own page instead of calling the last one.
"""

import logging
import sys

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

logger = logging.getLogger(__name__)

API = "/api/"  # where project/urls.py has it: all below is answered in JSON
RETRY_AFTER = "5"  # seconds
# Connections, resources and shutdown: see "Error Codes" in PostgreSQL's manual. A timeout of a statement, a
# lock or a deadlock is an OperationalError, too, but the database is there.
OUTAGES = ("08", "53", "57P")


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


def answer_outage(request: HttpRequest, error: BaseException) -> HttpResponse:
    """Write one line into the log, and answer 503 in the caller's form, without asking the database."""
    reason = " ".join(str(error).split())
    logger.error("%s %s: 503, the database does not answer: %s", request.method, request.path, reason)
    message = "The database does not answer just now. Try again in a few seconds."
    response = refuse(request, 503, "tenants/outage.html", {"database": [message]})
    response.headers["Retry-After"] = RETRY_AFTER
    response._has_been_logged = True  # type: ignore[attr-defined]  # or Django would, with two tracebacks
    return response


def refuse(request: HttpRequest, status: int, template: str, errors: dict[str, list[str]]) -> HttpResponse:
    """Answer with the template's page, or with the errors as JSON if the API is called or JSON preferred."""
    preferred = request.get_preferred_type(["text/html", "application/json"])
    if request.path.startswith(API) or preferred == "application/json":
        return JsonResponse({"errors": errors}, status=status)
    context = {"status": status, "site_name": settings.SITE_NAME}
    return HttpResponse(render_to_string(template, context), status=status)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 while the database is down and 500 otherwise; this is the `handler500` of all sites."""
    error = sys.exc_info()[1]
    return answer_outage(request, error) if error and is_outage(error) else defaults.server_error(request)

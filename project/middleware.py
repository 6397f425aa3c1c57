"""Refuses requests that the database cannot take, and tells browsers what no page needs."""

import logging

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

logger = logging.getLogger(__name__)

READING = ("GET", "HEAD")
UNUSED = (
    "camera",
    "display-capture",
    "geolocation",
    "microphone",
    "payment",
    "usb",
)  # abilities of a browser


class PermissionsPolicyMiddleware(MiddlewareMixin):
    """Takes from every page what none needs (W3C, "Permissions Policy")."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Add the header, unless a view gave its own."""
        response.headers.setdefault("Permissions-Policy", ", ".join(f"{name}=()" for name in UNUSED))
        return response


class RefusedValuesMiddleware(MiddlewareMixin):
    """Answers 400 when a value in the address is none for the database or Python: a NUL, the year 10³⁰.

    Forms refuse such values with a message of their own; the filters of Django's admin do not. What is only
    read changes nothing, so the value is at fault; writing a value that is too long is a fault of ours.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Raise BadRequest instead, and keep the reason in the log."""
        if is_refused_value(request, exception):
            logger.warning("%s %s: 400, %s", request.method, request.path, exception, exc_info=exception)
            raise BadRequest("The address holds a value that cannot be looked up.") from exception


def is_refused_value(request: HttpRequest, exception: BaseException) -> bool:
    """Return whether the exception comes of a value behind the question mark of the address."""
    text = request.META.get("QUERY_STRING", "")
    is_read = request.method in READING and isinstance(exception, DataError | OverflowError)
    return bool(text) and (is_read or (isinstance(exception, DataError) and "%00" in text))

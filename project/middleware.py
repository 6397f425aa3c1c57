"""What a request may not hold."""

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin


class NulMiddleware(MiddlewareMixin):
    """Answers 400 where a NUL in the address reached the database, which stores and compares none.

    Forms refuse it with a message of their own; the filters of Django's admin do not. PostgreSQL's manual,
    "Character Types": the character with code zero cannot be stored.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Raise BadRequest instead."""
        if isinstance(exception, DataError) and "%00" in request.META["QUERY_STRING"]:
            raise BadRequest("The address holds a NUL, which is no character of a text.") from exception

"""Refuses requests that the database cannot take."""

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin


class NulMiddleware(MiddlewareMixin):
    """Answers 400 when a NUL in the address reaches the database, which cannot store or compare one.

    Forms refuse it with a message of their own; the filters of Django's admin do not. See "Character Types"
    in PostgreSQL's manual.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Raise BadRequest instead."""
        if isinstance(exception, DataError) and "%00" in request.META["QUERY_STRING"]:
            raise BadRequest("The address holds a NUL, which cannot be part of a text.") from exception

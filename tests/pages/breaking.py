"""A middleware for tests, behind which some addresses fail."""

from django.core.exceptions import BadRequest
from django.db import OperationalError


def break_some(get_response):
    """Fail at /broken/ as our code would, at /outage/ as a database that is away; refuse /refused/."""

    def answer(request):
        if request.path == "/broken/":
            raise RuntimeError("This page is broken.")
        if request.path == "/outage/":
            raise OperationalError("The database is away.")
        if request.path == "/refused/":
            raise BadRequest("The address holds a value that cannot be looked up.")
        return get_response(request)

    return answer

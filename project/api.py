"""The JSON API of a tenant's site, under /api/, with its documentation at /api/docs.

An app adds endpoints in a module `api.py`:

    router  a ninja.Router, whose addresses begin below /api/
    AUTH    a list of functions request -> truth, each of which may let a request in that brings no key and no
            session (a django-ninja `auth=`); it may be left out. No wrong key reaches them

Whatever goes wrong is answered in one form: `{"errors": {"<the field at fault>": ["<what to do>"]}}`.
"""

import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI, Router
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from ninja.openapi.docs import Swagger

from apps.accounts.access.api_auth import MemberAuth
from apps.accounts.access.limited_requests import ApiThrottle
from apps.accounts.access.rate_limits import describe_wait
from project.middleware import is_refused_value
from tenants.binding.outages import answer_failure
from tenants.binding.shares import BusyError
from tenants.discovery import ExtensionPoint

logger = logging.getLogger(__name__)


def _find_fault(module: ModuleType) -> str:
    if not isinstance(getattr(module, "router", None), Router):
        return "must set router, a ninja.Router"
    return "" if all(map(callable, getattr(module, "AUTH", []))) else "must list functions only in AUTH"


ENDPOINTS = ExtensionPoint("api", _find_fault)


REFUSAL = {
    "description": "The fields at fault, each with its messages.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorsOut"}}},
}


class Api(NinjaAPI):
    """A NinjaAPI whose documentation also names the refusals that no endpoint declares."""

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> Any:
        """Return django-ninja's description, completed."""
        schema = super().get_openapi_schema(*args, **kwargs)
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                for status in _list_refusals(path, operation):
                    operation["responses"].setdefault(status, REFUSAL)
        return schema


def _list_refusals(path: str, operation: dict[str, Any]) -> Iterator[int]:
    yield from (401, 403, 422, 429)
    if "{" in path:
        yield 404
    if "requestBody" in operation:
        yield 400


modules = [module for _, module in ENDPOINTS.load()]
auth = [MemberAuth(), *(check for module in modules for check in getattr(module, "AUTH", []))]
docs = Swagger({"deepLinking": False})  # its deep links are links within buttons
api = Api(title=settings.SITE_NAME, version="1", auth=auth, throttle=ApiThrottle(), docs=docs)
for module in modules:
    api.add_router("", module.router)


@api.exception_handler(ValidationError)
def answer_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer 422 and name the fields at fault."""
    errors: dict[str, list[str]] = {}
    for fault in error.errors:
        errors.setdefault(str(fault["loc"][-1]), []).append(fault["msg"])
    return api.create_response(request, {"errors": errors}, status=422)


@api.exception_handler(AuthenticationError)
def answer_unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Answer 401 and say how to sign in."""
    message = "Sign in, or send `Authorization: Bearer <API key>`."
    return api.create_response(request, {"errors": {"authorization": [message]}}, status=401)


@api.exception_handler(Throttled)
def answer_throttled(request: HttpRequest, error: Throttled) -> HttpResponse:
    """Answer 429; django-ninja adds Retry-After."""
    return api.create_response(request, {"errors": {"rate": [describe_wait(error.wait or 1)]}}, status=429)


@api.exception_handler(PermissionDenied)
def answer_forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    """Answer 403 and say which permission is missing."""
    return api.create_response(request, {"errors": {"permission": [str(error)]}}, status=403)


@api.exception_handler(HttpError)
def answer_refused(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer what django-ninja refuses itself: a body that is not JSON, or a missing CSRF token."""
    return api.create_response(request, {"errors": {"request": [str(error)]}}, status=error.status_code)


@api.exception_handler(Http404)
def answer_missing(request: HttpRequest, error: Http404) -> HttpResponse:
    """Answer 404 where an endpoint finds nothing."""
    return api.create_response(request, {"errors": {"path": ["There is nothing here."]}}, status=404)


@api.exception_handler(BusyError)
@api.exception_handler(Error)
def answer_passing_error(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer 503 for what passes, 422 for a value the database cannot take; the rest is Django's."""
    if answer := answer_failure(request, error):
        return answer
    if is_refused_value(request, error):
        logger.warning("%s %s: 422, %s", request.method, request.path, error, exc_info=error)
        message = "A value behind the question mark cannot be looked up."
        return api.create_response(request, {"errors": {"request": [message]}}, status=422)
    raise error


@csrf_exempt  # otherwise a POST to a wrong address would get an HTML page
def answer_no_endpoint(request: HttpRequest) -> HttpResponse:
    """Answer 404 for an address below /api/ that no endpoint has."""
    message = "There is no such address; /api/docs shows all there are."
    return api.create_response(request, {"errors": {"path": [message]}}, status=404)

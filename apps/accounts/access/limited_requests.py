"""Which requests have a limit: signing in, asking for a link to set a password, and the JSON API."""

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin
from ninja.throttling import BaseThrottle

from apps.accounts.access.rate_limits import count, describe_wait, get_client_address, take_back
from apps.accounts.fields import normalise_email

Try = tuple[str, str]  # a scope of settings.RATE_LIMITS, and who tries


class LimitMiddleware(MiddlewareMixin):
    """Answers 429 with Retry-After where a page is asked for too often.

    A page is known by its address' name: every form to sign in is named `login`, the admin's, too. Pages of
    settings.RATE_LIMITED_PAGES are counted as calls of the API are.
    """

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        """Count, and refuse what is too often."""
        keys = []
        for scope, who in _list_tries(request):
            wait, key = count(scope, who)
            if wait:
                return _refuse(request, wait)
            keys.append(key)
        request.counted_tries = [key for key in keys if key]  # type: ignore[attr-defined]
        return None


class ApiThrottle(BaseThrottle):
    """A django-ninja `throttle=`: so many calls for each key, member without key, or client address.

    django-ninja's own classes keep what they count in the object, which all threads and tenants share.
    """

    def __init__(self) -> None:
        self._wait: ContextVar[int] = ContextVar("wait", default=0)

    def allow_request(self, request: HttpRequest) -> bool:
        """Count the call; return whether it may go on."""
        self._wait.set(count(*_get_caller(request))[0])
        return not self._wait.get()

    def wait(self) -> float | None:
        """Return for how many seconds the caller just refused is to wait."""
        return self._wait.get()


def forgive_sign_in(request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Count no try that succeeded: a whole office may sign in from one address. For `user_logged_in`."""
    for key in getattr(request, "counted_tries", []):
        take_back(key)


def _list_tries(request: HttpRequest) -> Iterator[Try]:
    match = request.resolver_match
    name, full_name = (match.url_name, match.view_name) if match else ("", "")
    if request.method == "POST" and name in ("login", "password_reset"):
        scope, field = ("sign_in", "username") if name == "login" else ("password_reset", "email")
        yield scope, get_client_address(request)
        if email := normalise_email(request.POST.get(field, "")):
            yield f"{scope}_account", email
    elif full_name in settings.RATE_LIMITED_PAGES and request.GET:
        yield _get_caller(request)


def _get_caller(request: HttpRequest) -> Try:
    if api_key := getattr(request, "api_key", None):
        return "api", f"key {api_key.pk}"
    if request.user.is_authenticated:
        return "api", f"member {request.user.pk}"
    return "api_anonymous", get_client_address(request)


def _refuse(request: HttpRequest, wait: int) -> HttpResponse:
    response = render(request, "429.html", {"message": describe_wait(wait)}, status=429)
    response.headers["Retry-After"] = str(wait)
    return response

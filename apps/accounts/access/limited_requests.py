"""Which requests have a limit: signing in, new passwords, links to set one, and the JSON API."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin
from ninja.throttling import BaseThrottle

from apps.accounts.access.rate_limits import count, describe_wait, get_client_address, take_back
from apps.accounts.conf import conf
from apps.accounts.fields import normalise_email
from tenants.context import connection

Try = tuple[str, str]  # what has a limit (rate_limits.list_scopes), and who tries


class LimitMiddleware(MiddlewareMixin):
    """Answers 429 with Retry-After where a page is asked for too often.

    A page is known by the name of its address: every form to sign in is named `login`, even the admin's.
    Pages in an AppConfig's `limited_pages` or in RATE_LIMITED_PAGES count as calls of the API do, if they are
    asked for something: by a parameter in the query or in the path.
    """

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        """Count the request; refuse one too many."""
        keys = []
        for scope, who in _list_tries(request):
            wait, key = count(scope, who)
            if wait:
                response = render(request, "429.html", {"message": describe_wait(wait)}, status=429)
                response.headers["Retry-After"] = str(wait)
                return response
            keys.append(key)
        request.counted_tries = [key for key in keys if key]  # type: ignore[attr-defined]
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Uncount a new password that was accepted: the limit is for tries that fail."""
        if _get_name(request) == "password_change" and response.status_code == 302:
            forgive_tries(request)
        return response


class ApiThrottle(BaseThrottle):
    """A django-ninja `throttle=` for each key, each member without a key, or each client address.

    django-ninja's own classes keep their counts in the object, which all threads and tenants share.
    """

    def __init__(self) -> None:
        self._wait: ContextVar[int] = ContextVar("wait", default=0)

    def allow_request(self, request: HttpRequest) -> bool:
        """Count the call; return whether it may go on."""
        self._wait.set(_count_anywhere(*_get_caller(request)))
        return not self._wait.get()

    def wait(self) -> float | None:
        """Return how many seconds the caller that was just refused must wait."""
        return self._wait.get()


def forgive_tries(request: HttpRequest) -> None:
    """Uncount what this request has counted: it was no failure."""
    for key in getattr(request, "counted_tries", []):
        take_back(key)


def _count_anywhere(scope: str, who: str) -> int:
    """Return the seconds to wait. Async operations count in the event loop, where Django refuses queries."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return count(scope, who)[0]
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, _count_and_close, scope, who).result()


def _count_and_close(scope: str, who: str) -> int:
    try:
        return count(scope, who)[0]
    finally:
        connection.close()


def _list_tries(request: HttpRequest) -> Iterator[Try]:
    match, name = request.resolver_match, _get_name(request)
    if request.method == "POST" and name == "password_change" and request.user.is_authenticated:
        yield "password_change", f"member {request.user.pk}"
    elif request.method == "POST" and name in ("login", "password_reset"):
        scope, field = ("sign_in", "username") if name == "login" else ("password_reset", "email")
        yield scope, get_client_address(request)
        if email := normalise_email(request.POST.get(field, "")):
            yield f"{scope}_account", email
    elif match and (request.GET or match.kwargs) and match.view_name in _list_limited_pages():
        yield _get_caller(request)


def _get_name(request: HttpRequest) -> str:
    match = request.resolver_match
    return (match.url_name or "") if match else ""


def _list_limited_pages() -> set[str]:
    of_apps = (name for config in apps.get_app_configs() for name in getattr(config, "limited_pages", []))
    return {*of_apps, *conf.RATE_LIMITED_PAGES}


def _get_caller(request: HttpRequest) -> Try:
    if api_key := getattr(request, "api_key", None):
        return "api", f"key {api_key.pk}"
    if request.user.is_authenticated:
        return "api", f"member {request.user.pk}"
    return "api_anonymous", get_client_address(request)

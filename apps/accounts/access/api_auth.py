"""Who may call the JSON API: a signed-in member, or a program with a member's key."""

from functools import partial

from django.http import HttpRequest
from ninja.security import HttpBearer, SessionAuth

from apps.accounts.models import ApiKey, User


class MemberAuth(HttpBearer):
    """A django-ninja `auth=`: `Authorization: Bearer <key>`, otherwise the session.

    A request that brings a key is judged by the key alone. A session passes through ninja's SessionAuth,
    which also checks the CSRF token of requests that change something. Anybody else gets 401 in JSON.
    """

    def __init__(self) -> None:
        super().__init__()
        self._session_auth = SessionAuth()

    def __call__(self, request: HttpRequest) -> User | None:
        """Return the member, or None for a refusal; raises ninja's HttpError 403 when CSRF fails."""
        scheme, _, key = request.headers.get(self.header, "").partition(" ")
        if scheme.lower() == self.openapi_scheme:
            return self.authenticate(request, key.strip())
        return self._session_auth(request)

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Return the key's user, who is `request.user` from then on beside `request.api_key`, or None."""
        api_key = ApiKey.objects.authenticate(token)
        if api_key is None:
            return None
        request.api_key = api_key  # type: ignore[attr-defined]
        request.user = api_key.user
        request.auser = partial(_return_user, api_key.user)
        return api_key.user


async def _return_user(user: User) -> User:
    return user

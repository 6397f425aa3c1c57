"""Who may call the JSON API: a signed-in member, or a program with a member's key."""

from functools import partial

from django.http import HttpRequest
from ninja.errors import AuthenticationError
from ninja.security import HttpBearer, SessionAuth

from apps.accounts.models import ApiKey, User


class MemberAuth(HttpBearer):
    """A django-ninja `auth=`: `Authorization: Bearer <key>`, otherwise the session.

    A key that is presented decides alone: if it is wrong, neither a session nor any other `auth` lets the
    request in, not even a public search. A session passes through ninja's SessionAuth, which also checks the
    CSRF token of requests that change something. Anybody else gets 401 in JSON.
    """

    def __init__(self) -> None:
        super().__init__()
        self._session_auth = SessionAuth()

    def __call__(self, request: HttpRequest) -> User | None:
        """Return the member; None without a key and a session, so that the next `auth` is asked.

        Raises ninja's AuthenticationError for a wrong key and HttpError 403 when CSRF fails.
        """
        scheme, key = (*request.headers.get(self.header, "").split(maxsplit=1), "", "")[:2]
        if scheme.lower() != self.openapi_scheme:
            return self._session_auth(request)
        if user := self.authenticate(request, key.strip()):
            return user
        raise AuthenticationError

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

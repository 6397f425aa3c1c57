"""Ends sessions that nobody uses: a browser that was left alone signs its member out."""

import time

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

from apps.accounts.conf import conf
from tenants.audit import record

SEEN = "seen_at"  # in the session: when it was last used, in seconds since 1970
NOTED = 20  # times in the idle time at most, so that not every request writes its session


class IdleSessionMiddleware(MiddlewareMixin):
    """Signs out who has asked for nothing in SESSION_IDLE_MINUTES; stands behind AuthenticationMiddleware.

    The request goes on as anybody's, so that a page leads to the sign-in and back.
    """

    def process_request(self, request: HttpRequest) -> None:
        """End the session, or note that it was used."""
        seconds = conf.SESSION_IDLE_MINUTES * 60
        if seconds <= 0 or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return
        if SESSION_KEY not in request.session:
            return
        idle = time.time() - request.session.get(SEEN, 0)
        if idle > seconds:
            record("end idle session", request.user)
            logout(request)
        elif idle > seconds / NOTED:
            note_use(request)


def note_use(request: HttpRequest) -> None:
    """Let the request's session count as used now, as it does from the sign-in on."""
    request.session[SEEN] = int(time.time())

"""Who may search a tenant, and how many searches it may have at work at once."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.search.conf import conf
from tenants.binding.shares import share
from tenants.context import get_current_tenant


def may_search(request: HttpRequest) -> bool:
    """Return whether this visitor may search the bound tenant: members may, and anyone if it is public."""
    return get_current_tenant().search_is_public or request.user.is_authenticated


def search_access_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Send visitors who may not search to the sign-in page."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may_search(request):
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def search_share() -> AbstractContextManager[None]:
    """Return a block within which the bound tenant searches: it waits for its turn, or raises BusyError."""
    at_once = conf.SEARCHES_AT_ONCE or max(1, (os.cpu_count() or 1) // 2)
    return share("search", at_once=at_once, in_line=conf.SEARCHES_IN_LINE, patience=conf.SEARCH_PATIENCE)

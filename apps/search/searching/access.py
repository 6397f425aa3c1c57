"""Who may search a tenant."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase

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

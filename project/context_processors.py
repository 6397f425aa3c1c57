"""Variables that every template has."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Return `site_name` and `tenant` (None on the operators' site)."""
    return {"site_name": settings.SITE_NAME, "tenant": getattr(request, "tenant", None)}

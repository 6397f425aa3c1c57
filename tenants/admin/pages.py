"""Pages of the operators' site that apps add, each in its module `operators.py`:

    urlpatterns   addresses below /admin/, made with `path`; only superusers get there
    HOME_LINKS    links (tenants.links.Link) on the operators' first page
    TENANT_LINKS  links on the page of each tenant that has a schema

All but `urlpatterns` may be left out. A view answers with `render_page`.
"""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern

from tenants.admin.site import site
from tenants.discovery import ExtensionPoint
from tenants.links import Link, find_addresses


def _find_fault(module: ModuleType) -> str:
    patterns = getattr(module, "urlpatterns", None)
    if not isinstance(patterns, list) or not all(isinstance(each, URLPattern) for each in patterns):
        return "must set urlpatterns, a list of what django.urls.path returns for a view"
    links = [*getattr(module, "HOME_LINKS", []), *getattr(module, "TENANT_LINKS", [])]
    is_fit = all(isinstance(link, Link) for link in links)
    return "" if is_fit else "must list tenants.links.Link only in HOME_LINKS and TENANT_LINKS"


PAGES = ExtensionPoint("operators", _find_fault)
site.index_template = "operators/index.html"


def list_pages() -> list[URLPattern]:
    """Return the addresses of all apps, behind the operators' sign-in."""
    return [
        URLPattern(page.pattern, _guard(page.callback), page.default_args, page.name)
        for _, module in PAGES.load()
        for page in module.urlpatterns
    ]


def list_links(attribute: str, request: HttpRequest, tenant: Any = None) -> list[tuple[Link, str]]:
    """Return the HOME_LINKS or TENANT_LINKS of all apps with their addresses; none but for a superuser."""
    if not request.user.is_superuser:
        return []
    links = [link for _, module in PAGES.load() for link in getattr(module, attribute, [])]
    return list(find_addresses(links, tenant))


def render_page(request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
    """Answer with a page of the operators' site; its template extends operators/page.html."""
    return TemplateResponse(request, template, site.each_context(request) | {"title": title} | context)


def _guard(view: Callable[..., HttpResponseBase]) -> Any:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise PermissionDenied
        request.current_app = site.name
        return view(request, *args, **kwargs)

    return site.admin_view(guarded)

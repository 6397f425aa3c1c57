"""Links that apps add to pages which they do not know: to the header of tenants' sites, and for operators.

An app lists those of the header in a module `navigation.py`:

    HEADER = [Link("Quality", "search_quality", permission="quality.view_goldenquery")]

Those for operators stand in its `operators.py` (tenants/admin/pages.py).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from tenants.discovery import ExtensionPoint, list_attribute


@dataclass(frozen=True)
class Link:
    """A title and the name of the address where it leads.

    `permission` is what a member needs to see it; "" shows it to all who are signed in. `text` may say more.
    `takes` names the attribute of the tenant that the address takes, in TENANT_LINKS.
    """

    title: str
    name: str
    permission: str = ""
    text: str = ""
    takes: str = "pk"


NAVIGATION = ExtensionPoint(
    "navigation", list_attribute("HEADER", "tenants.links.Link", lambda link: isinstance(link, Link))
)


def list_header_links(request: HttpRequest) -> list[tuple[Link, str]]:
    """Return the links of the header that this request's member may see, each with its address."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    links = [link for _, module in NAVIGATION.load() for link in module.HEADER]
    seen = [link for link in links if not link.permission or user.has_perm(link.permission)]
    return list(find_addresses(seen))


def find_addresses(links: Iterable[Link], tenant: Any = None) -> Iterator[tuple[Link, str]]:
    """Yield each link with its address, which takes an attribute of the tenant if one is given.

    Leaves out what has no address on the present request's site.
    """
    for link in links:
        try:
            yield link, reverse(link.name, args=[getattr(tenant, link.takes)] if tenant else None)
        except NoReverseMatch:
            continue

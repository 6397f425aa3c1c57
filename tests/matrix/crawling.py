"""Follows the links of a site with Django's test client, as a browser and its user would."""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

from django.contrib.staticfiles import finders

QUERY = "moon"  # what every search form is filled in with
NOT_FOLLOWED = re.compile(r"^/media/|/logout/$|/sign-out/$")


class _Links(HTMLParser):
    """Collects where the elements of a page lead to, by GET."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and attributes.get("method", "get").lower() == "get":
            action = attributes.get("action") or ""
            self.found.append(f"{action.partition('?')[0]}?q={QUERY}")
        for name in ("href", "src", "hx-get"):
            if attributes.get(name):
                self.found.append(attributes[name])


def crawl(client, host, *starts):
    """Return the paths that answer, and the links that lead nowhere, each with its page.

    Pages that differ only in the values of their query, such as the sorted lists of the admin, are one.
    Of the filters of those lists, each is tried alone: their combinations would be thousands.
    """
    todo = [("", start) for start in starts]
    seen, answered, faults = set(), [], []
    while todo:
        page, link = todo.pop(0)
        address = urlsplit(urljoin(f"http://{host}{page}", link))
        names = parse_qs(address.query, keep_blank_values=True).keys() - {"_changelist_filters"}
        key = (address.path, *sorted(names))
        if (
            address.netloc != host
            or address.scheme != "http"
            or key in seen
            or NOT_FOLLOWED.search(address.path)
            or (address.path.startswith("/admin/") and len(names) > 1)
        ):
            continue
        seen.add(key)
        if address.path.startswith("/static/"):
            if not finders.find(address.path.removeprefix("/static/")):
                faults.append(f"{page}: {address.path} is no static file")
            continue
        path = address._replace(scheme="", netloc="", fragment="").geturl()
        response = client.get(path, headers={"host": host})
        if 300 <= response.status_code < 400:
            todo.append((page, urljoin(path, response["Location"])))
        elif response.status_code != 200:
            faults.append(f"{page}: {path} answers {response.status_code}")
        else:
            answered.append(path)
            todo += [(path, found) for found in find_links(response)]
    return answered, faults


def find_links(response):
    if not response["Content-Type"].startswith("text/html") or response.streaming:
        return []
    links = _Links()
    links.feed(response.content.decode())
    return links.found

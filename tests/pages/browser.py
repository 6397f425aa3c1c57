"""Shows visited pages in Chromium, without a server: what they ask for is answered from the visits."""

import mimetypes
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django.contrib.staticfiles import finders

from tests.pages.visits import find_name

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
OPTIONS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
WIDTHS = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1280, "height": 800}}
SCHEMES = ("light", "dark")
AT_REST = """
const style = new CSSStyleSheet();
style.replaceSync("*, *::before, *::after { transition: none !important; animation: none !important; }");
document.adoptedStyleSheets = [style];
for (let timer = setTimeout(() => {}); timer; timer--) clearTimeout(timer);
"""  # colours in motion have any contrast, and some pages load anew by themselves


def find_chromium():
    """Return the path of a Chromium: that in CHROMIUM, or the first of the usual ones; else None."""
    if chosen := os.environ.get("CHROMIUM"):
        return chosen
    found = [path for name in NAMES if (path := shutil.which(name))]
    return next(iter([*found, *([MAC] if Path(MAC).exists() else [])]), None)


@contextmanager
def open_chromium():
    """Yield a running browser of Playwright's."""
    from playwright.sync_api import sync_playwright  # only `make test-pages` installs it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=OPTIONS, chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            browser.close()


def list_pages(visitors):
    """Return each visitor with the visits that a browser has something to show of.

    Pages of one kind of address, method and status are one; filtered lists of an admin are left out.
    """
    known = set()
    for visitor in sorted(visitors, key=lambda visitor: visitor.who, reverse=True):
        for visit in visitor.visits:
            address = urlsplit(visit.path)
            names = frozenset(parse_qs(address.query, keep_blank_values=True))
            if not visit.is_page or (address.path.startswith("/admin/") and names - {"ask", "estimate", "o"}):
                continue
            name = find_name(visit, visitor.urlconf) or address.path
            status = visit.response.status_code
            key = (visit.host, visitor.is_signed_in, visit.method, name, status, names - {"next"})
            if key not in known:
                known.add(key)
                yield visitor, visit


class Shown:
    """A page in the browser, at each width and in each colour scheme."""

    def __init__(self, page):
        self.page = page
        self.complaints = []
        page.route("**/*", self._answer)
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, visitor, visit):
        """Load a page that was visited."""
        self.complaints.clear()
        self._visitor, self._visit = visitor, visit
        self.page.goto(f"http://{visit.host}{visit.path}", wait_until="load")
        if self.page.query_selector("#swagger-ui"):
            self.page.wait_for_selector(".opblock")
        self.page.evaluate(AT_REST)

    def arrange(self, width, scheme):
        """Show the page at a width and in a colour scheme."""
        self.page.set_viewport_size(WIDTHS[width])
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    def list_complaints(self):
        """Return what the console has said since the last time, and whether one has to scroll sideways."""
        said, self.complaints = self.complaints, []
        is_too_wide = self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        return [*said, *(["wider than the window"] if is_too_wide else [])]

    def _listen(self, message):
        # A page with the status 404 or 503 is named on the console, too.
        if message.type == "error" and "status of" not in message.text:
            self.complaints.append(message.text)

    def _answer(self, route):
        address = urlsplit(route.request.url)
        path = address._replace(scheme="", netloc="", fragment="").geturl()
        if address.path.startswith("/static/"):
            file = finders.find(address.path.removeprefix("/static/"))
            body = Path(file).read_bytes() if file else b""
            kind = mimetypes.guess_type(address.path)[0]
            route.fulfill(status=200 if file else 404, body=body, content_type=kind)
        elif route.request.is_navigation_request():
            self._fulfill(route, self._visit.response)
        elif path in self._visitor.seen:
            self._fulfill(route, self._visitor.seen[path])
        else:
            route.fulfill(status=404)

    def _fulfill(self, route, response):
        headers = {name: value for name, value in response.items() if name.lower() != "content-length"}
        route.fulfill(status=response.status_code, headers=headers, body=response.content)

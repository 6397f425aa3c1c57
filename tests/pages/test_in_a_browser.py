"""What axe-core finds on every page, and what a browser complains about: `make test-pages`."""

import pytest

from tests.pages.browser import SCHEMES, WIDTHS, Shown, find_chromium, list_pages, open_chromium

axe = pytest.importorskip(
    "axe_playwright_python.base", reason="`make test-pages` installs what shows pages in a browser"
)
pytestmark = [
    pytest.mark.pages,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        find_chromium() is None,
        reason="no Chromium is found: install Debian's chromium, or name one in the variable CHROMIUM",
    ),
]

# Faults of Django's and Swagger's own: the rule, and the beginning of the element.
NOT_OURS = {
    # The filters of Django's double lists describe their icon by a label; the field beside it has one, too.
    ("aria-prohibited-attr", '<span class="help-tooltip search-label-icon"'),
}
# A colour scheme changes colours only.
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}


def find_faults(page, scheme):
    found = page.evaluate("options => axe.run(options)", RULES[scheme] | {"resultTypes": ["violations"]})
    for violation in found["violations"]:
        for node in violation["nodes"]:
            element = node["html"].replace("\n", " ")
            if not any(rule == violation["id"] and element.startswith(begin) for rule, begin in NOT_OURS):
                yield f"{violation['id']} ({violation['impact']}): {element[:200]}"


def test_a_browser_and_axe_find_nothing_wrong_on_any_page(visitors):
    faults = []
    with open_chromium() as browser:
        shown = Shown(browser.new_page())
        for visitor, visit in list_pages(visitors):
            shown.open(visitor, visit)
            shown.page.evaluate(axe.AXE_SCRIPT)
            for width in WIDTHS:
                for scheme in SCHEMES:
                    shown.arrange(width, scheme)
                    found = [*find_faults(shown.page, scheme), *shown.list_complaints()]
                    faults += [f"{visit}, {width}, {scheme}: {fault}" for fault in found]

    assert faults == []

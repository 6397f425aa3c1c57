from pathlib import Path

from django.apps import apps
from django.conf import settings

from tests.pages.visits import OPERATORS, TENANTS, find_name, list_names

# Addresses that show no page. Is a page of your app missing? Link to it, or furnish it (visits.py).
NOT_VISITED = {
    "home": "the root is of an app that has a page there: tests/test_home.py",
    "logout": "a button",
    "admin:logout": "a button",
    "operators:logout": "a button",
    "admin:view_on_site": "leads on to a page of the site",
    "operators:view_on_site": "leads on to a page of the site",
    "revoke_key": "a button",
    "note_upload": "a file of the tests' own app",
}
NOT_SHOWN = {
    "home.html": "shown where no app has a page at the root: tests/test_home.py",
    "search/parts/home.html": "a part of home.html",
}


def list_own_templates():
    places = [Path(config.path) for config in apps.get_app_configs()]
    own = [place for place in places if "site-packages" not in place.parts]
    folders = [place / "templates" for place in [*own, settings.BASE_DIR / "project"]]
    return {file.relative_to(folder).as_posix() for folder in folders for file in folder.rglob("*.html")}


def test_every_page_of_both_sites_is_visited(visitors):
    visits = [(visitor, visit) for visitor in visitors for visit in visitor.visits]
    visited = {(visitor.urlconf, find_name(visit, visitor.urlconf)) for visitor, visit in visits}
    shown = {part.name for _, visit in visits for part in visit.response.templates}

    assert [fault for visitor in visitors for fault in visitor.faults] == []
    for urlconf in (TENANTS, OPERATORS):
        missing = {name for name in list_names(urlconf) if (urlconf, name) not in visited}
        assert {name for name in missing - NOT_VISITED.keys() if not name.startswith("api-")} == set()
    assert list_own_templates() - shown - NOT_SHOWN.keys() == set()

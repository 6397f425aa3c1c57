"""The apps that a clone may leave out, each by deleting its line of INSTALLED_APPS."""

from importlib.util import find_spec

import pytest
from django.conf import settings

# Each with what is about it in tests/, which is not collected where the app is left out.
OPTIONAL = {
    "apps.audit": ["audit", "operations/bundles/test_audit_carried.py"],
    "apps.operations.fleet": ["operations/fleet"],
    "apps.operations.bundles": ["operations/bundles", "search_switching/test_switch_carried.py"],
    "apps.operations.isolation": ["operations/isolation"],
    "apps.search_switching": ["search_switching", "search_quality/test_switch_comparing.py"],
    "apps.search_own_spaces": ["search_own_spaces"],
    "apps.search_quality": ["search_quality"],
    "apps.articles": ["articles"],
    "project.demo": ["demo"],
}
NOT_INSTALLED = {"project.demo"}  # a part of the project, but no app: its folder is all there is of it


def list_left_out():
    """Return the apps that are left out here."""
    return [
        app
        for app in OPTIONAL
        if (find_spec(app) is None if app in NOT_INSTALLED else app not in settings.INSTALLED_APPS)
    ]


def is_dropped(path):
    """Whether a path lies in an optional app whose folder was deleted, or in that app's tests."""
    dropped = [app for app in OPTIONAL if not (settings.BASE_DIR / app.replace(".", "/")).exists()]
    folders = [app.replace(".", "/") for app in dropped]
    folders += [f"tests/{tests}" for app in dropped for tests in OPTIONAL[app]]
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)


def needs(*apps):
    """Mark a test, or a case of one, that tells nothing where one of these apps is left out."""
    missing = [app for app in apps if app in list_left_out()]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is left out")

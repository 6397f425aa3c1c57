"""The project's settings, with the tests' own app, and without the apps that the variable WITHOUT names.

WITHOUT=apps.articles,project.demo pytest

An app is left out as a clone does it: the lines of project/settings.py that hold its name alone are deleted.
Its modules cannot be imported then, as if its folder were deleted, too.
"""

import os
import re
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

WITHOUT = [app for app in os.environ.get("WITHOUT", "").split(",") if app]


class _Missing(MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if any(f"{fullname}.".startswith(f"{app}.") for app in WITHOUT):
            raise ModuleNotFoundError(f"{fullname} is left out: WITHOUT={','.join(WITHOUT)}", name=fullname)


def _read_project_settings():
    path = Path(__file__).parent.parent / "project" / "settings.py"
    lines = [
        line
        for line in path.read_text().splitlines()
        if not any(re.match(rf'\s*"{re.escape(app)}",', line) for app in WITHOUT)
    ]
    settings = {"__file__": str(path), "__name__": "project.settings"}
    exec(compile("\n".join(lines), path, "exec"), settings)  # noqa: S102
    return {name: value for name, value in settings.items() if name.isupper()}


if WITHOUT:
    sys.meta_path.insert(0, _Missing())
globals().update(_read_project_settings())

TENANT_APPS = [*TENANT_APPS, "tests.models_app"]  # noqa: F821
INSTALLED_APPS = [*INSTALLED_APPS, "tests.models_app"]  # noqa: F821
EMBEDDINGS = EMBEDDINGS | {  # noqa: F821
    "custom": {
        "BACKEND": "apps.search.embedders.minilm.MiniLMEmbedder",
        "MODEL": "notes.NoteEmbedding",
        "OPTIONS": {},
    }
}
SEARCH_DEFAULT_INDEX = "notes"

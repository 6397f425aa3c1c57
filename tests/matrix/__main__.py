"""Proves that each optional app can be left out, and that one can be added: `make test-optional`.

For each variant, the project is copied, the app's line of INSTALLED_APPS and its folder are deleted, and what
must hold is tested there, in a process and a database of its own that begin with nothing.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.conf import settings

from tests.clone.howto import read_settings_line, write_files
from tests.optional import OPTIONAL

EVERYTHING = "everything"
ONE_MORE = "one-more"
VARIANTS = {app: [app] for app in OPTIONAL} | {EVERYTHING: list(OPTIONAL), ONE_MORE: []}
IGNORED = shutil.ignore_patterns(".git", ".venv*", ".postgres", "var", "site", ".*_cache", ".hypothesis")
# A quick choice of the tests of all that stays: whole folders take too long.
TESTS = [
    "tests/matrix",
    "tests/test_api.py",
    "tests/test_home.py",
    "tests/test_layers.py",
    "tests/test_settings.py",
    "tests/pages/test_all_are_visited.py",
    "tests/operations/bundles/test_parts.py",
    "tests/operations/deletion/test_proof.py",
    "tests/operations/doctor/test_doctor.py",
    "tests/operations/isolation/test_isolation.py",
    "tests/recipes",
]
# Tests of a feature each: two in turn, those that name an app that is left out, and all without any of them.
FEATURES = [
    "tests/demo",
    "tests/accounts/test_account_page.py",
    "tests/accounts/test_admin_rights.py",
    "tests/articles/test_pages.py",
    "tests/operations/fleet/test_migrate_schemas.py",
    "tests/operations/isolation/test_no_leak.py",
    "tests/search/test_indexing.py",
    "tests/search/test_sources.py",
    "tests/search_own_spaces/test_own_spaces.py",
    "tests/search_quality/test_golden_api.py",
    "tests/search_switching/test_switch_command.py",
    "tests/tenants/test_no_crossing.py",
    "tests/tenants/test_task_backend.py",
]


class Variant:
    """A copy of the project with some apps fewer, or with one more."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        self.left_out = VARIANTS[name]
        self.log = ""
        parts = urlsplit(settings.DATABASE_URL)
        database = re.sub(r"\W+", "_", f"matrix_{name}")
        url = parts._replace(path=f"{parts.path.rpartition('/')[0]}/{database}").geturl()
        self.environment = os.environ | {"DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment.pop("DJANGO_SETTINGS_MODULE")

    def build(self):
        shutil.copytree(settings.BASE_DIR, self.folder, ignore=IGNORED)
        choices = self.folder / "project" / "settings.py"
        text = choices.read_text()
        for app in self.left_out:
            text = re.sub(rf'^ +"{re.escape(app)}",.*\n', "", text, flags=re.MULTILINE)
            shutil.rmtree(self.folder / app.replace(".", "/"))
        if self.name == ONE_MORE:
            write_files("new-app.md", self.folder)
            example = '    "apps.articles",\n'
            text = text.replace(example, example + read_settings_line("new-app.md"))
            assert "apps.recipes" in text
        choices.write_text(text)
        if self.name == ONE_MORE:
            self.run("manage.py", "makemigrations", "recipes", "--name=initial")

    def list_tests(self):
        about = [f"tests/{path}" for app in self.left_out for path in OPTIONAL[app]]
        turn = 2 * list(VARIANTS).index(self.name)
        in_turn = [FEATURES[(turn + step) % len(FEATURES)] for step in range(2)]
        features = [
            path for path in FEATURES if self.name == EVERYTHING or path in in_turn or self.concerns(path)
        ]
        return [
            path
            for path in TESTS + features
            if (self.folder / path).exists() and not any(path.startswith(each) for each in about)
        ]

    def concerns(self, path):
        """Return whether tests name an app that is left out, as a package or as a folder."""
        place = settings.BASE_DIR / path
        texts = [each.read_text() for each in ([place] if place.is_file() else place.rglob("*.py"))]
        return any(app in text or app.replace(".", "/") in text for app in self.left_out for text in texts)

    def run(self, *arguments):
        """Run Python in the copy; return whether it succeeds."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.log += done.stdout
        return done.returncode == 0


def try_variant(name, with_all_tests):
    """Tell how it goes with a variant, and return whether all is well."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="matrix-") as parent:
        variant = Variant(name, Path(parent) / "project")
        variant.build()
        # Without the project's --reuse-db, which would begin with what an earlier run has left.
        options = ["-q", "-ra", "-p", "no:cacheprovider", "-o", "addopts=--strict-markers"]
        is_well = (
            variant.run("manage.py", "makemigrations", "--check", "--dry-run")  # runs the checks, too
            and variant.run(
                "-m", "pytest", *options, *(["tests"] if with_all_tests else variant.list_tests())
            )
        )
    seconds = time.monotonic() - start
    last = variant.log.strip().splitlines()[-1:]
    print(f"{'ok  ' if is_well else 'FAIL'} {name}: {seconds:.0f} s, {' '.join(last)}", flush=True)
    if not is_well:
        print(*variant.log.splitlines()[-150:], sep=f"\n    {name}: ", flush=True)
    return is_well


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument(
        "variants", nargs="*", metavar="VARIANT", help=f"of {', '.join(VARIANTS)}; default: all"
    )
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="variants at a time")
    parser.add_argument("--all-tests", action="store_true", help="run all tests of what stays, not a choice")
    options = parser.parse_args()
    if unknown := set(options.variants) - VARIANTS.keys():
        parser.error(f"unknown variants: {', '.join(sorted(unknown))}")
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(
            pool.map(partial(try_variant, with_all_tests=options.all_tests), options.variants or VARIANTS)
        )
    sys.exit(not all(results))


if __name__ == "__main__":
    main()

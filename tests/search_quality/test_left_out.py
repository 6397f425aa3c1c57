import os
import subprocess
import sys

from django.conf import settings

SETTINGS = """
from project.settings import *

TENANT_APPS = [app for app in TENANT_APPS if app != "apps.search_quality"]
INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "apps.search_quality"]
"""
SCRIPT = """
import django
django.setup()
from django.core.management import call_command
from django.template.loader import get_template
from django.test import RequestFactory
from django.urls import Resolver404, resolve
from apps.search.searching.answering import SearchAnswer, SearchRequest, tell_answered

get_template("search/search.html")
call_command("check")
call_command("makemigrations", check=True, dry_run=True)
request = RequestFactory().get("/search/?q=moon")
assert tell_answered(request, SearchRequest("moon", ""), SearchAnswer([], "", "")) == {}
try:
    resolve("/search/quality/", "project.urls")
    raise SystemExit("there is a page of the app")
except Resolver404:
    pass
assert resolve("/api/golden-queries", "project.urls").func.__name__ == "answer_no_endpoint"
print(resolve("/search/", "project.urls").url_name)
"""


def test_the_house_stands_without_the_app(tmp_path, db):
    (tmp_path / "without_quality.py").write_text(SETTINGS)
    paths = os.pathsep.join([str(tmp_path), str(settings.BASE_DIR)])
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "without_quality", "PYTHONPATH": paths}

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "search"

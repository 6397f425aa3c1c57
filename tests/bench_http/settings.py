"""The project's settings, with one address more: a page that only reads its tenant."""

from project.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench_http.urls"

import gc
import re

import pytest
from django.conf import settings
from django.urls import get_resolver
from gunicorn.config import Config

from apps.search.spaces import loading
from project import gunicorn

COMMAND = re.compile(r'^CMD \["gunicorn", "project.wsgi", "--config", "(.*?)"', re.MULTILINE)


@pytest.fixture
def frozen():
    yield gc.get_freeze_count
    gc.unfreeze()


def test_everything_is_loaded_before_the_workers_are_forked(monkeypatch, frozen):
    loaded = []
    monkeypatch.setattr(loading, "load_embedders", lambda: loaded.append(frozen()))
    before = frozen()

    gunicorn.on_starting(None)

    assert loaded == [before]
    assert frozen() > before
    assert "url_patterns" in vars(get_resolver())


def test_the_image_names_these_settings_and_gunicorn_knows_them():
    named = COMMAND.search((settings.BASE_DIR / "infra" / "Dockerfile").read_text())[1]
    config = Config()

    for name in ("preload_app", "on_starting"):
        config.set(name, getattr(gunicorn, name))

    assert named == f"python:{gunicorn.__name__}"
    assert config.preload_app is True

import gc
import re
import subprocess
import sys
from textwrap import dedent

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

    for name in ("preload_app", "on_starting", "worker_exit"):
        config.set(name, getattr(gunicorn, name))

    assert named == f"python:{gunicorn.__name__}"
    assert config.preload_app is True


@pytest.mark.parametrize("status", [0, 3])
def test_a_worker_ends_although_a_library_lacks_its_thread(status):
    script = f"""
        import os, sys, time
        import onnxruntime
        from project.gunicorn import worker_exit
        process = os.fork()
        if not process:
            try:
                sys.exit({status})
            finally:
                worker_exit(None, None)
        for _ in range(300):
            ended, found = os.waitpid(process, os.WNOHANG)
            if ended:
                os._exit(found != {status} << 8)
            time.sleep(0.1)
        os.kill(process, 9)
        os._exit(9)
    """

    done = subprocess.run([sys.executable, "-c", dedent(script)], cwd=settings.BASE_DIR, check=False)

    assert done.returncode == 0

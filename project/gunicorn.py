"""Gunicorn's settings: `gunicorn --config python:project.gunicorn project.wsgi`.

The first process loads the site and the weights of the embedders and then forks the workers, which share
that memory as long as nobody writes to it. Nothing is embedded before the fork: a library may begin threads
when it is used, and a fork has none of them.
"""

import gc
from typing import Any

preload_app = True


def on_starting(server: Any) -> None:
    """Load the addresses and the embedders, before gunicorn listens."""
    # Gunicorn reads this file before it loads the site, without which nothing below can be imported.
    from django.urls import get_resolver

    from apps.search.spaces.loading import load_embedders

    _ = get_resolver().url_patterns
    load_embedders()
    gc.collect()
    gc.freeze()  # the collector would write into every object that the workers share

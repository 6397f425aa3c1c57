"""Gunicorn's settings: `gunicorn --config python:project.gunicorn project.wsgi`.

The first process loads the site and the weights of the embedders and then forks the workers, which share
that memory as long as nobody writes to it. Nothing is embedded before the fork: a library may begin threads
when it is used, and a fork has none of them.
"""

import gc
import logging
import os
import sys
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


def worker_exit(server: Any, worker: Any) -> None:
    """End a worker at once, with the status that gunicorn gives it.

    Importing onnxruntime begins a thread, which a fork does not have. The library waits for that thread when
    a process ends in the usual way, and so hangs or crashes.
    """
    error = sys.exc_info()[1]
    status = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 0
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)

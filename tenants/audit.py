"""The record of deeds: a line in the log `audit` for each, with who did what, and whose it was.

    record("revoke key", api_key)

writes, once the transaction is committed:

    who=member:mia@example.com what="revoke key" whose=acme on="nightly import (aB3xY_9k…)"

`whose` is a schema. `who` is member:ADDRESS or operator:ADDRESS, or key:PREFIX:ADDRESS where a request had an
API key; without a request it is task:PATH, command:NAME:USER of the system, or process. What is not a plain
word is a JSON string, so that nobody can forge a line or a part of one.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from getpass import getuser
from pathlib import Path
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from tenants.context import connection, tenant_context, unbound
from tenants.signals import deed_done

logger = logging.getLogger("audit")
_PLAIN = re.compile(r"[\w@.+:/-]+")
_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)
_task: ContextVar[str] = ContextVar("audited_task", default="")


def record(what: str, on: object = "", *, whose: str = "", **details: object) -> None:
    """Write a deed, as soon as it is committed; nothing if it is rolled back.

    `on` is what was changed. `whose` need only be given where it is not the bound schema. A handler finds the
    parts of the line in the log record's `deed`, a dict.
    """
    parts = {"who": _find_actor(), "what": what, "whose": whose or connection.schema_name, "on": on} | details
    deed_done.send(None, deed=parts, request=None if _task.get() else _request.get())
    line = " ".join(f"{name}={_quote(value)}" for name, value in parts.items() if value not in ("", None))
    transaction.on_commit(lambda: logger.info(line, extra={"deed": parts}), robust=True)


def watch_request(request: HttpRequest | None) -> None:
    """Let the deeds that follow be those of the request's user; of nobody in particular for None."""
    _request.set(request)


def get_known_user() -> str:
    """Return the primary key of the request's user if a view has read it already, else ""."""
    user = getattr(_request.get(), "_cached_user", None)
    return str(user.pk) if user is not None and user.pk else ""


@contextmanager
def acting_as_task(path: str) -> Iterator[None]:
    """Let the deeds within be those of a task."""
    token = _task.set(path)
    try:
        yield
    finally:
        _task.reset(token)


def _find_actor() -> str:
    if task := _task.get():
        return f"task:{task}"
    if request := _request.get():
        return _describe_user(request)
    if Path(sys.argv[0]).name == "manage.py" and len(sys.argv) > 1:
        return f"command:{sys.argv[1]}:{_get_system_user()}"
    return "process"


def _describe_user(request: Any) -> str:
    # The user may not have been read yet, and is one of the request's own site.
    with tenant_context(request.tenant) if request.tenant else unbound():
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return "anonymous"
        name = user.get_username()
    if api_key := getattr(request, "api_key", None):
        return f"key:{api_key.prefix}:{name}"
    return f"member:{name}" if request.tenant else f"operator:{name}"


def _get_system_user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return "unknown"


def _quote(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=not text.isprintable())

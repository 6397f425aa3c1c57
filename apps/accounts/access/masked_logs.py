"""Keeps links to set a password out of logs: whoever reads one while it works sets the password."""

import logging
import re
from typing import Any

# What servers and Django write the address of a request to.
LOGS = ("gunicorn.access", "uvicorn.access", "django.server", "django.request", "django.security")
_TOKEN = re.compile(r"(/reset/[^/\s]+/)(?!set-password\b)[^/\s?\"]+")


class TokenFilter(logging.Filter):
    """Replaces the token in the address of such a link by `***`, in a record's message and arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record; keep every one."""
        record.msg = _mask(record.msg)
        if isinstance(record.args, dict):
            for name, value in record.args.items():  # gunicorn's own kind of dict stays
                record.args[name] = _mask(value)
        elif record.args:
            record.args = tuple(map(_mask, record.args))
        return True


def mask_logs() -> None:
    """Put the filter on each of LOGS; to do so twice changes nothing."""
    for name in LOGS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, TokenFilter) for each in logger.filters):
            logger.addFilter(TokenFilter())


def _mask(value: Any) -> Any:
    return _TOKEN.sub(r"\1***", value) if isinstance(value, str) and "/reset/" in value else value

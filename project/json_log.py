"""Logs for programs: a JSON object on each line."""

import logging
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

# What stands in other members, or is an object and no value: Django hands over the request itself.
LEFT_OUT = ("origin", "request", "server_time")


class JsonLogFormatter(JsonFormatter):
    """Writes time, level, logger, message, and whatever a record was given, such as `deed` of the audit log.

    `schema_name`, `request_id`, `task_id` and `user_id` come from TenantFilter; empty ones are left out.
    `time` is in UTC, as in ISO 8601.
    """

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message", "exc_info"],
            rename_fields={"levelname": "level", "name": "logger"},
            reserved_attrs=[*RESERVED_ATTRS, *LEFT_OUT],
            timestamp="time",
            json_ensure_ascii=False,
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, *args: Any) -> None:
        """Fill in the members of a line."""
        super().add_fields(log_data, record, *args)
        for name in [name for name, value in log_data.items() if value in ("", None)]:
            del log_data[name]

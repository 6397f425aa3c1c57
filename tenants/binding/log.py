"""Log lines that say whose they are, and what they belong to."""

import logging

from tenants.audit import get_known_user
from tenants.context import connection
from tenants.tracing import get_request_id, get_task_id


class TenantFilter(logging.Filter):
    """Adds `schema_name`, `request_id`, `task_id` and `user_id` to every record; "" for what there is not."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the attributes, and `origin` for lines to read; keep every record."""
        schema_name, request_id = connection.schema_name, get_request_id()
        record.schema_name, record.request_id, record.task_id = schema_name, request_id, get_task_id()
        record.user_id = get_known_user()
        record.origin = f"{schema_name} {request_id}".rstrip()
        return True

"""Log lines that say whose they are."""

import logging

from tenants.context import connection


class TenantFilter(logging.Filter):
    """Adds `schema_name` to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `record.schema_name` to the bound schema; keep every record."""
        record.schema_name = connection.schema_name
        return True

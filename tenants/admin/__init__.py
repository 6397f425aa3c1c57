"""The operators' admin."""

from tenants.admin import site  # noqa: F401

"""The tests' tasks, where a worker in a process of its own finds them."""

from tests.tenants import tasks  # noqa: F401

"""A pytest plugin for the tests of an app: the fixture `no_leak`.

# conftest.py of the whole test suite
pytest_plugins = ["apps.operations.isolation.testing"]
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from django.db import transaction
from django.tasks.base import Task

from apps.operations.isolation.party import Party
from apps.operations.isolation.process import run_as_worker
from apps.operations.isolation.proving import REFUSALS
from tenants.models import Tenant

Made = TypeVar("Made")


class NoLeak:
    """Fails a test if what is made in one tenant is found in another, or while none is bound."""

    def __init__(self, owner: Tenant, other: Tenant) -> None:
        self._owner = Party(owner)
        self._others = [Party(other), Party()]
        self._present = self._owner

    def __call__(self, make: Callable[[], Made], *, find: Callable[[Made], object]) -> Made:
        """Call `make()` in one tenant, then `find(made)` there, in another tenant and unbound.

        Returns what was made. `find` must be true in the first tenant and false elsewhere. A refusal
        (NoTenantError, TenantMismatchError, DoesNotExist, an error of the database) counts as false.
        """
        with self._owner.bound():
            made = make()
            self._present = self._owner
            if not find(made):
                pytest.fail(f"`find` does not find in {self._owner} what was made there: it proves nothing.")
        for party in self._others:
            self._present, is_found = party, False
            with suppress(*REFUSALS), party.bound(), transaction.atomic():
                is_found = bool(find(made))
            if is_found:
                where = "while no tenant was bound" if party.tenant is None else f"in {party}"
                pytest.fail(f"What was made in {self._owner} was found {where}.")
        return made

    def get(self, path: str, **options: Any) -> Any:
        """For `find`: GET a page of the bound party's site, signed in there with all rights.

        `options` are those of `Party.get`: query, session, headers.
        """
        return self._present.get(path, **{"session": self._present.session} | options)

    def run(self, task: Task, *args: Any, **kwargs: Any) -> Any:
        """For `find`: write a task in the bound party and return its result, as a worker would run it."""
        with self._present.bound():
            return run_as_worker(task, *args, **kwargs)


@pytest.fixture
def no_leak(db: None) -> NoLeak:
    """See NoLeak. Takes the first two active tenants of the test database."""
    tenants = Tenant.objects.filter(state=Tenant.State.ACTIVE).order_by("pk")[:2]
    if len(tenants) < 2:
        pytest.fail("no_leak needs two active tenants in the test database; make them in django_db_setup.")
    return NoLeak(*tenants)

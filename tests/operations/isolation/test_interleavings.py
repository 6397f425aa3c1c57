import asyncio
import os
from collections import Counter
from contextvars import Context, copy_context

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from apps.operations.isolation.process import run_in_thread
from apps.search import get_provider
from apps.search.documents import EmbeddedDocument
from tenants.context import NoTenantError, TenantMismatchError, tenant_context
from tenants.postgresql.pool import open_pool
from tenants.provisioning.life_cycle import provision, register_tenant
from tests.models_app.models import Note

STEPS = int(os.environ.get("STEPS") or 20_000)
RULES_A_RUN = 60
SLOTS = 4
DIMENSIONS = 384
UNBOUND = "public"
SESSION = "SELECT nullif((current_schemas(false))[1], 'public'), current_user = session_user"

tenant_numbers = st.integers(0, 2)
slots = st.integers(0, SLOTS - 1)
WORK = ["write", "write_again", "read", "load", "carry", "remember", "recall", "index", "search"]
work = st.lists(st.tuples(st.sampled_from(WORK), slots), min_size=8, max_size=16)


def make_vector(slot):
    return [float(number == slot) for number in range(DIMENSIONS)]


def read_rows():
    return dict(Note.objects.filter(key__startswith="slot").values_list("key", "title"))


class Interleaving(RuleBasedStateMachine):
    """Whatever is bound in whatever order, each tenant is as the dictionaries say."""

    tenants: list
    done: Counter
    pooled: object

    def __init__(self):
        super().__init__()
        self.rows = {name: {} for name in self.names}
        self.cached = {name: {} for name in [*self.names, UNBOUND]}
        self.documents = {name: {} for name in self.names}
        self.bindings, self.carried, self.made = [], {}, 0
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()

    @property
    def names(self):
        return [tenant.schema_name for tenant in self.tenants]

    @property
    def bound(self):
        return self.bindings[-1][0] if self.bindings else UNBOUND

    def make_value(self):
        self.made += 1
        return f"{self.bound} {self.made}"

    def in_tenant(self, function):
        if self.bound != UNBOUND:
            return function()
        with pytest.raises(NoTenantError, match=r"none is bound|No tenant is bound"), transaction.atomic():
            function()
        return None

    @precondition(lambda self: len(self.bindings) < 5)
    @rule(number=tenant_numbers)
    def bind(self, number):
        self.done["bind"] += 1
        binding = tenant_context(self.tenants[number])
        binding.__enter__()
        self.bindings.append((self.names[number], binding))

    @precondition(lambda self: self.bindings)
    @rule()
    def unbind(self):
        self.done["unbind"] += 1
        self.bindings.pop()[1].__exit__(None, None, None)

    @precondition(lambda self: self.bindings)
    @rule()
    def fail(self):
        self.done["fail"] += 1
        error = ValueError("in the middle of it")
        assert not self.bindings.pop()[1].__exit__(ValueError, error, None)

    @rule(steps=work)
    def work(self, steps):
        for name, slot in steps:
            self.done[name] += 1
            getattr(self, f"do_{name}")(slot)

    @rule(number=tenant_numbers, slot=slots)
    def fail_and_roll_back(self, number, slot):
        self.done["roll back"] += 1
        before = {name: dict(rows) for name, rows in self.rows.items()}
        with pytest.raises(ValueError, match="undo"), transaction.atomic():  # noqa: PT012, SIM117
            with tenant_context(self.tenants[number]):
                Note.objects.filter(key=f"slot{slot}").update(title="never")
                raise ValueError("undo")
        self.rows = before
        self.do_read(slot)

    @rule()
    def read_in_threads(self):
        self.done["thread"] += 2
        context = copy_context()
        inherited = self.in_tenant(lambda: run_in_thread(lambda: context.run(read_rows)))
        assert inherited == self.rows.get(self.bound)
        with pytest.raises(NoTenantError):
            run_in_thread(lambda: Context().run(read_rows))

    @rule(numbers=st.lists(tenant_numbers, min_size=2, max_size=3))
    def read_in_coroutines(self, numbers):
        self.done["coroutine"] += len(numbers)

        async def visit(number):
            seen = []
            with tenant_context(self.tenants[number]):
                for _ in range(2):
                    await asyncio.sleep(0)
                    seen.append(await sync_to_async(read_rows)())
            return seen

        async def visit_all():
            return await asyncio.gather(*map(visit, numbers))

        seen = async_to_sync(visit_all)()
        assert seen == [[self.rows[self.names[number]]] * 2 for number in numbers]

    @rule(number=st.integers(0, 1))  # of the third tenant other sessions know nothing
    def go_through_the_pool(self, number):
        self.done["pool"] += 1
        self.pooled.ensure_connection()
        assert self.pooled.connection.execute(SESSION).fetchone() == (None, True)
        with tenant_context(self.tenants[number]), self.pooled.cursor() as cursor:
            cursor.execute(SESSION)
            assert cursor.fetchone() == (self.names[number], False)
        self.pooled.close()

    def do_write(self, slot):
        title = self.make_value()
        row = Note(key=f"slot{slot}", title=title, body="x")
        self.in_tenant(
            lambda: Note.objects.bulk_create(
                [row], update_conflicts=True, unique_fields=["key"], update_fields=["title"]
            )
        )
        if self.bound != UNBOUND:
            self.rows[self.bound][row.key] = title

    def do_write_again(self, slot):
        title, key = self.make_value(), f"slot{slot}"
        changed = self.in_tenant(lambda: Note.objects.filter(key=key).update(title=title))
        if changed:
            self.rows[self.bound][key] = title
        assert changed in (None, int(key in self.rows.get(self.bound, {})))

    def do_read(self, slot):
        assert self.in_tenant(read_rows) == self.rows.get(self.bound)

    def do_load(self, slot):
        row = self.in_tenant(lambda: Note.objects.filter(key=f"slot{slot}").first())
        if row:
            self.carried[slot] = (self.bound, row)

    def do_carry(self, slot):
        home, row = self.carried.get(slot, (None, None))
        if home == self.bound:
            row.refresh_from_db()
            assert row.title == self.rows[home][row.key]
        elif row:
            with pytest.raises(TenantMismatchError, match=home):
                row.save()
            with pytest.raises(TenantMismatchError, match=home):
                row.refresh_from_db()

    def do_remember(self, slot):
        self.cached[self.bound][slot] = value = self.make_value()
        cache.set(f"slot{slot}", value)

    def do_recall(self, slot):
        assert cache.get(f"slot{slot}") == self.cached[self.bound].get(slot)

    def do_index(self, slot):
        content = self.make_value()
        document = EmbeddedDocument(f"slot{slot}", content, {}, make_vector(slot))
        self.in_tenant(lambda: get_provider("notes").add([document]))
        if self.bound != UNBOUND:
            self.documents[self.bound][slot] = content

    def do_search(self, slot):
        found = self.in_tenant(lambda: list(get_provider("notes").nearest(make_vector(slot))[: SLOTS + 1]))
        if found is not None:
            own = self.documents[self.bound]
            assert {row.content for row in found} == set(own.values())
            assert slot not in own or found[0].content == own[slot]

    @invariant()
    def the_connection_says_what_is_bound(self):
        assert connection.schema_name == self.bound

    def teardown(self):
        while self.bindings:
            self.bindings.pop()[1].__exit__(None, None, None)
        cache.clear()
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)


@pytest.fixture
def initech(db):
    tenant = register_tenant(name="Initech", subdomain="initech", owner_email="bill@initech.example")
    provision(tenant)
    return tenant


@pytest.fixture
def pooled(db):
    with open_pool() as pooled:
        yield pooled


def make_machine(pooled, *tenants):
    return type("Machine", (Interleaving,), {"tenants": tenants, "done": Counter(), "pooled": pooled})


def make_options(runs):
    return settings(
        max_examples=runs,
        stateful_step_count=RULES_A_RUN,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def test_no_interleaving_of_three_tenants_lets_anything_across(acme, globex, initech, pooled):
    machine = make_machine(pooled, acme, globex, initech)

    while machine.done.total() < STEPS:
        run_state_machine_as_test(machine, settings=make_options(10))

    assert machine.done.total() >= STEPS
    assert {*WORK, "bind", "unbind", "fail", "roll back", "thread", "coroutine", "pool"} == set(machine.done)
    print(f"{machine.done.total():,} steps: {dict(machine.done)}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHES", {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}),
        ("DATABASE_ROUTERS", ["django_tenants.routers.TenantSyncRouter"]),
    ],
)
def test_the_interleavings_find_what_a_setting_lets_across(
    acme, globex, initech, pooled, settings, name, value
):
    setattr(settings, name, value)

    # A carried row that is let through may also meet the guard or the constraint behind.
    with pytest.raises((AssertionError, pytest.fail.Exception, NoTenantError, IntegrityError)):
        run_state_machine_as_test(make_machine(pooled, acme, globex, initech), settings=make_options(200))

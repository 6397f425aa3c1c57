import time
from itertools import count

import pytest

from tenants.context import tenant_context
from tenants.memory import TenantMemory


@pytest.fixture
def make_memory():
    """A memory, and a function that gives another answer each time."""

    def make(**options):
        memory = TenantMemory(**{"seconds": 60, "size": 10} | options)
        numbers = count(1)
        return memory, lambda: next(numbers)

    return make


def test_an_answer_is_remembered(make_memory):
    memory, find = make_memory()

    assert [memory.get("key", find), memory.get("key", find), memory.get("other", find)] == [1, 1, 2]


def test_another_tenant_has_answers_of_its_own(make_memory, acme, globex):
    memory, find = make_memory()

    def ask(tenant):
        with tenant_context(tenant):
            return memory.get("key", find)

    assert [ask(acme), ask(globex), ask(acme), ask(globex)] == [1, 2, 1, 2]


def test_an_old_answer_is_found_anew(make_memory, monkeypatch):
    memory, find = make_memory(seconds=5)
    memory.get("key", find)
    now = time.monotonic()

    monkeypatch.setattr(time, "monotonic", lambda: now + 6)

    assert memory.get("key", find) == 2


def test_the_oldest_answers_go_when_it_is_full(make_memory):
    memory, find = make_memory(size=2)

    for key in ("a", "b", "c"):
        memory.get(key, find)

    assert len(memory) == 2
    assert [memory.get("b", find), memory.get("c", find), memory.get("a", find)] == [2, 3, 4]


@pytest.mark.parametrize(("keeps_none", "asked"), [(True, 1), (False, 2)])
def test_none_is_kept_where_it_is_an_answer(make_memory, keeps_none, asked):
    memory, _ = make_memory(keeps_none=keeps_none)
    calls = []

    for _ in range(2):
        memory.get("key", lambda: calls.append("asked"))

    assert len(calls) == asked


def test_a_forgotten_answer_is_found_anew_and_another_tenants_is_not(make_memory, acme, globex):
    memory, find = make_memory()
    for tenant in (acme, globex):
        with tenant_context(tenant):
            memory.get("key", find)

    with tenant_context(acme):
        memory.forget("key")
        found = memory.get("key", find)

    with tenant_context(globex):
        kept = memory.get("key", find)
    assert (found, kept) == (3, 2)


def test_all_is_forgotten(make_memory):
    memory, find = make_memory()
    memory.get("key", find)

    memory.clear()

    assert memory.get("key", find) == 2


def test_an_error_is_not_remembered(make_memory):
    memory, find = make_memory()

    with pytest.raises(ZeroDivisionError):
        memory.get("key", lambda: 1 / 0)

    assert memory.get("key", find) == 1

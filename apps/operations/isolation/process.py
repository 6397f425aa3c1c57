"""Attacks on what a process holds beside its connection: cache, files, tasks, threads, coroutines."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections
from django.tasks.base import Task
from django_tasks_db.models import DBTaskResult

from apps.operations.isolation.database import find_user
from apps.operations.isolation.party import Party, plant_user
from apps.operations.isolation.tasks import look_for_user
from tenants.context import connection, owner_rights

CACHE_KEY = "isolation:canary"
CACHE_SECONDS = 600  # in case the process is killed before it deletes the key
TURNS = 3  # how often interleaved coroutines give way


def plant_cached(party: Party) -> str:
    """Cache the token; return the key, which is the same in every tenant."""
    cache.set(CACHE_KEY, party.token, CACHE_SECONDS)
    party.cleanup.callback(cache.delete, CACHE_KEY)
    return CACHE_KEY


def plant_file(party: Party) -> str:
    """Store a file that holds the token; return its name."""
    name = default_storage.save(f"isolation-{party.word}.txt", ContentFile(party.token.encode()))
    party.cleanup.callback(default_storage.delete, name)
    return name


def run_as_worker(task: Task, *args: Any, **kwargs: Any) -> Any:
    """Write a task in the bound tenant, call it as a worker does, and return its result."""
    result = task.enqueue(*args, **kwargs)
    with owner_rights():
        written = DBTaskResult.objects.get(pk=result.id).task_result
    try:
        return task.call(*written.args, **written.kwargs)
    finally:
        with owner_rights():
            DBTaskResult.objects.filter(pk=result.id).delete()


def run_in_thread(function: Callable[[], Any]) -> Any:
    """Run it in another thread on this connection; only its transaction sees what was planted."""
    shared = connections[connection.alias]

    def run() -> Any:
        connections[shared.alias] = shared
        return function()

    shared.inc_thread_sharing()
    try:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(run).result()
    finally:
        shared.dec_thread_sharing()


def read_cache(victim: Party, attacker: Party) -> bool:
    """The cache, with the victim's key."""
    return cache.get(victim.of(plant_cached)) == victim.token


def open_file(victim: Party, attacker: Party) -> bool:
    """A file of the victim's, by its name."""
    return _holds_token(victim.of(plant_file), victim)


def open_file_by_path(victim: Party, attacker: Party) -> bool:
    """A file of the victim's, by a path that leads out of the attacker's folder."""
    return _holds_token(f"../{victim.schema_name}/{victim.of(plant_file)}", victim)


def run_task(victim: Party, attacker: Party) -> bool:
    """A task of the attacker's, run as a worker runs it."""
    return run_as_worker(look_for_user, victim.of(plant_user).email)


def read_in_thread(victim: Party, attacker: Party) -> bool:
    """A thread with the attacker's context."""
    context, email = copy_context(), victim.of(plant_user).email
    return run_in_thread(lambda: context.run(find_user, email))


def read_in_bare_thread(victim: Party, attacker: Party) -> bool:
    """A thread without a context that was bound to the victim and then binds the attacker."""
    email = victim.of(plant_user).email

    def run() -> bool:
        with victim.bound():
            find_user(email)
        with attacker.bound():
            return find_user(email)

    return run_in_thread(run)


def read_beside_coroutine(victim: Party, attacker: Party) -> bool:
    """Two coroutines at once, one bound to the victim, on one connection."""
    email = victim.of(plant_user).email

    async def visit(party: Party) -> bool:
        with party.bound():
            seen = []
            for _ in range(TURNS):
                await asyncio.sleep(0)
                seen.append(party.tenant is not None and await sync_to_async(find_user)(email))
            return any(seen)

    async def interleave() -> bool:
        return (await asyncio.gather(visit(victim), visit(attacker)))[1]

    return async_to_sync(interleave)()


def _holds_token(name: str, victim: Party) -> bool:
    if not default_storage.exists(name):
        return False
    with default_storage.open(name) as file:
        return victim.token.encode() in file.read()


ATTACKS = [
    read_cache,
    open_file,
    open_file_by_path,
    run_task,
    read_in_thread,
    read_in_bare_thread,
    read_beside_coroutine,
]

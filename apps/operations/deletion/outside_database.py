"""Looks for remains of a tenant outside the database, and names the places that no process can see."""

import os
from collections.abc import Iterable

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.files.storage import default_storage
from django_tenants.utils import schema_context

from apps.operations.deletion.remains import Gone, Look, Verdict, judge
from tenants.provisioning.caches import UnseenError, list_cached
from tenants.provisioning.erasing import has_own_folder

NEVER_AGAIN = "no later tenant gets the schema's name"


def look_for_files(gone: Gone) -> Iterable[Look]:
    """Look in the tenant's folder of the default storage."""
    with schema_context(gone.schema):
        if not has_own_folder():
            remark = "the storage does not say that each tenant has a place of its own; nothing was deleted"
            fix = "Delete the tenant's files there by hand."
            yield Look("files", "STORAGES['default']", Verdict.UNSEEN, 0, remark, fix)
            return
        fix = f"Find out who may not delete them; then: manage.py delete_tenant {gone.schema} --now"
        yield judge("files", f"STORAGES['default'], the folder {gone.schema}", _count_files(), fix)


def look_for_cached(gone: Gone) -> Iterable[Look]:
    """Look in each of settings.CACHES, by the beginning of the keys. Local memory is this process's own."""
    for alias in settings.CACHES:
        looked_at = f"CACHES[{alias!r}]"
        try:
            found = len(list_cached(alias, gone.schema))
        except UnseenError as error:
            timeout = caches[alias].default_timeout
            expiry = "may stay" if timeout is None else f"expire, by default after {timeout} s"
            remark = f"{error}; entries {expiry}; {NEVER_AGAIN}"
            yield Look("cache", looked_at, Verdict.UNSEEN, 0, remark)
        else:
            yield judge("cache", looked_at, found, f"manage.py delete_tenant {gone.schema} --now")


def look_elsewhere(gone: Gone) -> Iterable[Look]:
    """Name the places that this process cannot see."""
    if any(isinstance(caches[alias], LocMemCache) for alias in caches.settings):
        remark = f"local memory ends with its process; {NEVER_AGAIN}"
        yield Look("cache", "of other processes", Verdict.UNSEEN, 0, remark)
    remark = f"remove {gone.schema}.dump from each; those of public hold the tenant's row"
    yield Look("backups", "where infra/backup.sh has written them", Verdict.UNSEEN, 0, remark)
    yield Look("log lines, mails", "what has left the house", Verdict.UNSEEN)


def _count_files() -> int:
    """Count files and folders, the tenant's own folder included."""
    try:
        root = default_storage.path("")
    except NotImplementedError:
        return _count_listed("")
    return sum(1 + len(files) for _, _, files in os.walk(root))


def _count_listed(folder: str) -> int:
    folders, files = default_storage.listdir(folder)
    return len(files) + sum(_count_listed(f"{folder}{name}/") for name in folders)

"""From the host of a request to its Domain, which is remembered.

Every request begins with this question, and the answer hardly ever changes. A process that changes a Tenant
or a Domain forgets all hosts once that is committed. What other processes change it notices within
settings.TENANT_CACHE_SECONDS: it reads the registry's version, one small query for all hosts together, so
that a host which is asked for once an hour is remembered as well.
"""

import pickle
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import post_delete, post_save
from django_tenants.utils import get_tenant_domain_model, get_tenant_model

from tenants.conf import conf
from tenants.context import connection

if TYPE_CHECKING:
    from tenants.models import Domain

MAX_HOSTS = 4_096  # less than a kilobyte each


class HostCache:
    """The hosts that were asked for last, at most `size` of them; for any number of threads and coroutines.

    Objects are kept pickled: whoever asks gets a copy of his own, all the way down.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = Lock()
        self._pickled: OrderedDict[str, bytes] = OrderedDict()
        self._generation = 0  # how often it was emptied
        self._version: object = None
        self._checked_at = float("-inf")

    def __len__(self) -> int:
        return len(self._pickled)

    def get(self, host: str, seconds: float) -> "Domain | None":
        """Return the host's Domain as the registry had it at most so many seconds ago, or None.

        None is never kept: names that nobody has must not drive out those that somebody has.
        """
        if time.monotonic() - self._checked_at >= seconds:
            self._check_version()
        with self._lock:
            generation = self._generation
            if pickled := self._pickled.get(host):
                self._pickled.move_to_end(host)
        if pickled:
            domain: Domain = pickle.loads(pickled)  # noqa: S301 - this process pickled it
            return domain
        found = _look_up(host)
        if found is not None:
            self._keep(host, pickle.dumps(found), generation)
        return found

    def clear(self) -> None:
        """Forget all, and what is being read at this moment, too."""
        with self._lock:
            self._clear()
            self._checked_at = float("-inf")  # or the next look at the version would empty it once more

    def _check_version(self) -> None:
        now = time.monotonic()
        version = _read_version()
        with self._lock:
            if version != self._version:
                self._clear()
            self._version, self._checked_at = version, now

    def _clear(self) -> None:
        self._generation += 1
        self._pickled.clear()

    def _keep(self, host: str, pickled: bytes, generation: int) -> None:
        with self._lock:
            if generation != self._generation:
                return  # the registry changed while it was read
            self._pickled[host] = pickled
            if len(self._pickled) > self.size:
                self._pickled.popitem(last=False)


_hosts = HostCache(MAX_HOSTS)


class RegistryQuerySet(QuerySet):
    """Of Tenant and Domain: `update` sends no signal, so it forgets the hosts itself."""

    def update(self, **values: Any) -> int:
        """As Django's."""
        changed = super().update(**values)
        _forget_after_commit(using=self.db)
        return changed

    update.alters_data = True  # type: ignore[attr-defined]


def find_domain(host: str) -> "Domain | None":
    """Return the Domain of a host in lower case, with its tenant read, or None when nobody has it.

    Both are the caller's own. Within a transaction the database is asked each time: what is read there may
    yet be rolled back.
    """
    seconds = conf.TENANT_CACHE_SECONDS
    if seconds <= 0 or connection.in_atomic_block:
        return _look_up(host)
    return _hosts.get(host, seconds)


def forget_hosts() -> None:
    """Make this process ask the registry again at once: after a change of it by raw SQL."""
    _hosts.clear()


def watch_registry() -> None:
    """Forget the hosts after each change of a Tenant or a Domain in this process."""
    for model in (get_tenant_model(), get_tenant_domain_model()):
        for signal in (post_save, post_delete):
            signal.connect(_forget_after_commit, sender=model, dispatch_uid="tenants.hosts")


def _forget_after_commit(using: str, **kwargs: Any) -> None:
    transaction.on_commit(forget_hosts, using=using)


def _read_version() -> list[Any]:
    """Return what differs after any change of the registry, whoever made it.

    Every version of a row has the number of the transaction that wrote it, higher than all before. With as
    many rows as before, their sum is higher; a change of the number of rows shows by itself.
    """
    quote = connection.ops.quote_name
    tables = [quote(model._meta.db_table) for model in (get_tenant_model(), get_tenant_domain_model())]
    sums = [f"SELECT count(*), sum(xmin::text::bigint) FROM {table}" for table in tables]  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(sums))
        return cursor.fetchall()


def _look_up(host: str) -> "Domain | None":
    with connection.cursor() as cursor:
        cursor.execute(_get_sql(), [host])
        row = cursor.fetchone()
    if row is None:
        return None
    domain_model = get_tenant_domain_model()
    count = len(domain_model._meta.concrete_fields)
    domain: Domain = _make(domain_model, row[:count])
    domain.tenant = _make(get_tenant_model(), row[count:])
    return domain


@cache
def _get_sql() -> str:
    """Compiled once: Django's compiler takes three times as long as the query. Its parameter is the host."""
    domains = get_tenant_domain_model().objects.select_related("tenant")
    sql: str = domains.filter(domain="").order_by().query.sql_with_params()[0]
    return sql


def _make(model: Any, row: Sequence[Any]) -> Any:
    fields, values = model._meta.concrete_fields, list(row)
    for position, field in enumerate(fields):
        for convert in field.get_db_converters(connection):
            values[position] = convert(values[position], None, connection)
    return model.from_db(connection.alias, [field.attname for field in fields], values)

"""From the host of a request to its Domain, which the process remembers.

Every request asks this, and the answer hardly ever changes. A process that changes a Tenant or a Domain
forgets all hosts once the change is committed. It notices the changes of other processes within
TENANT_CACHE_SECONDS, when it reads the registry's version: one small query for all hosts together, so that
it can remember a host that is asked for once an hour, too.
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
    """The `size` hosts that were asked for last; for any number of threads and coroutines.

    It keeps objects pickled, so every caller gets a copy of its own, all the way down. It is not a
    TenantMemory: no tenant is bound yet, and an answer ends with the registry's version.
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

        It never keeps None: names that nobody has must not drive out those that somebody has.
        """
        if (now := time.monotonic()) - self._checked_at >= seconds:
            version = _read_version()
            with self._lock:
                if version != self._version:
                    self._clear()
                self._version, self._checked_at = version, now
        with self._lock:
            generation = self._generation
            if pickled := self._pickled.get(host):
                self._pickled.move_to_end(host)
        if pickled:
            domain: Domain = pickle.loads(pickled)  # noqa: S301 - this process pickled it
            return domain
        found = _look_up(host)
        with self._lock:
            if found is not None and generation == self._generation:  # the registry did not change meanwhile
                self._pickled[host] = pickle.dumps(found)
                if len(self._pickled) > self.size:
                    self._pickled.popitem(last=False)
        return found

    def clear(self) -> None:
        """Forget all hosts, and those that are being read at this moment, too."""
        with self._lock:
            self._clear()
            self._checked_at = float("-inf")  # or the next look at the version would empty it once more

    def _clear(self) -> None:
        self._generation += 1
        self._pickled.clear()


_hosts = HostCache(MAX_HOSTS)


class RegistryQuerySet(QuerySet):
    """The queryset of Tenant and Domain: `update` sends no signal, so it forgets the hosts itself."""

    def update(self, **values: Any) -> int:
        """As Django's."""
        changed = super().update(**values)
        _forget_after_commit(using=self.db)
        return changed

    update.alters_data = True  # type: ignore[attr-defined]


def find_domain(host: str) -> "Domain | None":
    """Return the Domain of a host in lower case, with its tenant, or None when nobody has it.

    Both objects are the caller's own. Within a transaction it asks the database each time: what is read there
    may still be rolled back.
    """
    seconds = conf.TENANT_CACHE_SECONDS
    if seconds <= 0 or connection.in_atomic_block:
        return _look_up(host)
    return _hosts.get(host, seconds)


def forget_hosts() -> None:
    """Make this process ask the registry again at once. For changes of it by raw SQL."""
    _hosts.clear()


def watch_registry() -> None:
    """Forget the hosts after each change of a Tenant or a Domain in this process."""
    for model in (get_tenant_model(), get_tenant_domain_model()):
        for signal in (post_save, post_delete):
            signal.connect(_forget_after_commit, sender=model, dispatch_uid="tenants.hosts")


def _forget_after_commit(using: str, **kwargs: Any) -> None:
    transaction.on_commit(forget_hosts, using=using)


def _read_version() -> list[Any]:
    """Return a value that differs after any change of the registry, whoever made it.

    Every version of a row has the number of the transaction that wrote it, higher than all before. So the sum
    is higher after a change that leaves the number of rows alone; another number shows by itself.
    """
    quote = connection.ops.quote_name
    tables = [quote(model._meta.db_table) for model in (get_tenant_model(), get_tenant_domain_model())]
    sums = [f"SELECT count(*), sum(xmin::text::bigint) FROM {table}" for table in tables]  # noqa: S608 - the tables are models', and quoted
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
    """Return the statement; its parameter is the host. Compiling takes three times as long as the query."""
    domains = get_tenant_domain_model().objects.select_related("tenant")
    sql: str = domains.filter(domain="").order_by().query.sql_with_params()[0]
    return sql


def _make(model: Any, row: Sequence[Any]) -> Any:
    fields, values = model._meta.concrete_fields, list(row)
    for position, field in enumerate(fields):
        for convert in field.get_db_converters(connection):
            values[position] = convert(values[position], None, connection)
    return model.from_db(connection.alias, [field.attname for field in fields], values)

"""Vectors of texts that the bound tenant searched for lately, so that a process embeds equal texts once.

What one tenant asks is kept apart from all others, so that nobody learns from an answer's time what another
tenant searched for. A text is kept as its digest only. Beyond PGVECTOR["QUERIES"] vectors of
a tenant, its own go that were used longest ago; beyond QUERIES_MB of all, those of the tenant that has
searched for nothing the longest.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from django_tenants.utils import get_public_schema_name

from apps.search.embedders import BaseEmbedder
from apps.search.embedders.base import Vectors
from apps.search.storage.pgvector.conf import conf
from tenants.context import connection


@dataclass
class QueryUse:
    """How many texts the bound tenant searched for in this process, and how many had been embedded before."""

    texts: int = 0
    known: int = 0


@dataclass
class _Own:
    """What is known of one tenant, the vector used longest ago first."""

    vectors: OrderedDict[bytes, Vectors] = field(default_factory=OrderedDict)
    use: QueryUse = field(default_factory=QueryUse)


class QueryVectors:
    """The vectors of all tenants; for any number of threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tenants: OrderedDict[str, _Own] = OrderedDict()
        self._bytes = 0

    def find(self, schema: str, key: bytes) -> Vectors | None:
        """Return a tenant's vector and count the search."""
        with self._lock:
            own = self._tenants.setdefault(schema, _Own())
            self._tenants.move_to_end(schema)
            own.use.texts += 1
            if (vector := own.vectors.get(key)) is not None:
                own.vectors.move_to_end(key)
                own.use.known += 1
            return vector

    def keep(self, schema: str, key: bytes, vector: Vectors, most: int, most_bytes: float) -> None:
        """Keep a tenant's vector, and drop others beyond its number and beyond the bytes of all."""
        with self._lock:
            own = self._tenants.setdefault(schema, _Own())
            if key not in own.vectors:
                own.vectors[key] = vector
                self._bytes += vector.nbytes
            while len(own.vectors) > most:
                self._drop(own)
            while self._bytes > most_bytes:
                oldest = next(iter(self._tenants))
                if self._tenants[oldest].vectors:
                    self._drop(self._tenants[oldest])
                else:
                    del self._tenants[oldest]

    def get_use(self, schema: str) -> QueryUse:
        """Return how much a tenant was helped."""
        with self._lock:
            own = self._tenants.get(schema)
            return QueryUse(own.use.texts, own.use.known) if own else QueryUse()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tenants.clear()
            self._bytes = 0

    def _drop(self, own: _Own) -> None:
        self._bytes -= own.vectors.popitem(last=False)[1].nbytes


_known = QueryVectors()


def embed_query(embedder: BaseEmbedder, text: str) -> Vectors:
    """Return the vector of a search text as `embedder.embed_query` does, remembered for the bound tenant.

    The array is read-only. Nothing is remembered while no tenant is bound, of embedders that are quicker than
    that, and with PGVECTOR["QUERIES"] 0. Raises what the embedder raises.
    """
    schema, most = connection.schema_name, conf.QUERIES
    is_kept = schema != get_public_schema_name() and embedder.is_worth_caching and most > 0
    if not is_kept or not isinstance(text, str):
        return embedder.embed_query(text)
    key = _make_key(embedder, text)
    vector = _known.find(schema, key)
    if vector is None:
        vector = embedder.embed_query(text)
        vector.flags.writeable = False
        _known.keep(schema, key, vector, most, conf.QUERIES_MB * 1e6)
    return vector


def get_query_use() -> QueryUse:
    """Return how often this process knew the vector of what the bound tenant searched for."""
    return _known.get_use(connection.schema_name)


def forget_query_vectors() -> None:
    """Forget the vectors of all tenants, and how often they helped."""
    _known.clear()


def _make_key(embedder: BaseEmbedder, text: str) -> bytes:
    digest = hashlib.sha256()
    for part in (embedder.model_id, str(embedder.dimensions), embedder.query_prefix, text):
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.digest()

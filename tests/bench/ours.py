"""This project's provider, as an app uses it: the default table with its own HNSW index, given vectors."""

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from apps.search.documents import EmbeddedDocument
from apps.search.embedders import BaseEmbedder
from apps.search.searching.hybrid import search_by_mode
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.ann.report import measure_ann_index
from apps.search.storage.pgvector.keywords.pending import make_pending_keywords
from apps.search.storage.pgvector.keywords.renewing import make_postings
from apps.search.storage.pgvector.provider import PgVectorProvider
from tenants.context import connection, owner_rights
from tests.bench.clock import seconds
from tests.bench.workload import Item, K, Workload

NAME = "bench"  # of the space and of the index
WAITING = 5  # searches while the words are still to be made


class GivenVectors(BaseEmbedder):
    """Knows the vectors of the questions beforehand: what embedding costs is not measured here."""

    model_id = "bench:given"

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.dimensions = workload.options.dimensions
        self.vectors = dict(zip(workload.questions, workload.queries, strict=True))

    def embed_batch(self, texts: list[str]) -> np.ndarray:
        return np.array([self.vectors[text] for text in texts])


def get_provider(workload: Workload) -> PgVectorProvider:
    """Return the provider that every measurement uses, in whichever tenant is bound."""
    return PgVectorProvider(index_name=NAME, space=NAME, embedder=GivenVectors(workload))


def make_documents(items: list[Item]) -> list[EmbeddedDocument]:
    """Return the documents as an app has them once they are embedded."""
    return [EmbeddedDocument(each.key, each.content, each.metadata, each.vector) for each in items]


class Ours:
    """One index in one space of the bound tenant."""

    name = "ours"

    def __init__(self, workload: Workload) -> None:
        self.questions = workload.questions
        self.provider = get_provider(workload)
        self.table = connection.ops.quote_name(self.provider.model._meta.db_table)
        self.dimensions = workload.options.dimensions

    def prepare(self, items: list[Item]) -> None:
        self.documents = make_documents(items)

    def empty(self) -> None:
        self._execute(f"TRUNCATE {self.table}")

    def ingest(self) -> None:
        self.provider.add(self.documents)

    def finish(self) -> dict[str, float]:
        """Do what `add` left to a worker; return how long, and how long searches by words took before."""
        search = self.searches_by_text()["keyword"]
        waiting = [seconds(partial(search, number)) for number in range(min(WAITING, len(self.questions)))]
        taken = seconds(partial(make_pending_keywords, self.provider.model, NAME, NAME))
        return {"keywords_later": taken, "search_before": 1000 * median(waiting)}

    def build_index(self) -> None:
        """As the task does, but whatever the number of rows."""
        key = (self.provider.model, NAME, NAME, self.dimensions, len(self.documents))
        build_ann_index(*key)
        measure_ann_index(*key)
        make_postings(self.provider.model, NAME, NAME)
        self._execute(f"VACUUM ANALYZE {self.table}")

    def nearest(self, vector: Any, filter: dict[str, int] | None) -> list[Any]:
        rows = self.provider.nearest(vector)
        return list(rows[:K] if filter is None else rows.filter(metadata__contains=filter)[:K])

    def positions(self, rows: list[Any]) -> list[int]:
        return [int(row.document_key) for row in rows]

    def ways_to_readd(self) -> dict[str, Callable[[int], Any]]:
        return {"add": lambda count: self.provider.add(self.documents[:count])}

    def searches_by_text(self) -> dict[str, Callable[[int], list[Any]]]:
        """Return the other modes of search, each a function of the question's number."""
        return {
            mode: lambda number, mode=mode: list(
                search_by_mode(self.provider, self.questions[number], mode)[:K]
            )
            for mode in ("keyword", "hybrid")
        }

    def _execute(self, statement: str) -> None:
        with owner_rights(), connection.cursor() as cursor:
            cursor.execute(statement)

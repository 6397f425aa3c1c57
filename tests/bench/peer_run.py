"""Measures the peers with their own Python (see `peers`): an order in JSON on stdin, the figures on stdout.

Each is used as its manual shows: the provider of django-ai-core with its own table and with a custom one
that has an HNSW index, the vector store of langchain-postgres with an HNSW index and metadata columns.
"""

import json
import sys
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.db import connection
from langchain_core.embeddings import Embeddings
from langchain_postgres import Column, PGEngine, PGVectorStore
from langchain_postgres.v2.indexes import HNSWIndex
from sqlalchemy import URL

from tests.bench.measure import measure
from tests.bench.workload import CASES, Item, K, Options, Workload

PGVECTOR = "django_ai_core.contrib.index.storage.pgvector"


class NoEmbeddings(Embeddings):
    """Vectors are given; no text is ever embedded."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    def embed_query(self, text: str) -> list[float]:
        raise NotImplementedError


class DjangoAICore:
    """A provider of django-ai-core on one of its models; the table is made without migrations."""

    readd_share = 10
    is_slow = True

    def __init__(self, name: str, model: Any) -> None:
        from django_ai_core.contrib.index.storage.pgvector import PgVectorProvider

        self.name, self.model = name, model
        self.provider = PgVectorProvider(model=model, index_name="bench")
        self.indexes = list(model._meta.indexes)
        model._meta.indexes = []
        with connection.schema_editor() as editor:
            editor.create_model(model)

    def prepare(self, items: list[Item]) -> None:
        from django_ai_core.contrib.index.schema import EmbeddedDocument

        self.documents = [
            EmbeddedDocument(each.key, each.content, each.metadata, each.vector.tolist()) for each in items
        ]

    def empty(self) -> None:
        _execute(f"TRUNCATE {self.model._meta.db_table}")

    def ingest(self) -> None:
        self.provider.add(self.documents)

    def build_index(self) -> None:
        with connection.schema_editor() as editor:
            for index in self.indexes:
                editor.add_index(self.model, index)
        _execute(f"VACUUM ANALYZE {self.model._meta.db_table}")

    def nearest(self, vector: Any, filter: dict[str, int] | None) -> list[Any]:
        return list(self.provider.objects.filter(embedding=vector.tolist(), **(filter or {}))[:K])

    def positions(self, rows: list[Any]) -> list[int]:
        return [int(row.document_key) for row in rows]

    def ways_to_readd(self) -> dict[str, Any]:
        return {"add": lambda count: self.provider.add(self.documents[:count])}


class LangChain:
    """The vector store of langchain-postgres, with what is filtered by in columns of its own."""

    name = "langchain-postgres, HNSW"
    readd_share = 10
    is_slow = True

    def __init__(self, parameters: dict[str, Any], schema: str, dimensions: int) -> None:
        self.engine = PGEngine.from_connection_string(_get_url(parameters))
        self.table = f'"{schema}".langchain'
        keys = [key for key, _ in filter(None, CASES.values())]
        self.engine.init_vectorstore_table(
            "langchain",
            dimensions,
            schema_name=schema,
            id_column=Column("langchain_id", "TEXT"),
            metadata_columns=[Column(key, "INTEGER") for key in keys],
        )
        self.store = PGVectorStore.create_sync(
            self.engine, NoEmbeddings(), "langchain", schema_name=schema, metadata_columns=keys
        )

    def prepare(self, items: list[Item]) -> None:
        self.texts = [each.content for each in items]
        self.vectors = [each.vector.tolist() for each in items]
        self.metadata = [each.metadata for each in items]
        self.keys = [each.key for each in items]

    def empty(self) -> None:
        _execute(f"TRUNCATE {self.table}")

    def ingest(self) -> None:
        self._add(len(self.keys))

    def build_index(self) -> None:
        self.store.apply_vector_index(HNSWIndex())
        _execute(f"VACUUM ANALYZE {self.table}")

    def nearest(self, vector: Any, filter: dict[str, int] | None) -> list[Any]:
        return self.store.similarity_search_with_score_by_vector(vector.tolist(), k=K, filter=filter)

    def positions(self, rows: list[Any]) -> list[int]:
        return [int(document.id) for document, _ in rows]

    def ways_to_readd(self) -> dict[str, Any]:
        return {"add_embeddings": self._add}

    def _add(self, count: int) -> None:
        self.store.add_embeddings(
            self.texts[:count], self.vectors[:count], metadatas=self.metadata[:count], ids=self.keys[:count]
        )


def main() -> None:
    """Carry out the order, in the schema that it names."""
    order = json.load(sys.stdin)
    options, parameters, schema = Options(**order["options"]), order["parameters"], order["schema"]
    _set_up_django(parameters, schema)
    contenders = [
        *_make_django_ai_core(options.dimensions),
        LangChain(parameters, schema, options.dimensions),
    ]
    json.dump(measure(contenders, Workload(options), _show), sys.stdout)


def _set_up_django(parameters: dict[str, Any], schema: str) -> None:
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    settings.configure(
        INSTALLED_APPS=["django.contrib.postgres", PGVECTOR],
        DATABASES={
            "default": {names[name]: value for name, value in parameters.items()}
            | {
                "ENGINE": "django.db.backends.postgresql",
                "OPTIONS": {"options": f"-c search_path={schema},public"},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def _make_django_ai_core(dimensions: int) -> list[DjangoAICore]:
    from django_ai_core.contrib.index.storage.pgvector.models import BasePgVectorEmbedding
    from pgvector.django import HnswIndex, VectorField

    class Custom(BasePgVectorEmbedding):
        vector = VectorField(dimensions=dimensions)

        class Meta:
            app_label = "pgvector"
            indexes = [
                HnswIndex(
                    name="custom_hnsw",
                    fields=["vector"],
                    opclasses=["vector_cosine_ops"],
                    m=16,
                    ef_construction=64,
                )
            ]

    default = apps.get_model("pgvector", "PgVectorEmbedding")
    return [DjangoAICore("django-ai-core, default", default), DjangoAICore("django-ai-core, HNSW", Custom)]


def _get_url(parameters: dict[str, Any]) -> URL:
    host = {name: str(parameters[name]) for name in ("host", "port") if name in parameters}
    return URL.create(
        "postgresql+psycopg",
        username=parameters.get("user"),
        password=parameters.get("password"),
        database=parameters["dbname"],
        query=host,
    )


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _show(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""The bare driver, as a careful user of psycopg and pgvector would write it: the practical limit."""

from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.bench.workload import Item, K

COLUMNS = "key, content, metadata, vector"
TYPES = ["text", "text", "jsonb", "vector"]
SEARCH = (
    "SELECT id, key, content, metadata, vector <=> %b AS distance FROM documents {} "
    "ORDER BY distance LIMIT {}"
)
UNFILTERED = SEARCH.format("", K)
FILTERED = SEARCH.format("WHERE metadata @> %b", K)


class Raw:
    """COPY BINARY, an HNSW index and one on the metadata, prepared queries; in a schema of its own."""

    name = "raw"
    readd_share = 20

    def __init__(self, parameters: dict[str, Any], schema: str, dimensions: int) -> None:
        self.connection = psycopg.connect(**parameters, autocommit=True)
        self.schema = sql.Identifier(schema)
        self._execute("CREATE SCHEMA {}")
        self._execute("SET search_path = {}, public")
        # What the index cannot do without under a filter; the rest are pgvector's defaults.
        self.connection.execute("SET hnsw.iterative_scan = strict_order")
        register_vector(self.connection)
        self.connection.execute(
            "CREATE TABLE documents (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL "
            f"UNIQUE, content text NOT NULL, metadata jsonb NOT NULL, vector vector({dimensions}) NOT NULL)"
        )
        self._create_worded()

    def prepare(self, items: list[Item]) -> None:
        self.rows = [(each.key, each.content, Jsonb(each.metadata), each.vector) for each in items]

    def empty(self) -> None:
        self.connection.execute("TRUNCATE documents")

    def ingest(self) -> None:
        self._copy("documents", self.rows)

    def ingest_worded(self) -> None:
        """Into a table that can also be searched by words and metadata, as ours can: equal work."""
        self.connection.execute("TRUNCATE worded")
        self._copy("worded", self.rows)

    def build_index(self) -> None:
        self.connection.execute("CREATE INDEX ON documents USING hnsw (vector vector_cosine_ops)")
        self.connection.execute("CREATE INDEX ON documents USING gin (metadata jsonb_path_ops)")
        self.connection.execute("VACUUM ANALYZE documents")

    def nearest(self, vector: Any, filter: dict[str, int] | None) -> list[Any]:
        if filter is None:
            return self.connection.execute(UNFILTERED, [vector], prepare=True).fetchall()
        return self.connection.execute(FILTERED, [vector, Jsonb(filter)], prepare=True).fetchall()

    def positions(self, rows: list[Any]) -> list[int]:
        return [int(row[1]) for row in rows]

    def ways_to_readd(self) -> dict[str, Any]:
        return {"INSERT ON CONFLICT": self._upsert, "DELETE and COPY": self._replace}

    def close(self) -> None:
        """Remove everything."""
        self._execute("DROP SCHEMA IF EXISTS {} CASCADE")
        self.connection.close()

    def _create_worded(self) -> None:
        self.connection.execute("CREATE TABLE worded (LIKE documents INCLUDING ALL)")
        self.connection.execute(
            "ALTER TABLE worded ADD keywords tsvector "
            "GENERATED ALWAYS AS (to_tsvector('english', content)) STORED"
        )
        self.connection.execute("CREATE INDEX ON worded USING gin (keywords)")
        self.connection.execute("CREATE INDEX ON worded USING gin (metadata jsonb_path_ops)")

    def _upsert(self, count: int) -> None:
        with self.connection.transaction():
            self.connection.execute(
                f"CREATE TEMP TABLE stage ON COMMIT DROP AS SELECT {COLUMNS} FROM documents LIMIT 0"
            )
            self._copy("stage", self.rows[:count])
            self.connection.execute(
                f"INSERT INTO documents ({COLUMNS}) SELECT {COLUMNS} FROM stage ON CONFLICT (key) DO UPDATE "
                "SET content = EXCLUDED.content, metadata = EXCLUDED.metadata, vector = EXCLUDED.vector"
            )

    def _replace(self, count: int) -> None:
        rows = self.rows[:count]
        with self.connection.transaction():
            self.connection.execute("DELETE FROM documents WHERE key = ANY(%s)", [[row[0] for row in rows]])
            self._copy("documents", rows)

    def _copy(self, table: str, rows: list[Any]) -> None:
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types(TYPES)
            for row in rows:
                copy.write_row(row)

    def _execute(self, statement: str) -> None:
        self.connection.execute(sql.SQL(statement).format(self.schema))

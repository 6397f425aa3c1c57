"""The settings of this app: the dict PGVECTOR, which may leave out any of its keys."""

from typing import Any

from django.conf import settings


class PgVectorSettings:
    """`conf.EXACT_ROWS` is settings.PGVECTOR["EXACT_ROWS"] as it is now, else the default given here."""

    # For up to so many rows, an exact search beats the ANN index in recall and costs little.
    EXACT_ROWS: int = 1_000
    # From so many rows on, an index gets an ANN index. Measured with 384 dimensions: an exact search takes as
    # long as one through the ANN index at 1,500 rows, three times as long at 3,000, six to thirteen times, 3
    # to 9 ms, at 5,000. Below, an ANN index costs every write more than it saves a search; and a filtered
    # search is exact up to EXACT_ROWS anyway.
    INDEX_ROWS: int = 5_000
    # A write of more rows leaves their keywords to a worker: those of so many take 50 ms. None: no write
    # does.
    BULK_ROWS: int | None = 1_000
    # Which share of the ten nearest rows a search through an ANN index is to find. How hard searches try
    # follows from it: that is measured for each ANN index, after it is built and when it has grown. A space
    # may have another `recall` in its OPTIONS.
    RECALL: float = 0.97
    # What the build of an ANN index may use at most.
    MAINTENANCE_WORK_MEM_MB: int = 512
    # How many processes may help to build an ANN index. None: as many as PostgreSQL's
    # max_parallel_maintenance_workers says. max_parallel_workers is the limit for all builds and queries.
    MAINTENANCE_WORKERS: int | None = None
    # An ANN index that no search has used for so many days is dropped by `rest_vector_indexes`, and one of a
    # suspended tenant at once; the first search has it built again. None: never.
    REST_AFTER_DAYS: int | None = None
    # Of how many queries of a tenant each process knows the vectors, 0 for none; and what those of all
    # tenants take in its memory.
    QUERIES: int = 1_000
    QUERIES_MB: int = 16

    def __getattribute__(self, name: str) -> Any:
        """Return the value of a key."""
        default = super().__getattribute__(name)
        return getattr(settings, "PGVECTOR", {}).get(name, default) if name.isupper() else default


conf = PgVectorSettings()

"""What search looks after by itself."""

from datetime import timedelta

from apps.search.indexing.tasks import enqueue_maintenance, rest_vector_indexes
from tenants.periodic.schedule import Schedule, Where


def let_indexes_rest() -> None:
    """Write the task that drops the ANN indexes of quiet tenants, if PGVECTOR["REST_AFTER_DAYS"] is set."""
    rest_vector_indexes.enqueue()


# Writes look after the ANN indexes. The first is for what a failure, or a write from elsewhere, has left.
SCHEDULES = [
    Schedule(enqueue_maintenance, every=timedelta(days=1)),
    Schedule(let_indexes_rest, every=timedelta(days=1), where=Where.PUBLIC),
]

"""What search looks after by itself."""

from datetime import timedelta

from apps.search.indexing.tasks import enqueue_maintenance
from tenants.periodic.schedule import Schedule

# Writes look after the ANN indexes. This is for what a failure, or a write from elsewhere, has left behind.
SCHEDULES = [Schedule(enqueue_maintenance, every=timedelta(days=1))]

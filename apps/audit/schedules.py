"""What of the audit log goes by itself."""

from datetime import timedelta

from apps.audit.recording import prune
from tenants.periodic.schedule import Schedule, Where

SCHEDULES = [Schedule(prune, every=timedelta(days=1), where=Where.EVERYWHERE)]

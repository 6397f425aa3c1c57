"""Does what waits in the queue, in the test's own transaction."""

from django_tasks_db.models import DBTaskResult

from tenants.context import connection


def run_tasks(count=1_000):
    tenant = connection.tenant
    while count and (row := DBTaskResult.objects.order_by("enqueued_at").first()):
        count -= 1
        arguments = row.args_kwargs
        task = row.task
        row.delete()
        task.call(*arguments["args"], **arguments["kwargs"])
        connection.set_tenant(tenant)

"""Tasks that the tests write and workers run."""

import time
from pathlib import Path

from asgiref.sync import sync_to_async
from django.db import connection
from django.tasks import task
from django_tasks_db.models import DBTaskResult

from tenants.context import get_current_tenant, unbound
from tenants.queue.rows import delete_traces


def describe_binding():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return [connection.schema_name, cursor.fetchone()[0]]


@task
def report_binding():
    return describe_binding()


@task
async def report_binding_in_coroutine():
    return [connection.schema_name, (await sync_to_async(describe_binding)())[1]]


@task
def report_arguments(*args, **kwargs):
    return {"args": args, "kwargs": kwargs}


@task(takes_context=True)
def report_attempt(context):
    return [context.attempt, connection.schema_name]


@task
def bind_and_fail(schema):
    connection.set_schema(schema)
    raise ValueError(f"bound {schema} and failed")


@task
def bind_and_leave(schema):
    connection.set_schema(schema)


@task
def wait_for_file(folder):
    """Say that this began; end when the file `release` is there."""
    with Path(folder, "began").open("a") as log:
        log.write(f"{connection.schema_name}\n")
    while not Path(folder, "release").exists():
        time.sleep(0.05)
    return connection.schema_name


@task(takes_context=True)
def lose_row(context, fails):
    """Delete the task's own row, as pruning or restoring the queue may."""
    with unbound():
        DBTaskResult.objects.filter(pk=context.task_result.id).delete()
    if fails:
        raise ValueError("failed without a row")


@task
def lose_tenant():
    """Delete all that the queue and the registry have of the bound tenant, as deleting it does."""
    tenant = get_current_tenant()
    with unbound():
        delete_traces(tenant.schema_name, tenant.pk)
        tenant.delete()
    describe_binding()


@task(takes_context=True)
def lose_session(context):
    """Lose the database session at the first attempt, as a failover does."""
    if context.attempt == 1:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    return connection.schema_name


@task
def fail_with(characters):
    raise ValueError("".join(map(chr, characters)))


@task
def run_statement(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)

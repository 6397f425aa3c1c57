"""What the tests of switching do again and again."""

from django_tasks_db.models import DBTaskResult

from apps.search import get_provider
from apps.search_switching.steps import start_switch
from tenants.context import connection
from tests.models_app.models import Note


def run_tasks(count=1_000):
    tenant = connection.tenant
    while count and (row := DBTaskResult.objects.order_by("enqueued_at").first()):
        count -= 1
        arguments = row.args_kwargs
        task = row.task
        row.delete()
        task.call(*arguments["args"], **arguments["kwargs"])
        connection.set_tenant(tenant)


def titles(space):
    rows = get_provider("notes", space=space).objects.order_by("content")
    return [content.split()[0] for content in rows.values_list("content", flat=True)]


def make(title, body="body"):
    return Note.objects.create(title=title, body=body)


def switch_to(target, **options):
    switch = start_switch(target, **options)
    run_tasks()
    switch.refresh_from_db()
    return switch

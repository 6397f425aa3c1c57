"""What the tests of switching do again and again."""

from apps.search import get_provider
from apps.search_switching.steps import start_switch
from tests.models_app.models import Note
from tests.search.work import run_tasks


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

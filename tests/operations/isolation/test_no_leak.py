import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.tasks import task

from tests.models_app.models import Note

REMEMBERED = []


@task
def count_notes(title):
    return Note.objects.filter(title=title).count()


def make_note():
    return Note.objects.create(title="The plan", body="x")


def test_a_model_does_not_leak(no_leak):
    made = no_leak(make_note, find=lambda made: Note.objects.filter(pk=made.pk).exists())

    assert made.title == "The plan"


def test_a_page_does_not_leak(no_leak):
    no_leak(make_note, find=lambda made: b"The plan" in no_leak.get(f"/notes/{made.pk}/").content)


def test_a_task_does_not_leak(no_leak):
    no_leak(make_note, find=lambda made: no_leak.run(count_notes, made.title))


def test_a_user_that_was_carried_over_is_refused(no_leak):
    def make():
        return get_user_model().objects.create_user("ann@acme.example")

    def save(user):
        user.save()
        return True

    no_leak(make, find=save)


def test_a_cache_of_the_process_leaks(no_leak):
    REMEMBERED.clear()

    with pytest.raises(pytest.fail.Exception, match="What was made in acme was found in globex"):
        no_leak(lambda: REMEMBERED.append("plan"), find=lambda made: "plan" in REMEMBERED)


def test_what_is_found_unbound_leaks(no_leak):
    def make():
        cache.set("plan", "x")

    def find(made):
        return cache.get("plan") or cache.get("fallback")

    cache.set("fallback", "")
    no_leak(make, find=find)
    cache.set("fallback", "x")
    with pytest.raises(pytest.fail.Exception, match="was found while no tenant was bound"):
        no_leak(make, find=find)
    cache.clear()


def test_a_find_that_finds_nothing_at_home_proves_nothing(no_leak):
    with pytest.raises(pytest.fail.Exception, match="does not find in acme what was made there"):
        no_leak(make_note, find=lambda made: False)

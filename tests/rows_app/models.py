"""Proxies and child models. The label is explicit: the app is not always installed."""

from django.db import models

from apps.search.indexed import Indexed
from tests.models_app.models import Note


class PinnedNote(Note):
    """A note by another name."""

    class Meta:
        app_label = "tests_rows"
        proxy = True


class LongNote(Note):
    """A note with more text, in the same index."""

    index_fields = ("title", "body", "appendix")

    appendix = models.TextField(blank=True)

    class Meta:
        app_label = "tests_rows"


class Recipe(Note):
    """A note that is also in an index of its own."""

    index_name = "recipes"
    index_fields = ("title", "steps")

    steps = models.TextField(blank=True)

    class Meta:
        app_label = "tests_rows"


class Person(models.Model):
    """Not indexed itself."""

    name = models.CharField(max_length=50)

    class Meta:
        app_label = "tests_rows"

    def __str__(self):
        return self.name


class SearchablePerson(Indexed, Person):
    """Has a person indexed without a change of its model."""

    index_name = "people"
    index_fields = ("name",)

    class Meta:
        app_label = "tests_rows"
        proxy = True


class Detached(Note):
    """Wrong: a note with a key of its own."""

    number = models.AutoField(primary_key=True)
    note = models.OneToOneField(Note, models.CASCADE, parent_link=True)

    class Meta:
        app_label = "tests_rows"

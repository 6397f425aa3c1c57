"""What the search remembers of its work: runs, objects set aside, vectors, and the use of services."""

from django.db import models


class IndexRun(models.Model):
    """One way through all objects of an index, into one space, by tasks that each do a part of it.

    `position` is the last object that is done, as [model label, primary key]; `objects` counts those done,
    of about `total`; `documents` the rows that changed.
    """

    class State(models.TextChoices):
        """A worker looks at the state after each batch."""

        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        CANCELLED = "cancelled"

    index_name = models.CharField(max_length=100)
    space = models.CharField(max_length=50)
    switch_id = models.BigIntegerField(
        null=True,
        db_index=True,
        help_text="The switch that it is part of, if any.",
    )
    state = models.CharField(max_length=20, choices=State, default=State.RUNNING)
    position = models.JSONField(null=True)
    total = models.PositiveBigIntegerField(default=0)
    objects_done = models.PositiveBigIntegerField(default=0)
    documents = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0, help_text="Time at work.")
    reason = models.TextField(blank=True, help_text="Why it waits.")
    resumes_at = models.DateTimeField(null=True, help_text="Until when it waits.")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.index_name} into {self.space}: {self.state}"

    @property
    def percent(self) -> int:
        """How much is done, 0 to 100."""
        if self.state == self.State.DONE:
            return 100
        return min(99, 100 * self.objects_done // self.total) if self.total else 0

    @property
    def rate(self) -> float:
        """Objects a second, while it was at work; 0 before the first batch."""
        return self.objects_done / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> int | None:
        """About how long it goes on, at the present rate; None while nobody knows."""
        if self.state == self.State.DONE or not self.rate:
            return None
        return round(max(0, self.total - self.objects_done) / self.rate)


class SetAside(models.Model):
    """An object that could not be embedded in a space, and why. It is tried again when it is saved.

    With `is_lasting` the fault is the object's own, such as a text that the service refuses; otherwise the
    service did not answer, and a task tries again.
    """

    space = models.CharField(max_length=50)
    model_label = models.CharField(max_length=100)
    object_pk = models.CharField(max_length=512)  # that of a document's key
    reason = models.TextField()
    is_lasting = models.BooleanField()
    attempts = models.PositiveIntegerField(default=1)
    last_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "objects set aside"
        constraints = [
            models.UniqueConstraint(fields=["space", "model_label", "object_pk"], name="search_set_aside_key")
        ]

    def __str__(self) -> str:
        return f"{self.model_label} {self.object_pk} in {self.space}"


class ServiceBudget(models.Model):
    """What was asked of a space's service in the present minute, and until when it is to be left alone.

    `failures` counts those in a row.
    """

    space = models.CharField(max_length=50, unique=True)
    minute = models.DateTimeField(null=True, help_text="When it began.")
    requests = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0, db_default=0)
    held_until = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.space


class CachedVector(models.Model):
    """The vector of a text that was embedded before; the key is a digest of all that it depends on."""

    key = models.BinaryField(max_length=32, unique=True)
    vector = models.BinaryField(help_text="Numbers of four bytes each.")
    used_on = models.DateField(db_index=True)

    def __str__(self) -> str:
        return bytes(self.key).hex()[:8]


class CacheUse(models.Model):
    """How many texts of a day were found in the cache of vectors, and how many were not."""

    day = models.DateField(unique=True)
    hits = models.PositiveBigIntegerField(default=0)
    misses = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.day}: {self.hits} hits, {self.misses} misses"

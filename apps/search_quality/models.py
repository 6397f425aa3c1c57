"""Golden queries with their right answers, recent searches, and evaluations."""

import json
from hashlib import sha256
from typing import Any

from django.db import models
from django.utils import timezone


def make_digest(*parts: Any) -> str:
    """Return the SHA-256 of JSON values as 64 hexadecimal digits; keys of objects may come in any order.

    Queries and filters are longer than what a unique index takes, so this stands for them.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


class GoldenQuery(models.Model):
    """A query, of one index and perhaps under a filter, whose right answers are known."""

    index_name = models.CharField("index", max_length=100)
    query = models.TextField()
    filter = models.JSONField(null=True, blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = "golden query"
        verbose_name_plural = "golden queries"
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.query

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Make the digest of a new row; index, query and filter are unique together and stay as they are."""
        self.digest = self.digest or make_digest(self.index_name, self.query, self.filter)
        super().save(*args, **kwargs)


class GoldenAnswer(models.Model):
    """An object, or a document that was made from none, that answers a golden query."""

    class Grade(models.IntegerChoices):
        """How well it answers; see `apps.search_quality.evaluating.measures.get_ndcg`."""

        HELPFUL = 1, "helpful"
        GOOD = 2, "good"
        RIGHT = 3, "the right answer"

    golden_query = models.ForeignKey(GoldenQuery, on_delete=models.CASCADE, related_name="answers")
    key = models.CharField(
        max_length=512,
        db_collation="C",
        help_text="What the keys of an object's documents begin with, or the key of a document of none.",
    )
    grade = models.SmallIntegerField(choices=Grade, default=Grade.RIGHT)

    class Meta:
        verbose_name = "golden answer"
        ordering = ["-grade", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["golden_query", "key"], name="quality_goldenanswer_key")
        ]

    def __str__(self) -> str:
        return self.key


class RecentQuery(models.Model):
    """What was searched for lately, not by whom; settings.SEARCH_LOG says how many rows are kept."""

    index_name = models.CharField("index", max_length=100)
    query = models.TextField()
    mode = models.CharField(max_length=20)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    times = models.IntegerField(default=1)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "recent query"
        verbose_name_plural = "recent queries"
        ordering = ["-last_at", "-pk"]

    def __str__(self) -> str:
        return self.query


class EvaluationRun(models.Model):
    """One evaluation of an index in a space, in all its modes: asked for, carried out, or failed.

    `done` counts searches of `total`; `fault` says why it has no evaluations. `is_baseline` marks a run that
    passed its gates and that later ones may not fall behind.
    """

    index_name = models.CharField("index", max_length=100)
    space = models.CharField(max_length=50)
    k = models.IntegerField(default=10)
    made_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)
    fault = models.TextField(blank=True)
    is_baseline = models.BooleanField(default=False)

    class Meta:
        verbose_name = "evaluation run"
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.index_name} in {self.space}, {self.made_at:%Y-%m-%d %H:%M}"


class Evaluation(models.Model):
    """What one mode achieved: means over `queries` golden queries, each from 0 to 1.

    `ndcg_low` and `ndcg_high` are the ends of a 95% confidence interval, `milliseconds` is the median time
    of a search. `outcomes` has {"rank", "recall", "mrr", "ndcg"} by the golden query's primary key as text;
    it is kept for the latest run and the latest baseline of an index in a space.
    """

    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="evaluations")
    mode = models.CharField(max_length=20)
    queries = models.IntegerField()
    recall = models.FloatField()
    mrr = models.FloatField()
    ndcg = models.FloatField()
    ndcg_low = models.FloatField()
    ndcg_high = models.FloatField()
    milliseconds = models.FloatField()
    outcomes = models.JSONField(default=dict)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["run", "mode"], name="quality_evaluation_mode")]

    def __str__(self) -> str:
        return f"{self.mode}: {self.ndcg:.3f}"

    def list_scores(self) -> dict[str, float]:
        """Return the nDCG of each golden query, by its primary key as text."""
        return {pk: outcome["ndcg"] for pk, outcome in self.outcomes.items()}

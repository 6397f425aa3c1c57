"""The golden queries that can be evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.search_quality.golden.answers import load_answers
from apps.search_quality.models import GoldenQuery


@dataclass(frozen=True)
class Question:
    """A golden query that can be evaluated: its grades by the keys of those answers that still exist."""

    pk: int
    query: str
    filter: dict[str, Any] | None
    grades: Mapping[str, int]


def read_questions(index_name: str) -> list[Question]:
    """Return the golden queries of an index that have an answer that still exists, the oldest first."""
    rows = GoldenQuery.objects.filter(index_name=index_name).order_by("pk").prefetch_related("answers")
    alive = {key for key, _ in load_answers(answer.key for row in rows for answer in row.answers.all())}
    questions = [
        Question(row.pk, row.query, row.filter, {a.key: a.grade for a in row.answers.all() if a.key in alive})
        for row in rows
    ]
    return [question for question in questions if question.grades]

"""Golden queries: promoting an answer, taking it back, and reading what there is to evaluate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from apps.search.indexes.registry import get_indexed_models
from apps.search.providers import get_provider
from apps.search_quality.models import GoldenAnswer, GoldenQuery, make_digest
from apps.search_quality.ranking import find_source, load_answers


class UnknownAnswerError(LookupError):
    """What was to be promoted is neither an object nor a document of the index."""


@dataclass(frozen=True)
class Question:
    """A golden query that can be evaluated: its grades by the keys of those answers that still exist."""

    pk: int
    query: str
    filter: dict[str, Any] | None
    grades: Mapping[str, int]


def promote(
    index_name: str,
    query: str,
    key: str,
    *,
    filter: Mapping[str, Any] | None = None,
    grade: int = GoldenAnswer.Grade.RIGHT,
) -> GoldenAnswer:
    """Make an answer one of a query's right ones, or change its grade; return it.

    `key` is that of `apps.search_quality.ranking.make_key`. Raises UnknownAnswerError for one that the index
    does not know, and UnknownIndexError.
    """
    _require_answer(index_name, key)
    asked = {"index_name": index_name, "query": query, "filter": filter or None}
    with transaction.atomic():
        golden, _ = GoldenQuery.objects.get_or_create(digest=make_digest(*asked.values()), defaults=asked)
        answer, _ = GoldenAnswer.objects.update_or_create(
            golden_query=golden, key=key, defaults={"grade": grade}
        )
    return answer


def take_back(answer: GoldenAnswer) -> None:
    """Undo a promotion; a golden query without any answer goes, too."""
    with transaction.atomic():
        answer.delete()
        GoldenQuery.objects.filter(pk=answer.golden_query_id, answers=None).delete()


def find_promoted(
    index_name: str, query: str, filter: Mapping[str, Any] | None = None
) -> dict[str, GoldenAnswer]:
    """Return the answers to a query that were promoted, by their keys."""
    digest = make_digest(index_name, query, filter or None)
    return {answer.key: answer for answer in GoldenAnswer.objects.filter(golden_query__digest=digest)}


def read_questions(index_name: str) -> list[Question]:
    """Return the golden queries of an index that have an answer that still exists, the oldest first."""
    rows = GoldenQuery.objects.filter(index_name=index_name).order_by("pk").prefetch_related("answers")
    alive = {key for key, _ in load_answers(answer.key for row in rows for answer in row.answers.all())}
    questions = [
        Question(row.pk, row.query, row.filter, {a.key: a.grade for a in row.answers.all() if a.key in alive})
        for row in rows
    ]
    return [question for question in questions if question.grades]


def _require_answer(index_name: str, key: str) -> None:
    provider = get_provider(index_name)
    source = find_source(key)
    labels = [model._meta.label_lower for model in get_indexed_models(index_name)]
    if source and source.model in labels and load_answers([key]):
        return
    if not source and provider.objects.filter(document_key=key).exists():
        return
    raise UnknownAnswerError(f"There is no object and no document {key!r} in the index {index_name!r}.")

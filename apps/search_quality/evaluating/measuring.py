"""Measuring one index in one space, by its golden queries."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from apps.search.providers import get_provider
from apps.search.searching.hybrid import MODES
from apps.search.searching.results import find_best_documents
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search_quality.evaluating.measures import (
    estimate_mean,
    find_rank,
    get_ndcg,
    get_recall,
    get_reciprocal_rank,
)
from apps.search_quality.golden.answers import load_answers, make_key
from apps.search_quality.models import Evaluation, EvaluationRun, GoldenQuery
from tenants.context import get_current_schema

DEPTH = 10  # answers that are ranked where nothing else is said
MEASURES = ("recall", "mrr", "ndcg")


class NoGoldenQueriesError(LookupError):
    """There is nothing to evaluate with."""

    def __init__(self, index_name: str) -> None:
        super().__init__(
            f"The index {index_name!r} has no golden query whose answer exists. Search on the tenant's site "
            "and press “This is the right answer” below a result, or run `manage.py golden_queries import`."
        )


class EmptySpaceError(LookupError):
    """A space holds no documents of an index, so all that could be measured is zero."""

    def __init__(self, index_name: str, space: str) -> None:
        super().__init__(
            f"The space {space!r} holds no documents of the index {index_name!r}. Fill it: "
            f"manage.py rebuild_index --schema={get_current_schema()} --index={index_name} --space={space}"
        )


def require_documents(index_name: str, space: str | None) -> None:
    """Raise EmptySpaceError if a space, by default the tenant's, holds no documents of an index.

    Raises what get_provider raises.
    """
    provider = get_provider(index_name, space=space)
    if not provider.objects.exists():
        raise EmptySpaceError(index_name, provider.space)


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


def rank_answers(
    provider: PgVectorProvider,
    text: str,
    mode: str = "semantic",
    *,
    filter: Mapping[str, Any] | None = None,
    limit: int = DEPTH,
) -> list[str]:
    """Return the keys of the best answers to a text, the best first and each once.

    An answer is ranked by its best chunk, as on the search page. Answers whose object is gone do not come up.
    Raises as `apps.search.searching.hybrid.search_by_mode`.
    """
    best = find_best_documents(provider, text, limit, filter, mode, get_key=make_key)
    return [key for key, _ in load_answers(make_key(each.document_key) for each in best)][:limit]


def evaluate(
    index_name: str,
    *,
    space: str | None = None,
    modes: Sequence[str] = MODES,
    k: int = DEPTH,
    progress: Callable[[int], object] = lambda count: None,
) -> list[Evaluation]:
    """Search for every golden query in every mode, and return an unsaved Evaluation of each mode.

    Measures recall@k, MRR@k and nDCG@k of source objects. `space` overrides the tenant's. Calls `progress`
    with 1 after each search. Raises NoGoldenQueriesError, what get_provider raises, and EmbeddingError when
    the embedder fails.
    """
    provider = get_provider(index_name, space=space)
    questions = read_questions(index_name)
    if not questions:
        raise NoGoldenQueriesError(index_name)
    total = len(questions) * len(modes)
    run = EvaluationRun(index_name=index_name, space=provider.space, k=k, done=total, total=total)
    return [_evaluate_mode(run, provider, questions, mode, progress) for mode in modes]


def _evaluate_mode(
    run: EvaluationRun,
    provider: PgVectorProvider,
    questions: Sequence[Question],
    mode: str,
    progress: Callable[[int], object],
) -> Evaluation:
    outcomes: dict[str, dict[str, Any]] = {}
    seconds = []
    for question in questions:
        begin = time.perf_counter()
        ranking = rank_answers(provider, question.query, mode, filter=question.filter, limit=run.k)
        seconds.append(time.perf_counter() - begin)
        outcomes[str(question.pk)] = {
            "rank": find_rank(ranking[: run.k], question.grades),
            "recall": get_recall(ranking, question.grades.keys(), run.k),
            "mrr": get_reciprocal_rank(ranking, question.grades.keys(), run.k),
            "ndcg": get_ndcg(ranking, question.grades, run.k),
        }
        progress(1)
    means = {name: fmean(outcome[name] for outcome in outcomes.values()) for name in MEASURES}
    interval = estimate_mean([outcome["ndcg"] for outcome in outcomes.values()])
    return Evaluation(
        run=run,
        mode=mode,
        queries=len(questions),
        ndcg_low=interval.low,
        ndcg_high=interval.high,
        milliseconds=1000 * median(seconds),
        outcomes=outcomes,
        **means,
    )

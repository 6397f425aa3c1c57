"""A shadow comparison: what would change if a candidate space answered instead of the current one."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from apps.search.providers import get_provider
from apps.search.searching.results import get_url
from apps.search_quality.evaluating.measures import Interval, estimate_difference, estimate_mean, get_overlap
from apps.search_quality.evaluating.measuring import DEPTH, NoGoldenQueriesError, evaluate, rank_answers
from apps.search_quality.golden.answers import load_answers
from apps.search_quality.models import Evaluation
from apps.search_quality.recent import list_recent_texts

MOST_DIFFERENT = 10  # queries that are shown


@dataclass(frozen=True)
class Answer:
    """One line of a top list."""

    key: str
    title: str
    url: str


@dataclass(frozen=True)
class Difference:
    """A query with the top lists of both spaces; `overlap` is the share that they have in common."""

    query: str
    overlap: float
    current: list[Answer]
    candidate: list[Answer]


@dataclass(frozen=True)
class Comparison:
    """Two spaces of one index.

    `queries` recent queries were asked in both; `overlap` is their mean overlap@10 with its confidence
    interval, None when there were none. `differences` are the queries whose lists differ most, the most
    different first. `current_golden` and `candidate_golden` are evaluations by the golden queries and
    `gain` is how much larger the candidate's nDCG@10 is; all three are None without golden queries.
    """

    index_name: str
    current: str
    candidate: str
    queries: int
    overlap: Interval | None
    differences: list[Difference] = field(default_factory=list)
    current_golden: Evaluation | None = None
    candidate_golden: Evaluation | None = None
    gain: Interval | None = None

    @property
    def verdict(self) -> str:
        """What the golden queries say of the candidate: better, worse, noise or unknown."""
        if self.gain is None:
            return "unknown"
        if self.gain.is_noise:
            return "noise"
        return "better" if self.gain.mean > 0 else "worse"


def compare_spaces(
    index_name: str,
    current: str,
    candidate: str,
    limit: int = 50,
    *,
    mode: str = "semantic",
    progress: Callable[[int], object] = lambda count: None,
) -> Comparison:
    """Search the bound tenant, in both spaces, for the `limit` most recent queries and all golden ones.

    Compares source objects in one mode and saves nothing. Calls `progress` with 1 after each recent query.
    Raises what get_provider raises, and EmbeddingError when an embedder fails.
    """
    providers = [get_provider(index_name, space=space) for space in (current, candidate)]
    differences = []
    for query in list_recent_texts(index_name, limit):
        before, after = (rank_answers(provider, query, mode) for provider in providers)
        answers = _name_answers(before, after)
        differences.append(Difference(query, get_overlap(before, after, DEPTH), *answers))
        progress(1)
    golden: dict[str, Any] = {}
    with suppress(NoGoldenQueriesError):
        one, other = (evaluate(index_name, space=space, modes=[mode])[0] for space in (current, candidate))
        gain = estimate_difference(other.list_scores(), one.list_scores())
        golden = {"current_golden": one, "candidate_golden": other, "gain": gain}
    differing = [each for each in differences if each.overlap < 1]
    return Comparison(
        index_name,
        current,
        candidate,
        queries=len(differences),
        overlap=estimate_mean([each.overlap for each in differences]) if differences else None,
        differences=sorted(differing, key=lambda each: each.overlap)[:MOST_DIFFERENT],
        **golden,
    )


def _name_answers(*rankings: list[str]) -> list[list[Answer]]:
    """Leave out objects that were deleted since."""
    objects = dict(load_answers(key for ranking in rankings for key in ranking))
    return [
        [Answer(key, str(objects[key] or key), get_url(objects[key])) for key in ranking if key in objects]
        for ranking in rankings
    ]

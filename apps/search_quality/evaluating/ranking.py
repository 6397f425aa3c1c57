"""A search as a ranking of answers: each by its best chunk, as the search page shows them."""

from collections.abc import Mapping
from typing import Any

from apps.search.searching.results import find_best_documents
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search_quality.golden.answers import load_answers, make_key

DEPTH = 10  # answers that are ranked where nothing else is said


def rank_answers(
    provider: PgVectorProvider,
    text: str,
    mode: str = "semantic",
    *,
    filter: Mapping[str, Any] | None = None,
    limit: int = DEPTH,
) -> list[str]:
    """Return the keys of the best answers to a text, the best first and each once.

    Answers whose object is gone do not come up. Raises as `apps.search.searching.hybrid.search_by_mode`.
    """
    best = find_best_documents(provider, text, limit, filter, mode, get_key=make_key)
    return [key for key, _ in load_answers(make_key(each.document_key) for each in best)][:limit]

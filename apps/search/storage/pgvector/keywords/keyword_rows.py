"""The queryset of a search by words: lazy, and quick for its first rows where an index has postings."""

from typing import Any

from django.db.models import BooleanField, F, FloatField, Func, Q, QuerySet, Value

from apps.search.storage.pgvector.keywords.lexemes import AnyLexeme, Holds
from apps.search.storage.pgvector.keywords.postings import Best
from apps.search.storage.pgvector.ranking.by_key import ValueByKey
from apps.search.storage.pgvector.tables.queryset import EmbeddingQuerySet

SPARE = 20  # candidates more than rows wanted, because some may be deleted meanwhile, or rewritten
MOST = 1_000  # candidates; where a filter leaves too few of them, PostgreSQL ranks


class KeywordQuerySet(EmbeddingQuerySet):
    """The rows that hold a word of a text, the best first, with `score`.

    Its query has PostgreSQL rank every row that matches, and is right whatever is added to it. The first rows
    are read by their keys instead, which the postings give.
    """

    _best: Best | None = None
    _allowed: Any = None  # the rows to choose from
    _original: Any = None  # the query before anything was added to it

    @classmethod
    def of(cls, ranked: QuerySet, allowed: QuerySet, best: Best) -> "KeywordQuerySet":
        """Return the rows `ranked` by PostgreSQL, of which `best` names the first if they are `allowed`."""
        rows = cls(ranked.model, ranked.query.chain())
        rows._best, rows._allowed, rows._original = best, allowed, ranked.query
        return rows

    def _clone(self) -> Any:
        clone = super()._clone()  # type: ignore[misc]
        clone._best, clone._allowed, clone._original = self._best, self._allowed, self._original
        return clone

    def _fetch_all(self) -> None:
        if self._result_cache is None and self._best is not None and self._is_plain():
            self._fetch_first(self._best)
        super()._fetch_all()

    def _is_plain(self) -> bool:
        """Whether this is but a slice of the search, with whichever columns."""
        query, original = self.query, self._original
        return (
            query.high_mark is not None
            and query.high_mark + SPARE <= MOST
            and query.where == original.where
            and query.order_by == original.order_by
            and query.annotations.keys() == original.annotations.keys()
            and not (query.distinct or query.combinator or query.group_by or query.select_for_update)
            and not (query.explain_info or query.extra or query.is_sliced != (query.high_mark is not None))
        )

    def _fetch_first(self, best: Best) -> None:
        wanted = self.query.high_mark - self.query.low_mark
        for size in (self.query.high_mark + SPARE, MOST):
            rows = self._clone()
            rows._best, rows._query = None, self._by_key(best, size)  # to set `query` changes what rows are
            found = list(rows)
            if len(found) == wanted or size >= len(best.keys):
                self._result_cache = found
                return

    def _by_key(self, best: Best, size: int) -> Any:
        """The same query for the best rows, so many or all."""
        keys, scores = best.top(size)
        late = [key for key in keys if key in best.late]
        is_current = ~Q(Holds(F("keywords"), AnyLexeme(Value(best.marks))))
        rows = self._allowed.filter(AmongKeys(keys), Q(AmongKeys(late)) | is_current)
        built = rows.annotate(score=ValueByKey(keys, scores, FloatField())).query
        query = self.query.chain()
        query.where, query.annotations = built.where, built.annotations
        return query


class AmongKeys(Func):
    """Whether a row's primary key is one of those given, sent as one parameter."""

    template = "%(expressions)s::bigint[])"
    arg_joiner = " = ANY("
    output_field = BooleanField()

    def __init__(self, keys: list[int]) -> None:
        super().__init__(F("pk"), Value(keys))

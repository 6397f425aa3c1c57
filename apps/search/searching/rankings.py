"""The best documents for a text, read in growing parts, and pages of what is made of them.

A page is read from the top again and begins after the last row of the page before. So new documents shift
nothing, and an object of several documents does not come twice.
"""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from django.core import signing

from apps.search.filters import compile_filter
from apps.search.rerankers.second_look import look_again
from apps.search.searching.hybrid import WINDOW, search_by_mode
from apps.search.storage.pgvector.keywords.conditions import has_phrases, without_phrases
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search.storage.pgvector.ranking.paging import InvalidCursorError

FEW = 10  # objects; where fewer hold the phrase of a query, what lacks it is listed, too
LONGEST = 1_000  # documents of a ranking that are looked at
GROWTH = 4
ANCHORS = 5  # documents that a cursor names
SALT = "apps.search.searching.rankings"
INVALID = "This is no cursor of this search; use `next` of the page before, and ask the same again."


class Row(Protocol):
    """What pages consist of."""

    @property
    def document(self) -> Any:
        """The document that the row is ranked by."""


@dataclass(frozen=True)
class Place:
    """Where a page ended: the keys of its last documents and the score of the last one.

    `most` is how many documents were read, and `window` how many were fused of each half.
    """

    pks: Sequence[int]
    score: float
    most: int
    window: int

    def count_before(self, rows: Sequence[Row]) -> int:
        """Return how many of the rows come up to this place.

        The last document that is still there tells; by words, scores change with every document.
        """
        numbers = {row.document.pk: number for number, row in enumerate(rows, 1)}
        for pk in reversed(self.pks):
            if pk in numbers:
                return numbers[pk]
        return sum(row.document.score >= self.score for row in rows)


class Ranking:
    """The best documents for a text in a mode; those that lack a phrase of the text come after the others.

    `lacking` has the primary keys of these, of what was read last. Documents are of one object where
    `get_key` returns the same for their keys. Raises InvalidFilterError, and what
    `search_by_mode` raises.
    """

    def __init__(
        self,
        provider: PgVectorProvider,
        text: str,
        filter: Mapping[str, Any] | None,
        mode: str,
        get_key: Callable[[str], Hashable] = str,
    ) -> None:
        self.provider, self.text, self.filter, self.mode = provider, text, filter, mode
        self.get_key = get_key
        self.lacking: set[int] = set()
        self._condition = compile_filter(filter)  # before anything is embedded
        self._rows: dict[tuple[str, int], Any] = {}

    def read(self, most: int, window: int) -> tuple[list[Any], bool]:
        """Return about `most` of the best documents, and whether these are all.

        A hybrid search fuses `window` of each half. Where the documents of fewer than ten objects hold the
        phrases that the text has in quotes, those follow that lack them: prose has quotes, too.
        """
        found = self._read(self.text, most, window)
        is_all, self.lacking = len(found) < most, set()
        keys = {self.get_key(document.document_key) for document in found}
        if is_all and len(keys) < FEW and has_phrases(self.text):
            looser = self._read(without_phrases(self.text), most, window)
            known = {document.pk for document in found}
            others = [document for document in looser if document.pk not in known]
            self.lacking = {document.pk for document in others}
            return found + others, len(looser) < most
        return found, is_all

    def read_page[R: Row](
        self, size: int, start: int, after: str | None, arrange: Callable[[list[Any]], Sequence[R]]
    ) -> tuple[list[R], str | None]:
        """Return `size` rows that `arrange` makes of documents, and the cursor of the next page.

        Reads `start` documents at first, and up to 1,000 while they make too few rows. All pages of a hybrid
        search fuse as many documents as the first, for their order depends on that. Raises
        InvalidCursorError unless `after` is the cursor of a page of this search in this tenant.
        """
        place = self._parse(after) if after else None
        most = min(LONGEST, start + (place.most if place else 0))
        window = place.window if place else max(WINDOW, most)
        while True:
            documents, is_all = self.read(most, window)
            rows = arrange(documents)
            rows = rows[place.count_before(rows) if place else 0 :]
            if len(rows) > size:
                last = [row.document for row in rows[:size]][-ANCHORS:]
                pks = [document.pk for document in last]
                cursor = [self._digest(), pks, last[-1].score, most, window]
                return list(rows[:size]), signing.dumps(cursor, salt=SALT)
            if not is_all and most < LONGEST:
                most = min(LONGEST, GROWTH * most)
            elif self.mode == "hybrid" and place is None and window <= len(documents) and window < LONGEST:
                window = min(LONGEST, GROWTH * window)
            else:
                return list(rows), None

    def _read(self, text: str, most: int, window: int) -> list[Any]:
        fusion = {"window": window} if self.mode == "hybrid" else {}
        key = text, fusion.get("window", 0)
        if key not in self._rows:  # a text is embedded once
            self._rows[key] = search_by_mode(
                self.provider, text, self.mode, filter_q=self._condition, **fusion
            )
        rows = self._rows[key]
        return look_again(self.provider, text, rows, most) if text == self.text else list(rows[:most])

    def _digest(self) -> str:
        asked = self.provider.space, self.provider.index_name, self.mode, self.text, self.filter
        kind = "documents" if self.get_key is str else "objects"
        return sha256(json.dumps([kind, *asked]).encode()).hexdigest()[:16]

    def _parse(self, cursor: str) -> Place:
        try:
            digest, *place = signing.loads(cursor, salt=SALT)
        except signing.BadSignature as error:
            raise InvalidCursorError(INVALID) from error
        if digest != self._digest():
            raise InvalidCursorError(INVALID)
        return Place(*place)

"""The same documents and queries for everybody, made from a seed; needs nothing but numpy.

Embeddings of real texts fill few of their dimensions. So do these: a normal distribution of LATENT
dimensions, turned into the wanted number by a random matrix and normalised. With 34 of them an HNSW index at
pgvector's defaults finds about 0.93 of the true neighbours among 20,000 documents of 256 dimensions.
"""

import os
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

LATENT = 34
K = 10
WORDS_PER_TEXT = (50, 60)
WORDS_PER_QUESTION = 3
# Each case: the key of the metadata that the filter names, and one in how many documents fits it.
CASES = {
    "no filter": None,
    "50% filter": ("half", 2),
    "10% filter": ("tenth", 10),
    "1% filter": ("hundredth", 100),
    "0.1% filter": ("thousandth", 1000),
}
ROOTS = """
    apple ash barn bell birch blue bread bridge brook candle cedar clay cloud coal copper corn field fern fire
    fish flint frost garden glass gold grain green hall harbour hay hearth hill honey horse ice iron ivy lake
    lamp leaf light lime marsh meadow milk mill mist moon moss night north oak old orchard pine rain red reed
    ridge river road rock rose salt sand sea shade silver sky snow south spring star stone storm summer sun
    thorn tide timber tower valley village wall water west wheat white willow wind winter wood wool yarn
""".split()  # noqa: SIM905
FREQUENT = """
    the of and to in a is that for it as was with on by at from or an be this which are not have
""".split()  # noqa: SIM905


@dataclass(frozen=True)
class Options:
    """How much is measured; each may be set by the environment variable of its name in capitals."""

    documents: int = 20_000
    dimensions: int = 256
    queries: int = 200
    rounds: int = 3
    tenants: int = 50

    @classmethod
    def from_environment(cls) -> "Options":
        """Read them; exit with a message for what is no count."""
        return cls(**{name: _read_count(name, default) for name, default in asdict(cls()).items()})


@dataclass(frozen=True)
class Item:
    """A document before anybody's own type is made of it. Its key is its position."""

    key: str
    content: str
    metadata: dict[str, int]
    vector: np.ndarray


class Workload:
    """`items` to store and, for each query, a vector, a question, a filter and the true answer by case."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.random = np.random.default_rng(20_000)
        count = options.documents + options.queries
        vectors = self.random.standard_normal((count, LATENT), dtype=np.float32)
        vectors = vectors @ self.random.standard_normal((LATENT, options.dimensions), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.vectors, self.queries = vectors[: options.documents], vectors[options.documents :]

    @cached_property
    def items(self) -> list[Item]:
        """The documents."""
        texts = self._make_texts()
        return [
            Item(f"{position:07d}", texts[position], self._metadata(position), vector)
            for position, vector in enumerate(self.vectors)
        ]

    def get_filter(self, case: str, query: int) -> dict[str, int] | None:
        """Return what the metadata must contain; each query asks for another value, as users do."""
        if CASES[case] is None:
            return None
        key, values = CASES[case]
        return {key: query % min(values, self.options.documents)}

    @cached_property
    def truth(self) -> dict[str, list[frozenset[int]]]:
        """The positions of the nearest K documents for each query, computed exactly, by case."""
        nearness = self.queries @ self.vectors.T
        return {case: [self._nearest(case, *row) for row in enumerate(nearness)] for case in CASES}

    @cached_property
    def questions(self) -> list[str]:
        """Some words of the nearest document, for each query: what hybrid search is asked with."""
        nearest = np.argmax(self.queries @ self.vectors.T, axis=1)
        words = [[each for each in self.items[i].content.split() if each not in FREQUENT] for i in nearest]
        return [" ".join(self.random.choice(each, WORDS_PER_QUESTION)) for each in words]

    def get_recall(self, case: str, query: int, positions: list[int]) -> float:
        """Return which share of the true neighbours was found."""
        truth = self.truth[case][query]
        return len(truth.intersection(positions)) / len(truth)

    def _nearest(self, case: str, query: int, nearness: np.ndarray) -> frozenset[int]:
        wanted = self.get_filter(case, query)
        fits = np.arange(len(nearness))
        if wanted:
            (_, value), (_, values) = next(iter(wanted.items())), CASES[case]
            fits = fits[fits % values == value]
        best = fits[np.argsort(-nearness[fits])[:K]]
        return frozenset(best.tolist())

    def _metadata(self, position: int) -> dict[str, int]:
        return {key: position % values for key, values in filter(None, CASES.values())}

    def _make_texts(self) -> list[str]:
        """Texts whose words follow Zipf's law: the n-th word of the vocabulary is 1/n as frequent."""
        pairs = [first + second for first in ROOTS for second in ROOTS if first != second]
        words = np.array([*FREQUENT, *ROOTS, *self.random.permutation(pairs)])
        weights = np.cumsum(1 / np.arange(1, len(words) + 1))
        lengths = self.random.integers(*WORDS_PER_TEXT, len(self.vectors), endpoint=True)
        places = np.searchsorted(weights / weights[-1], self.random.random(lengths.sum()))
        chunks = np.split(words[places], np.cumsum(lengths)[:-1])
        return [" ".join(chunk.tolist()).capitalize() + "." for chunk in chunks]


def _read_count(name: str, default: int) -> int:
    value = os.environ.get(name.upper()) or str(default)
    if not value.isdecimal() or int(value) < 1:
        raise SystemExit(f"{name.upper()} is {value!r}; a whole number from 1 on is allowed.")
    return int(value)

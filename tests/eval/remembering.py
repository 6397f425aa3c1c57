"""An embedder that remembers its vectors from one run to the next, in var/eval."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.search.embedders import BaseEmbedder, get_embedder

FOLDER = Path(__file__).resolve().parent.parent.parent / "var" / "eval"


class RememberingEmbedder(BaseEmbedder):
    """The embedder of a space, asked once for each text; `save` writes what it said."""

    def __init__(self, alias: str) -> None:
        super().__init__()
        self.inner = get_embedder(alias)
        self.dimensions, self.model_id = self.inner.dimensions, self.inner.model_id
        self.weak_below, self.max_words = self.inner.weak_below, self.inner.max_words
        self.languages = self.inner.languages
        self.path = FOLDER / f"{hashlib.sha256(self.model_id.encode()).hexdigest()[:16]}.npz"
        self.known: dict[str, Any] = {}
        if self.path.exists():
            stored = np.load(self.path)
            self.known = dict(zip(stored["names"].tolist(), stored["vectors"], strict=True))

    def embed_batch(self, texts: Sequence[str]) -> Any:
        """Never asked; the prefixes are the inner one's."""
        raise NotImplementedError

    def embed_query(self, text: str) -> Any:
        """Return what the inner one does."""
        name = _name("query", text)
        if name not in self.known:
            self.known[name] = self.inner.embed_query(text)
        return self.known[name]

    def embed_documents(self, texts: Iterable[str], **options: Any) -> Any:
        """Return what the inner one does."""
        texts = list(texts)
        new = [text for text in dict.fromkeys(texts) if _name("document", text) not in self.known]
        vectors = self.inner.embed_documents(new, **options)
        self.known |= {_name("document", text): vector for text, vector in zip(new, vectors, strict=True)}
        return np.array([self.known[_name("document", text)] for text in texts]).reshape(-1, self.dimensions)

    def save(self) -> None:
        """Write all vectors."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        np.savez(self.path, names=np.array(list(self.known)), vectors=np.stack(list(self.known.values())))


def _name(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()

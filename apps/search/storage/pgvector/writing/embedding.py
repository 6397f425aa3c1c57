"""Documents into documents with vectors, a batch at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import batched
from typing import Any

import numpy as np

from apps.search.documents import Document, EmbeddedDocument, InvalidDocumentError, embed
from apps.search.embedders import BaseEmbedder, InvalidTextError

BATCH = 256  # documents held at once


def embed_batches(
    documents: Iterable[Document], get_embedder: Callable[[], BaseEmbedder]
) -> Iterator[EmbeddedDocument]:
    """Yield the documents with their vectors; those that have theirs come as they are.

    The embedder is asked for when there is something to embed. Raises InvalidDocumentError for a content that
    cannot be embedded, EmbeddingError when the embedder fails, and TypeError for what is no Document.
    """
    for batch in batched(documents, BATCH):
        plain = [document for document in batch if not isinstance(document, EmbeddedDocument)]
        if wrong := [document for document in plain if not isinstance(document, Document)]:
            raise TypeError(f"documents must be Documents; there is {wrong[0]!r:.100} among them.")
        if not plain:
            yield from batch  # type: ignore[misc]  # none of them is plain
            continue
        vectors: Iterator[Any] = iter(_embed_all(plain, get_embedder()))
        for document in batch:
            yield document if isinstance(document, EmbeddedDocument) else embed(document, next(vectors))


def _embed_all(documents: Sequence[Document], embedder: BaseEmbedder) -> Iterable[np.ndarray]:
    try:
        return embedder.embed_documents(document.content for document in documents)
    except InvalidTextError as error:
        key = documents[error.position].document_key
        raise InvalidDocumentError(f"Document {key!r}: content {error.reason}.") from error

"""Gives documents their vectors, a batch at a time."""

from collections.abc import Callable, Iterable, Iterator
from itertools import batched

from apps.search.documents import Document, EmbeddedDocument, InvalidDocumentError, embed
from apps.search.embedders import BaseEmbedder, InvalidTextError

BATCH = 256  # documents held at once


class Embedding:
    """The documents with their vectors, to be read once; an EmbeddedDocument comes as it is.

    Calls `get_embedder` only when there is something to embed, and `has_begun` says whether there was. Raises
    InvalidDocumentError for a content that cannot be embedded, EmbeddingError when the embedder fails, and
    TypeError for anything but a Document.
    """

    def __init__(self, documents: Iterable[Document], get_embedder: Callable[[], BaseEmbedder]) -> None:
        self.documents = documents
        self.get_embedder = get_embedder
        self.has_begun = False

    def __iter__(self) -> Iterator[EmbeddedDocument]:
        for batch in batched(self.documents, BATCH):
            plain = [document for document in batch if not isinstance(document, EmbeddedDocument)]
            if wrong := [document for document in plain if not isinstance(document, Document)]:
                raise TypeError(f"documents must be Documents; there is {wrong[0]!r:.100} among them.")
            if not plain:
                yield from batch  # type: ignore[misc]  # none of them is plain
                continue
            self.has_begun = True
            try:
                vectors = iter(self.get_embedder().embed_documents(document.content for document in plain))
            except InvalidTextError as error:
                key = plain[error.position].document_key
                raise InvalidDocumentError(f"Document {key!r}: content {error.reason}.") from error
            for document in batch:
                yield document if isinstance(document, EmbeddedDocument) else embed(document, next(vectors))

"""Checks documents and encodes them as the rows of a COPY."""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

from apps.search.documents import (
    MAX_KEY_LENGTH,
    EmbeddedDocument,
    InvalidDocumentError,
    encode_metadata,
    encode_text,
    encode_together,
)
from apps.search.storage.pgvector.tables.vectors import VectorCheck
from apps.search.storage.pgvector.writing import copying

BATCH_BYTES = 2_000_000  # of documents encoded and copied at once, about
OVERHEAD = 1_500  # bytes of a document beside its content: its vector, its metadata, Python's objects


def encode_documents(
    documents: Iterable[EmbeddedDocument], to_vector: VectorCheck
) -> Iterator[Iterable[bytes]]:
    """Yield batches of rows of a key, a content, metadata and a vector.

    A batch is lazy where making its rows runs no foreign code. Raises InvalidDocumentError for a document
    that cannot be stored, also while a batch is read.
    """
    for batch in _batches(documents):
        vectors = to_vector.check_together([document.vector for document in batch])
        metadata = encode_together([document.metadata for document in batch])
        rows = map(
            _encode,
            batch,
            repeat(to_vector),
            repeat(None) if vectors is None else copying.encode_vectors(vectors),
            repeat(None) if metadata is None else metadata,
        )
        is_plain = vectors is not None and metadata is not None and all(map(_is_plain, batch))
        yield rows if is_plain else list(rows)


def encode_key(key: Any) -> bytes:
    """Return the key in UTF-8. Raises InvalidDocumentError for a value that cannot be a key."""
    try:
        encoded = encode_text(key, "document_key")
    except ValueError as error:
        raise InvalidDocumentError(f"Document {key!r}: {error}") from error
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidDocumentError(
            f"Document {key[:40]!r}: document_key has {len(key)} characters; "
            f"1 to {MAX_KEY_LENGTH} are allowed."
        )
    return encoded


def _batches(documents: Iterable[EmbeddedDocument]) -> Iterator[list[EmbeddedDocument]]:
    """Yield the documents in batches so large that waiting for PostgreSQL after each hardly counts."""
    batch, size = [], 0
    for document in documents:
        batch.append(document)
        content = document.content
        size += OVERHEAD + (len(content) if isinstance(content, str) else 0)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _encode(
    document: EmbeddedDocument,
    to_vector: VectorCheck,
    vector: bytes | None,
    metadata: bytes | None,
) -> bytes:
    key = encode_key(document.document_key)
    try:
        content = encode_text(document.content, "content")
        if metadata is None:
            metadata = encode_metadata(document.metadata, "metadata")
        if vector is None:
            (vector,) = copying.encode_vectors(to_vector(document.vector, "vector")[None])
    except ValueError as error:
        raise InvalidDocumentError(f"Document {document.document_key!r}: {error}") from error
    return copying.encode_document(key, content, metadata, vector)


def _is_plain(document: EmbeddedDocument) -> bool:
    """Whether reading the document's other fields runs no query, as a lazy document's might."""
    return type(document) is EmbeddedDocument and type(document.content) is str

"""Indexing that one bad object does not stop: it is set aside with the reason, the others are indexed."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F

from apps.search.documents import InvalidDocumentError
from apps.search.embedders import (
    BaseEmbedder,
    EmbeddingError,
    EmbeddingUnavailableError,
    InvalidTextError,
)
from apps.search.indexed import Indexed
from apps.search.indexing import delete_changed, index_objects
from apps.search.models import SetAside
from apps.search.spaces import get_space

PROBE = "probe"  # a text that every embedder can embed
FAULTS = (EmbeddingError, InvalidTextError, InvalidDocumentError)


def index_patiently(model: type[Indexed], pks: Sequence[Any], space: str) -> int:
    """Bring the documents of these objects up to date in one written space; return how many rows changed.

    An object that cannot be embedded is set aside, and loses those documents that no longer say what it
    says. Raises EmbeddingUnavailableError where no text can be embedded just now: nothing is set aside then.
    """
    try:
        changed = index_objects(model, pks, space=space, only_if_written=True)
    except EmbeddingUnavailableError:
        raise
    except FAULTS as error:
        _check_embedder(get_space(space).embedder)
        if len(pks) > 1:
            middle = len(pks) // 2
            return sum(index_patiently(model, half, space) for half in (pks[:middle], pks[middle:]))
        set_aside(model, pks, space, str(error), is_lasting=True)
        return delete_changed(model, pks, space=space)
    forget(model, pks, space)
    return changed


def set_aside(model: type[Indexed], pks: Sequence[Any], space: str, reason: str, *, is_lasting: bool) -> None:
    """Note that these objects are not up to date in a space, and why."""
    label = model._meta.label_lower
    known = set(_find(label, pks, space).values_list("object_pk", flat=True))
    _find(label, known, space).update(reason=reason, is_lasting=is_lasting, attempts=F("attempts") + 1)
    SetAside.objects.bulk_create(
        [
            SetAside(space=space, model_label=label, object_pk=pk, reason=reason, is_lasting=is_lasting)
            for pk in map(str, pks)
            if pk not in known
        ],
        ignore_conflicts=True,
    )


def forget(model: type[Indexed], pks: Sequence[Any], space: str) -> None:
    """Note that these objects are up to date in a space."""
    _find(model._meta.label_lower, pks, space).delete()


def _find(label: str, pks: Any, space: str) -> Any:
    return SetAside.objects.filter(space=space, model_label=label, object_pk__in=[str(pk) for pk in pks])


def _check_embedder(embedder: BaseEmbedder) -> None:
    """Tell a bad text from an embedder that embeds none. Raises EmbeddingUnavailableError."""
    try:
        embedder.embed_documents([PROBE])
    except EmbeddingUnavailableError:
        raise
    except EmbeddingError as error:
        raise EmbeddingUnavailableError(str(error)) from error

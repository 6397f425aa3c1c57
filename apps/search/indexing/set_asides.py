"""Indexing that no bad object stops: it is set aside with the reason, and the others are indexed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256

from django.db.models import F, QuerySet
from django.utils import timezone

from apps.search.documents import MAX_KEY_LENGTH, InvalidDocumentError
from apps.search.embedders import EmbeddingError, EmbeddingUnavailableError, InvalidTextError
from apps.search.indexing.batches import Batch, delete_changed, index_batch
from apps.search.models import SetAside
from apps.search.spaces.budget import forgive
from apps.search.spaces.space import get_space

PROBE = "probe"  # a text that every embedder can embed
FAULTS = (EmbeddingError, InvalidTextError, InvalidDocumentError)


def index_patiently(
    batch: Batch, space: str, *, has_waited: bool = False, begun: datetime | None = None
) -> int:
    """Bring the documents of these items up to date in one written space; return how many rows changed.

    An item that cannot be embedded is set aside, and loses the documents whose content is out of date. Raises
    EmbeddingUnavailableError when no text can be embedded just now, and sets nothing aside then. `has_waited`
    says that these items come again after a wait that the service asked for. What was set aside since `begun`
    stays so, whatever becomes of this batch: another index of the same objects did it.
    """
    try:
        changed = index_batch(batch, space=space, only_if_written=True)
    except FAULTS as error:
        check_embedder(space, error, has_waited=has_waited)
        if len(batch.items) > 1:
            halves = batch.halve()
            return sum(index_patiently(half, space, has_waited=has_waited, begun=begun) for half in halves)
        set_aside(batch.source.label, batch.keys, space, str(error), is_lasting=True)
        return delete_changed(batch, space=space)
    forget(batch.source.label, batch.keys, space, before=begun)
    return changed


def check_embedder(space: str, error: Exception, *, has_waited: bool = False) -> None:
    """Raise EmbeddingUnavailableError if the error is due to the space's embedder, and not to a text.

    Some services answer 500 to a text that they cannot take. So after such an answer, as after any fault of a
    text, another text is tried. One that asks to wait is believed once: some ask for it with each 5xx.
    """
    if isinstance(error, EmbeddingUnavailableError):
        asks_to_wait = error.retry_after and not has_waited
        if (error.status or 0) < 500 or asks_to_wait:
            raise error
    try:
        get_space(space).embedder.embed_documents([PROBE])
    except EmbeddingUnavailableError:
        raise
    except EmbeddingError as failure:
        raise EmbeddingUnavailableError(str(failure)) from failure
    forgive(space)


def set_aside(label: str, keys: Sequence[str], space: str, reason: str, *, is_lasting: bool) -> None:
    """Note that these items of a source are not up to date in a space, and why."""
    keys = list(map(fit_key, keys))
    known = set(_find(label, keys, space).values_list("object_pk", flat=True))
    again = {"attempts": F("attempts") + 1, "last_at": timezone.now()}
    _find(label, known, space).update(reason=reason, is_lasting=is_lasting, **again)
    SetAside.objects.bulk_create(
        [
            SetAside(space=space, model_label=label, object_pk=key, reason=reason, is_lasting=is_lasting)
            for key in keys
            if key not in known
        ],
        ignore_conflicts=True,
    )


def fit_key(key: str) -> str:
    """Return an item's key as it is stored: one that is too long for any document ends in its digest."""
    if len(key) <= MAX_KEY_LENGTH:
        return key
    digest = sha256(key.encode()).hexdigest()
    return key[: MAX_KEY_LENGTH - len(digest)] + digest


def forget(label: str, keys: Collection[str], space: str, *, before: datetime | None = None) -> None:
    """Note that these items of a source are up to date in a space, unless set aside since."""
    asides = _find(label, keys, space)
    (asides.filter(last_at__lt=before) if before else asides).delete()


def _find(label: str, keys: Collection[str], space: str) -> QuerySet:
    return SetAside.objects.filter(space=space, model_label=label, object_pk__in=map(fit_key, keys))

"""Documents that were written with a provider: no object stands behind them from which to make them again."""

import re
from itertools import batched
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.tasks import task

from apps.search.documents import Document, embed
from apps.search.indexes.sources import list_labels
from apps.search.indexing.set_asides import FAULTS, check_embedder
from apps.search.models import SetAside
from apps.search.spaces.embedding_cache import embed_documents
from apps.search.spaces.space import get_space
from apps.search.storage.pgvector.provider import PgVectorProvider
from tenants.queue.turns import BULK

BATCH = 64  # documents
LABEL = "document"  # of what is set aside, in place of a model's


def find_missing_documents(origin: str, target: str) -> QuerySet:
    """Return the handwritten documents that one space has, and another lacks or holds in another version.

    Those that are set aside in the target are left out.
    """
    set_aside = SetAside.objects.filter(space=target, model_label=LABEL, object_pk=OuterRef("document_key"))
    same = _list_documents(target).filter(**_outer("index_name", "document_key", "content", "metadata"))
    return _list_documents(origin).exclude(Exists(same)).exclude(Exists(set_aside))


def copy_documents(origin: str, target: str) -> int:
    """Make the handwritten documents of one space those of another; return how many rows changed.

    A document that cannot be embedded is set aside. Raises EmbeddingUnavailableError when none can be.
    """
    rows = find_missing_documents(origin, target).order_by("pk")
    keyed = rows.values_list("index_name", "document_key", "content", "metadata")
    changed = 0
    for pks in batched(list(rows.values_list("pk", flat=True)), BATCH):
        for index_name, *values in keyed.filter(pk__in=pks):
            changed += _copy(Document(*values), index_name, target)
    kept = _list_documents(origin).filter(**_outer("index_name", "document_key"))
    gone = _list_documents(target).exclude(Exists(kept)).order_by("index_name", "document_key")
    with transaction.atomic():
        locked = list(gone.select_for_update().values_list("pk", flat=True))  # in the order of writing
        return changed + _list_documents(target).filter(pk__in=locked).delete()[0]


@task(priority=BULK)
def copy_loose_documents(origin: str, target: str) -> int:
    """As `copy_documents`, by a worker. It keeps its name for tasks that wait."""
    return copy_documents(origin, target)


def _copy(document: Document, index_name: str, target: str) -> int:
    space = get_space(target)
    provider = PgVectorProvider(
        space.model, index_name=index_name, space=space.alias, embedder=space.embedder
    )
    try:
        (vector,) = embed_documents(target, space.embedder, [document.content])
        return provider.add([embed(document, vector)])
    except FAULTS as error:
        check_embedder(target, error)
        SetAside.objects.update_or_create(
            space=target,
            model_label=LABEL,
            object_pk=document.document_key,
            defaults={"reason": str(error), "is_lasting": True},
        )
        return 0


def _list_documents(space: str) -> QuerySet:
    labels = "|".join(re.escape(label) for label in list_labels())
    rows: Any = get_space(space).model.objects.filter(space=space)
    return rows.exclude(document_key__regex=rf"^({labels}):[^:]+:[0-9]+$")


def _outer(*names: str) -> dict[str, OuterRef]:
    return {name: OuterRef(name) for name in names}

"""Documents that no object stands behind: written by hand with a provider, so nobody can make them again."""

import re
from itertools import batched
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.tasks import task

from apps.search.documents import Document, InvalidDocumentError, embed
from apps.search.embedders import EmbeddingError, EmbeddingUnavailableError, InvalidTextError
from apps.search.indexes.sources import list_labels
from apps.search.models import SetAside
from apps.search.spaces.embedding_cache import embed_documents
from apps.search.spaces.space import get_space
from apps.search.storage.pgvector.provider import PgVectorProvider

BATCH = 64  # documents
LABEL = "document"  # of what is set aside, in place of a model's


def find_missing_loose(source: str, target: str) -> QuerySet:
    """Return the rows of a space whose like another one lacks."""
    set_aside = SetAside.objects.filter(space=target, model_label=LABEL, object_pk=OuterRef("document_key"))
    same = _loose(target).filter(**_outer("index_name", "document_key", "content", "metadata"))
    return _loose(source).exclude(Exists(same)).exclude(Exists(set_aside))


def copy_loose(source: str, target: str) -> int:
    """Bring the loose documents of a space into another one and return how many rows changed.

    One that cannot be embedded there is set aside. Raises EmbeddingUnavailableError when none can be.
    """
    changed = 0
    rows = find_missing_loose(source, target).order_by("pk")
    keyed = rows.values_list("index_name", "document_key", "content", "metadata")
    for batch in batched(list(keyed.values_list("pk", flat=True)), BATCH):
        for index_name, *values in keyed.filter(pk__in=batch):
            changed += _copy(Document(*values), index_name, target)
    return changed + _delete_surplus(source, target)


@task
def copy_loose_documents(source: str, target: str) -> int:
    """As `copy_loose`, by a worker."""
    return copy_loose(source, target)


def _copy(document: Document, index_name: str, target: str) -> int:
    space = get_space(target)
    provider = PgVectorProvider(
        space.model, index_name=index_name, space=space.alias, embedder=space.embedder
    )
    try:
        (vector,) = embed_documents(target, space.embedder, [document.content])
        return provider.add([embed(document, vector)])
    except EmbeddingUnavailableError:
        raise
    except (EmbeddingError, InvalidTextError, InvalidDocumentError) as error:
        SetAside.objects.update_or_create(
            space=target,
            model_label=LABEL,
            object_pk=document.document_key[:255],
            defaults={"reason": str(error), "is_lasting": True},
        )
        return 0


def _delete_surplus(source: str, target: str) -> int:
    here = _loose(source).filter(**_outer("index_name", "document_key"))
    return _loose(target).exclude(Exists(here)).delete()[0]


def _loose(space: str) -> QuerySet:
    labels = "|".join(re.escape(label) for label in list_labels())
    rows: Any = get_space(space).model.objects.filter(space=space)
    return rows.exclude(document_key__regex=rf"^({labels}):[^:]+:[0-9]+$")


def _outer(*names: str) -> dict[str, OuterRef]:
    return {name: OuterRef(name) for name in names}

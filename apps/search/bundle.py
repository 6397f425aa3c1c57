"""What a bundle says of a tenant's vectors, and whether they can be used here.

Vectors of two embedders cannot be compared, and a vector does not say which embedder made it. So a bundle
describes the spaces that hold its documents, and they must be the same where it is imported.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Count
from pydantic import BaseModel, ConfigDict, NonNegativeInt, TypeAdapter, ValidationError

from apps.search.conf import conf
from apps.search.indexing.tasks import continue_run, index_by_keys, maintain_vector_indexes, make_keywords
from apps.search.spaces.space import get_space
from apps.search.storage.pgvector.ann.report import needs_report
from apps.search.storage.pgvector.ann.status import list_tables
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from tenants.context import get_current_tenant


class Embedder(BaseModel):
    """What must be equal for two embedders to give the same vectors for the same documents and queries."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model_id: str
    dimensions: NonNegativeInt
    query_prefix: str
    document_prefix: str


class UsedSpace(BaseModel):
    """A space that holds documents in one table; `embedder` is None if the settings there lacked the space.

    `own_model` is the table that the space searches there; a provider may have written to another one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    alias: str
    model: str
    documents: NonNegativeInt
    embedder: Embedder | None
    own_model: str | None = None


TASKS = [index_by_keys, continue_run, make_keywords]  # read by apps.operations.bundles.parts, as is EXCLUDE
EXCLUDE = ["search_cachedvector", "search_cacheuse", "search_servicebudget"]
EXCLUDE += ["pgvector_keywordindex", "pgvector_keywordpostings"]  # made anew from the documents
USED_SPACES = TypeAdapter(list[UsedSpace])


def describe() -> Any:
    """Return as JSON the space that the bound tenant searches, and all others that hold its documents."""
    own = get_current_tenant().space
    used = {(own, get_space(own).model._meta.label): 0}
    for model in list_tables():
        counted = model.objects.order_by("space").values_list("space").annotate(Count("pk"))
        used |= {(alias, model._meta.label): documents for alias, documents in counted}
    spaces = [
        UsedSpace(alias=alias, model=label, documents=documents, **_describe(alias))
        for (alias, label), documents in used.items()
    ]
    return USED_SPACES.dump_python(spaces)


def find_faults(described: Any) -> Iterable[str]:
    """Yield why vectors cannot be used here: a space is missing, or has another embedder or table."""
    try:
        spaces = USED_SPACES.validate_python(described)
    except ValidationError as error:
        yield f"search: the spaces cannot be read: {error.error_count()} faults."
        return
    for space in spaces:
        try:
            yield from _compare(space)
        except ImproperlyConfigured as error:
            yield str(error)


def after_load(*, is_copy: bool) -> str:
    """Let a worker build the ANN indexes of the default table and the postings, which no bundle holds."""
    forget_ann_indexes()
    if needs_report():
        maintain_vector_indexes.enqueue()
    return ""


def _describe(alias: str) -> dict[str, Any]:
    if alias not in conf.EMBEDDINGS:
        return {"embedder": None, "own_model": None}
    space = get_space(alias)
    values = {name: getattr(space.embedder, name) for name in Embedder.model_fields}
    return {"embedder": Embedder(**values), "own_model": space.model._meta.label}


def _compare(space: UsedSpace) -> Iterator[str]:
    here = _describe(space.alias)
    there, embedder, table = space.embedder, here["embedder"], here["own_model"]
    where = f"EMBEDDINGS[{space.alias!r}]"
    if there is None and embedder is not None:
        yield (
            f"{where}: it was in no settings where its {space.documents} documents come from, so nobody "
            "knows which model made their vectors."
        )
    elif there is not None and embedder is None:
        yield f"{where}: it is missing; {space.documents} documents have vectors of {there.model_id!r}."
    elif there is not None:
        for name in Embedder.model_fields:
            was, wanted = getattr(there, name), getattr(embedder, name)
            if was != wanted:
                yield f"{where}: {name} was {was!r} where the vectors were made; here it is {wanted!r}."
        if space.own_model in (space.model, None) and space.model != table:
            yield f"{where}: its documents are in the table of {space.model}; here MODEL is {table}."

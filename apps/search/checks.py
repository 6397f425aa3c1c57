"""System checks of settings.EMBEDDINGS and of the models it names. Ids begin with `search.`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from pgvector.django import HnswIndex

from apps.search.conf import conf
from apps.search.embedders import validate_embedding_settings
from apps.search.indexed import Indexed
from apps.search.indexes.registry import get_index_names, get_indexed_models, get_row_model
from apps.search.rerankers import RerankError, get_reranker, list_rerankers
from apps.search.spaces.space import get_space
from apps.search.spaces.space_chunker import get_chunker
from apps.search.storage.pgvector.models import BasePgVectorEmbedding
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search.storage.pgvector.tables.distance import get_metric, get_vector_type
from tenants.context import is_tenant_app

HNSW_LIMIT = {"VectorField": 2_000, "HalfVectorField": 4_000}


@register()
def check_spaces(**kwargs: Any) -> list[CheckMessage]:
    """E001 to E004, E006, E007: each space's embedder, table, dimensions, operator class and chunker."""
    if not isinstance(conf.EMBEDDINGS, Mapping) or "default" not in conf.EMBEDDINGS:
        hint = "Add the alias 'default': new tenants use it."
        return [Error("EMBEDDINGS['default']: there is no such alias.", hint=hint, id="search.E001")]
    return [message for alias in conf.EMBEDDINGS for message in _check_space(alias)]


@register()
def check_rerankers(**kwargs: Any) -> list[CheckMessage]:
    """E010: an entry of RERANKERS must be able to work."""
    messages: list[CheckMessage] = []
    hint = "Correct the entry; docs/how-to/another-reranker.md shows complete ones."
    try:
        for alias in list_rerankers():
            try:
                get_reranker(alias).reranker.check_requirements()
            except RerankError as error:
                reason = f"RERANKERS[{alias!r}]: {error}"
                messages.append(Error(reason, hint=hint, id="search.E010"))
    except ImproperlyConfigured as error:
        messages.append(Error(str(error), hint=hint, id="search.E010"))
    return messages


@register()
def check_indexed_models(**kwargs: Any) -> list[CheckMessage]:
    """E005: an indexed model must set index_name and index_fields."""
    return [
        Error(
            f"{model._meta.label} is Indexed, but sets no {name}.",
            hint='Set both, such as index_name = "notes" and index_fields = ("title", "text").',
            obj=model,
            id="search.E005",
        )
        for model in get_indexed_models()
        for name in ("index_name", "index_fields")
        if not getattr(model, name, None) and not (name == "index_name" and get_index_names(model))
    ]


@register()
def check_rows(**kwargs: Any) -> list[CheckMessage]:
    """E009: an indexed model that extends another one must use its primary key."""
    return [
        Error(
            f"{model._meta.label} extends {parent._meta.label}, which is Indexed, but has another key.",
            hint="Name that parent first and declare no primary key, or make only one of them Indexed.",
            obj=model,
            id="search.E009",
        )
        for model in get_indexed_models()
        for parent in model._meta.get_parent_list()
        if issubclass(parent, Indexed) and get_row_model(parent) is not get_row_model(model)
    ]


@register()
def check_tables(**kwargs: Any) -> list[CheckMessage]:
    """E008: indexed models and embedding tables must be in the tenants' schemas and nowhere else."""
    return [
        Error(
            f"{model._meta.label} is searched in each tenant apart, but its app is not in TENANT_APPS alone.",
            hint="Name it in TENANT_APPS and not in SHARED_APPS, or all tenants share one table in public.",
            obj=model,
            id="search.E008",
        )
        for model in apps.get_models()
        if issubclass(model, Indexed | BasePgVectorEmbedding) and not is_tenant_app(model._meta.app_label)
    ]


def _check_space(alias: str) -> list[CheckMessage]:
    try:
        embedder = validate_embedding_settings(alias)
    except ImproperlyConfigured as error:
        hint = "Correct the entry; docs/how-to/another-embedder.md shows a complete one."
        return [Error(str(error), hint=hint, id="search.E001")]
    bad_table = "Name a subclass of BasePgVectorEmbedding, such as 'pgvector.PgVectorEmbedding'."
    try:
        model = get_space(alias).model
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=bad_table, id="search.E002")]
    try:
        PgVectorProvider(model)
        get_vector_type(model)
    except (ImproperlyConfigured, ValueError) as error:
        return [Error(f"EMBEDDINGS[{alias!r}]: {error}", hint=bad_table, id="search.E002")]
    return [*_check_table(alias, embedder.dimensions, model), *_check_chunkers(alias)]


def _check_table(alias: str, dimensions: int, model: Any) -> Iterator[CheckMessage]:
    label, field = model._meta.label, model._meta.get_field("vector")
    if field.dimensions not in (None, dimensions):
        yield Error(
            f"EMBEDDINGS[{alias!r}]: the embedder makes {dimensions} dimensions, but "
            f"{label}.vector has {field.dimensions}.",
            hint=f"Use VectorField(dimensions={dimensions}) in a table of its own, or another embedder.",
            obj=model,
            id="search.E003",
        )
    try:
        get_metric(model)
    except ImproperlyConfigured as error:
        hint = "Give the index one operator class, such as opclasses=['vector_cosine_ops']."
        yield Error(f"EMBEDDINGS[{alias!r}]: {error}", hint=hint, obj=model, id="search.E004")
        return
    limit = HNSW_LIMIT.get(type(field).__name__, 0)
    has_hnsw = any(isinstance(index, HnswIndex) for index in model._meta.indexes)
    if has_hnsw and (field.dimensions is None or field.dimensions > limit):
        yield Error(
            f"EMBEDDINGS[{alias!r}]: {label} has an HnswIndex, but its vector field has "
            f"{field.dimensions or 'no fixed'} dimensions; 1 to {limit:,} can be indexed.",
            hint="Fix the dimensions; above 2,000 use HalfVectorField, which can be indexed up to 4,000.",
            obj=model,
            id="search.E006",
        )


def _check_chunkers(alias: str) -> Iterable[CheckMessage]:
    messages: dict[str, CheckMessage] = {}  # one fault of the space may concern all models
    for model in get_indexed_models():
        try:
            get_chunker(model.chunker, f"{model._meta.label}.chunker", alias)
        except ImproperlyConfigured as error:
            hint = "Correct CHUNKER, or the model's chunker; docs/how-to/chunking.md shows all of them."
            messages[str(error)] = Error(str(error), hint=hint, id="search.E007")
    return messages.values()

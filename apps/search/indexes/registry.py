"""Which indexes there are: the names under which models are Indexed, and those that apps register.

Most indexes need no more than a model's `index_name`. Register an index in an app's `search_indexes.py` when
it is made of only some objects of a model, of a model that another index has already, or of texts and files:

    register(
        VectorIndex(
            "handbook",
            [
                ModelSource(Article, queryset=lambda: Article.objects.filter(source="handbook")),
                CallableSource("faq", read_questions),
                FileSource("guides", "guides/*.md"),
            ],
        )
    )
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from apps.search.conf import conf

if TYPE_CHECKING:
    from django.db.models import Model

    from apps.search.indexed import Indexed
    from apps.search.indexes.sources import IndexSource

_registered: dict[str, "VectorIndex"] = {}


@dataclass(frozen=True)
class VectorIndex:
    """A named set of documents, and what they are made from; see apps.search.indexes.sources."""

    name: str
    sources: "Sequence[IndexSource]"


def register(index: VectorIndex) -> VectorIndex:
    """Add an index, and return it. Raises ImproperlyConfigured for a name or a label that is taken."""
    if index.name in _registered:
        raise ImproperlyConfigured(f"VectorIndex {index.name!r}: there is an index of that name already.")
    labels = [source.label for source in index.sources]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ImproperlyConfigured(f"VectorIndex {index.name!r}: several sources are called {twice[0]!r}.")
    _registered[index.name] = index
    return index


def unregister(name: str) -> None:
    """Forget an index that was registered."""
    _registered.pop(name, None)


def get_registered(name: str | None = None) -> list[VectorIndex]:
    """Return the registered indexes, all or the one of that name."""
    return [index for index in _registered.values() if name in (None, index.name)]


def get_row_model(model: "type[Model]") -> "type[Model]":
    """Return the model that makes a model's rows: not a proxy, and the topmost parent with the same keys."""
    made_by: Any = model._meta.concrete_model
    while (link := made_by._meta.pk.remote_field) and link.parent_link:
        made_by = link.model._meta.concrete_model
    return made_by


def get_indexed_models(index_name: str | None = None) -> "list[type[Indexed]]":
    """Return all Indexed models, or those under whose names an index holds documents.

    An index holds a row once. Where it has a model, it does without the proxies and the child models of it.
    """
    from apps.search.indexed import Indexed  # a model: not before the apps are ready

    indexed: Any = [model for model in apps.get_models() if issubclass(model, Indexed)]
    if index_name is None:
        return indexed
    sources = (source for index in get_registered(index_name) for source in index.sources)
    kept: Any = list(dict.fromkeys(source.model for source in sources if source.model))
    named = [model for model in indexed if model.index_name == index_name]
    for model in sorted(named, key=lambda each: (len(_get_parents(each)), each._meta.proxy)):
        if not any(other._meta.concrete_model in _get_parents(model) for other in kept):
            kept.append(model)
    return kept


def get_named_model(model: "type[Model]") -> "type[Model]":
    """Return the model under whose name the index of an Indexed model holds its objects."""
    models: Any = get_indexed_models(getattr(model, "index_name", ""))
    covering = (other for other in models if other._meta.concrete_model in _get_parents(model))
    return model if model in models else next(covering, model)


def get_index_names(model: "type[Model] | None" = None) -> list[str]:
    """Return the names of all indexes, or of those that hold rows of a model, sorted."""

    def has_rows(other: "type[Model] | None") -> bool:
        return model is None or (other is not None and get_row_model(other) is get_row_model(model))

    own = {each.index_name for each in get_indexed_models() if has_rows(each)}
    listed = {
        index.name for index in get_registered() if any(has_rows(source.model) for source in index.sources)
    }
    return sorted((own | listed) - {""})


def get_noun(index_name: str) -> str:
    """Return what an index has many of: its model's verbose name, or "document" if it has other sources."""
    labels = {source.label for index in get_registered(index_name) for source in index.sources}
    models = get_indexed_models(index_name)
    is_of_one_model = len(models) == 1 and len(labels) <= 1
    return str(models[0]._meta.verbose_name) if is_of_one_model else "document"


def get_default_index() -> str:
    """Return the index to search when none is named: SEARCH_DEFAULT_INDEX, else the first; "" if none."""
    return conf.SEARCH_DEFAULT_INDEX or next(iter(get_index_names()), "")


def _get_parents(model: "type[Model]") -> "list[Any]":
    """Return the models whose tables hold a row of this one, itself included."""
    concrete: Any = model._meta.concrete_model
    return [concrete, *concrete._meta.get_parent_list()]

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


def get_indexed_models(index_name: str | None = None) -> "list[type[Indexed]]":
    """Return the models of an index, or of all indexes."""
    from apps.search.indexed import Indexed  # a model: not before the apps are ready

    indexed: Any = [model for model in apps.get_models() if issubclass(model, Indexed)]
    if index_name is None:
        return indexed
    named = [model for model in indexed if getattr(model, "index_name", None) == index_name]
    sources = (source for index in get_registered(index_name) for source in index.sources)
    return list(dict.fromkeys([*named, *(source.model for source in sources if source.model)]))


def get_index_names(model: "type[Indexed] | None" = None) -> list[str]:
    """Return the names of all indexes, or of those that a model is in, sorted."""
    models = get_indexed_models() if model is None else [model]
    own = {getattr(each, "index_name", "") for each in models}
    listed = {
        index.name
        for index in get_registered()
        if model is None or any(source.model is model for source in index.sources)
    }
    return sorted((own | listed) - {""})


def get_default_index() -> str:
    """Return the index to search when none is named: SEARCH_DEFAULT_INDEX, else the first; "" if none."""
    return conf.SEARCH_DEFAULT_INDEX or next(iter(get_index_names()), "")

"""Which indexes there are: the names under which models are Indexed."""

from typing import TYPE_CHECKING

from django.apps import apps

if TYPE_CHECKING:
    from apps.search.indexed import Indexed


def get_indexed_models(index_name: str | None = None) -> "list[type[Indexed]]":
    """Return the models of an index, or of all indexes."""
    from apps.search.indexed import Indexed  # a model: not before the apps are ready

    indexed = (model for model in apps.get_models() if issubclass(model, Indexed))
    return [m for m in indexed if index_name is None or getattr(m, "index_name", None) == index_name]


def get_index_names() -> list[str]:
    """Return the names of all indexes, sorted."""
    return sorted({model.index_name for model in get_indexed_models()})

"""The one place that knows which distance a table's queries use.

PostgreSQL uses an index only where the query's operator belongs to the index's operator class, so the
distance is read from the model's index. Operators and classes: pgvector's manual, "Querying" and "Indexing".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import ExpressionWrapper, FloatField, Model, Value
from pgvector.django import (
    CosineDistance,
    HalfVectorField,
    HnswIndex,
    IvfflatIndex,
    L1Distance,
    L2Distance,
    MaxInnerProduct,
    VectorField,
)


@dataclass(frozen=True)
class Metric:
    """A distance and the score made of it. A smaller distance and a larger score are nearer."""

    name: str
    function: type
    to_score: Callable[[Any], Any]
    needs_direction: bool = False  # a zero vector has no direction, so its cosine distance is undefined

    def distance(self, vector: Any) -> Any:
        """Return the expression of the distance between the column and a query vector."""
        return self.function("vector", vector)

    def score(self, vector: Any) -> Any:
        """Return the expression of the score: cosine -1 to 1, l2 and l1 0 to 1, ip the product itself."""
        return ExpressionWrapper(self.to_score(self.distance(vector)), output_field=FloatField())


def _inverse(distance: Any) -> Any:
    return Value(1.0) / (Value(1.0) + distance)


COSINE = Metric("cosine", CosineDistance, lambda distance: Value(1.0) - distance, needs_direction=True)
METRICS = {
    "cosine": COSINE,
    "l2": Metric("l2", L2Distance, _inverse),
    "ip": Metric("ip", MaxInnerProduct, lambda distance: Value(0.0) - distance),
    "l1": Metric("l1", L1Distance, _inverse),
}
TYPE_OF_FIELD = {VectorField: "vector", HalfVectorField: "halfvec"}


def get_metric(model: type[Model]) -> Metric:
    """Return the distance that the model's vector index serves; cosine when it has no such index.

    Raises ImproperlyConfigured when an operator class does not exist for the field's type, or when two
    indexes serve different distances, so that one of them would never be used.
    """
    metrics = {opclass: _metric_of(model, opclass) for opclass in _operator_classes(model)}
    names = {metric.name for metric in metrics.values()}
    if len(names) > 1:
        raise ImproperlyConfigured(
            f"{model._meta.label}: its vector indexes serve different distances "
            f"({', '.join(sorted(metrics))}); a query uses one, so keep one."
        )
    return next(iter(metrics.values()), COSINE)


def get_vector_type(model: type[Model]) -> str:
    """Return "vector" or "halfvec", the type of the model's `vector` field.

    Raises ImproperlyConfigured for a field of another type.
    """
    field = model._meta.get_field("vector")
    for field_class, name in TYPE_OF_FIELD.items():
        if isinstance(field, field_class):
            return name
    raise ImproperlyConfigured(
        f"{model._meta.label}.vector is a {type(field).__name__}; use VectorField or HalfVectorField."
    )


def _operator_classes(model: type[Model]) -> list[str]:
    return [
        opclass
        for index in model._meta.indexes
        if isinstance(index, HnswIndex | IvfflatIndex) and "vector" in index.fields
        for opclass in index.opclasses or [_default_class(model, index)]
    ]


def _default_class(model: type[Model], index: Any) -> str:
    """PostgreSQL has one for IvfflatIndex on vector only: pg_opclass.opcdefault."""
    if isinstance(index, HnswIndex) or get_vector_type(model) != "vector":
        raise ImproperlyConfigured(
            f"{model._meta.label}: its {type(index).__name__} {index.name!r} names no operator class, and "
            f"there is no default. Write opclasses=['{get_vector_type(model)}_cosine_ops']."
        )
    return "vector_l2_ops"


def _metric_of(model: type[Model], opclass: str) -> Metric:
    vector_type = get_vector_type(model)
    allowed = {f"{vector_type}_{name}_ops": metric for name, metric in METRICS.items()}
    if opclass not in allowed:
        raise ImproperlyConfigured(
            f"{model._meta.label}: the operator class {opclass!r} does not fit a {vector_type} column in any "
            f"distance in use. Allowed: {', '.join(allowed)}."
        )
    return allowed[opclass]

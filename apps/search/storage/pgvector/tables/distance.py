"""The one place that knows which distance a table's queries use.

PostgreSQL uses an ANN index only where the query's operator belongs to its operator class, so the distance is
read from the ANN index that the model declares. Operators and classes: pgvector's manual, "Querying" and
"Indexing".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import FloatField, Func, Model
from pgvector.django import HalfVectorField, HnswIndex, VectorField

from apps.search.storage.pgvector.tables.ann_index import list_declared
from apps.search.storage.pgvector.tables.plan import EXACT


@dataclass(frozen=True)
class Metric:
    """A distance and the score made of it. A smaller distance and a larger score mean nearer.

    `to_score` takes a number or an expression. The score is -1 to 1 for cosine, 0 to 1 for l2 and l1, and the
    inner product itself for ip.
    """

    name: str
    operator: str
    to_score: Callable[[Any], Any]
    needs_direction: bool = False  # a zero vector has no direction, so its cosine distance is undefined


COSINE = Metric("cosine", "<=>", lambda distance: 1.0 - distance, needs_direction=True)
METRICS = {
    "cosine": COSINE,
    "l2": Metric("l2", "<->", lambda distance: 1.0 / (1.0 + distance)),
    "ip": Metric("ip", "<#>", lambda distance: 0.0 - distance),
    "l1": Metric("l1", "<+>", lambda distance: 1.0 / (1.0 + distance)),
}
TYPE_OF_FIELD = {VectorField: "vector", HalfVectorField: "halfvec"}


class VectorDistance(Func):
    """The distance between a table's vector column and a query vector.

    Its SQL follows the plan of the query it is part of: PostgreSQL uses an ANN index only for the expression
    it was made of, and an exact search must be one that no ANN index serves.
    """

    output_field = FloatField()

    def __init__(self, metric: Metric, literal: str) -> None:
        super().__init__("vector")
        self.metric = metric
        self.literal = literal

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the SQL; the literal consists of digits that VectorCheck has checked."""
        column, _ = compiler.compile(self.source_expressions[0])
        plan = getattr(compiler.query, "plan", EXACT)
        return plan.distance_sql(column, self.metric.operator, f"'{self.literal}'"), ()


def get_metric(model: type[Model]) -> Metric:
    """Return the distance that the model's ANN index serves; cosine when it declares none.

    Raises ImproperlyConfigured when an operator class does not exist for the field's type, or when two ANN
    indexes serve different distances, so that one of them would never be used.
    """
    metrics = {
        opclass: _metric_of(model, opclass)
        for index in list_declared(model)
        for opclass in index.opclasses or [_default_class(model, index)]
    }
    names = {metric.name for metric in metrics.values()}
    if len(names) > 1:
        raise ImproperlyConfigured(
            f"{model._meta.label}: its ANN indexes serve different distances "
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

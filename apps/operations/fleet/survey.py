"""Finds the tenants that lag behind the migration files: a few statements, however many tenants there are."""

from dataclasses import dataclass, field
from typing import Any

from django_tenants.utils import get_public_schema_name, get_tenant_migration_order, quote_schema_name

from apps.operations.fleet.files import Plan, Planner
from tenants.models import Tenant
from tenants.provisioning.schemas import list_schemas

CHUNK = 250  # schemas in one statement; each locks two relations while it runs
# Aggregated, because most tenants have the same rows: each distinct text is parsed once.
RECORDS = """
    SELECT '{name}', string_agg(app || E'\\t' || name, E'\\n' ORDER BY app, name)
    FROM {schema}.django_migrations
"""


@dataclass(frozen=True, slots=True)
class Survey:
    """The tenants that lag and what they lack, those that do not, and those passed over and why."""

    lagging: dict[str, Plan] = field(default_factory=dict)
    current: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of tenants that have a schema."""
        return len(self.lagging) + len(self.current)


def survey_fleet(connection: Any, planner: Planner, *, visit_all: bool = False) -> Survey:
    """Compare the rows of every tenant's django_migrations with the migration files.

    With `visit_all` every tenant counts as lagging: for options that do more than apply migrations.
    """
    survey = Survey()
    has_records = list_schemas(connection)
    schemas = []
    order = get_tenant_migration_order() or ["schema_name"]
    tenants = Tenant.objects.exclude(schema_name=get_public_schema_name()).order_by(*order)
    for schema, state in tenants.values_list("schema_name", "state"):
        if state in Tenant.UNPROVISIONED:
            survey.passed_over[schema] = f"its state is {state!r}"
        elif schema not in has_records:
            survey.passed_over[schema or "''"] = "it has no schema"
        else:
            schemas.append(schema)
    records = _read_records(connection, [schema for schema in schemas if has_records[schema]])
    verdicts: dict[str, tuple[Plan, bool]] = {}
    for schema in schemas:
        text = records.get(schema) or ""
        if text not in verdicts:
            applied = [(app, name) for app, _, name in (line.partition("\t") for line in text.splitlines())]
            plan = planner.plan(applied)
            verdicts[text] = plan, bool(plan) or planner.lacks_replacements(applied)
        plan, lags = verdicts[text]
        if lags or visit_all:
            survey.lagging[schema] = plan
        else:
            survey.current.append(schema)
    return survey


def _read_records(connection: Any, schemas: list[str]) -> dict[str, str | None]:
    records: dict[str, str | None] = {}
    with connection.cursor() as cursor:
        for start in range(0, len(schemas), CHUNK):
            parts = [
                RECORDS.format(name=schema.replace("'", "''"), schema=quote_schema_name(schema))
                for schema in schemas[start : start + CHUNK]
            ]
            cursor.execute(" UNION ALL ".join(parts))
            records.update(cursor.fetchall())
    return records

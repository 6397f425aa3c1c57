import pytest
from asgiref.sync import async_to_sync
from django.db import connection, models

from apps.search.documents import Document
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.queryset import TenantMismatchError
from tenants.context import NoTenantError, tenant_context

EVALUATIONS = {
    "iteration": list,
    "iterator": lambda rows: list(rows.iterator()),
    "count": lambda rows: rows.count(),
    "len": len,
    "bool": bool,
    "exists": lambda rows: rows.exists(),
    "contains": lambda rows: rows.contains(PgVectorEmbedding(pk=1)),
    "first": lambda rows: rows.first(),
    "last": lambda rows: rows.last(),
    "get": lambda rows: rows.get(document_key="k"),
    "in_bulk": lambda rows: rows.in_bulk(),
    "index": lambda rows: rows[0],
    "slice": lambda rows: list(rows[:2]),
    "aggregate": lambda rows: rows.aggregate(models.Max("pk")),
    "aggregate-of-a-slice": lambda rows: rows[:2].aggregate(models.Max("pk")),
    "values": lambda rows: list(rows.values("content")),
    "values_list": lambda rows: list(rows.values_list("content", flat=True)),
    "distinct": lambda rows: list(rows.order_by().values("index_name").distinct()),
    "group": lambda rows: list(rows.order_by().values("index_name").annotate(models.Count("pk"))),
    "union": lambda rows: list(rows.order_by().union(rows.order_by())),
    "subquery": lambda rows: list(PgVectorEmbedding.objects.filter(pk__in=rows.values("pk"))),
    "filtered": lambda rows: list(rows.filter(content="text").exclude(metadata__a=1)),
    "update": lambda rows: rows.update(content="changed"),
    "delete": lambda rows: rows.delete(),
    "explain": lambda rows: rows.explain(),
    "async": lambda rows: async_to_sync(rows.acount)(),
}
WRITES = {
    "create": lambda rows: rows.create(**make_fields()),
    "bulk_create": lambda rows: rows.bulk_create([PgVectorEmbedding(**make_fields())]),
    "get_or_create": lambda rows: rows.get_or_create(document_key="new", defaults=make_fields()),
    "update_or_create": lambda rows: rows.update_or_create(document_key="new", defaults=make_fields()),
}

pytestmark = pytest.mark.usefixtures("embedder")


def make_fields():
    fields = {"space": "default", "index_name": "default", "document_key": "new", "content": "new"}
    return fields | {"vector": [1.0] * 8}


@pytest.fixture
def of_acme(acme):
    with tenant_context(acme):
        PgVectorProvider().add([Document("k", "text"), Document("l", "other text")])
        yield PgVectorProvider()


def contents_of(tenant):
    with tenant_context(tenant):
        return dict(PgVectorEmbedding.objects.values_list("document_key", "content"))


@pytest.mark.parametrize("evaluate", EVALUATIONS.values(), ids=EVALUATIONS)
@pytest.mark.parametrize("bound", ["public", "globex"])
def test_queryset_of_one_tenant_is_not_evaluated_in_another(of_acme, acme, globex, bound, evaluate):
    rows = of_acme.objects.order_by("pk")
    connection.set_schema_to_public() if bound == "public" else connection.set_tenant(globex)

    with pytest.raises((TenantMismatchError, NoTenantError)) as caught:
        evaluate(rows)

    assert str(caught.value) in (
        f"This queryset was built for the tenant with the schema 'acme', but '{bound}' is bound. "
        "Evaluate it inside `with tenant_context(tenant):`.",
        # The query around a subquery was built unbound.
        "pgvector.PgVectorEmbedding belongs to a tenant, and none is bound. "
        "Wrap the call in `with tenant_context(tenant):` (from tenants.context).",
    )
    assert contents_of(acme) == {"k": "text", "l": "other text"}


@pytest.mark.parametrize("evaluate", EVALUATIONS.values(), ids=EVALUATIONS)
def test_queryset_is_evaluated_in_its_own_tenant(of_acme, evaluate):
    evaluate(of_acme.objects.order_by("pk"))


def test_search_of_one_tenant_is_not_evaluated_in_another(of_acme, globex):
    found = of_acme.search("text")

    with (
        tenant_context(globex),
        pytest.raises(TenantMismatchError, match=r"built for .* 'acme', but 'globex'"),
    ):
        list(found[:10])


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_queryset_of_one_tenant_does_not_write_into_another(of_acme, globex, write):
    rows = of_acme.objects

    with (
        tenant_context(globex),
        pytest.raises(TenantMismatchError, match=r"built for .* 'acme', but 'globex'"),
    ):
        write(rows)

    assert contents_of(globex) == {}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_queryset_with_its_tenant_given_writes_into_it(of_acme, acme, globex, write):
    rows = PgVectorProvider(tenant=acme).objects

    with tenant_context(globex):
        write(rows)

    assert contents_of(globex) == {}
    assert contents_of(acme)["new"] == "new"


@pytest.mark.parametrize("evaluate", EVALUATIONS.values(), ids=EVALUATIONS)
def test_queryset_with_its_tenant_given_is_evaluated_anywhere(of_acme, acme, globex, evaluate):
    rows = PgVectorProvider(tenant=acme).objects.order_by("pk")
    if evaluate is EVALUATIONS["subquery"]:
        rows = rows.filter(pk__in=rows.values("pk"))
        evaluate = list

    with tenant_context(globex):
        evaluate(rows)

    assert connection.schema_name == "acme"


def test_queryset_with_its_tenant_given_reads_and_changes_that_one(of_acme, acme, globex):
    with tenant_context(globex):
        PgVectorProvider().add([Document("k", "text of globex")])
        rows = PgVectorProvider(tenant=acme).objects
        found = sorted(rows.values_list("content", flat=True))
        changed = (rows.filter(document_key="k").update(content="new"), rows.count(), rows.aggregate(n=COUNT))
        deleted = rows.filter(document_key="l").delete()[0]

    assert found == ["other text", "text"]
    assert (changed, deleted) == ((1, 2, {"n": 2}), 1)
    assert contents_of(acme) == {"k": "new"}
    assert contents_of(globex) == {"k": "text of globex"}


COUNT = models.Count("pk")


def test_deferred_vector_is_not_read_from_another_tenant(of_acme, acme, globex):
    row = of_acme.objects.get(document_key="k")
    with tenant_context(globex):
        PgVectorEmbedding(pk=row.pk, **make_fields()).save(force_insert=True)

        with pytest.raises(TenantMismatchError, match="'acme'"):
            row.vector  # noqa: B018


def test_deferred_vector_of_a_tenant_given_is_read_from_it(of_acme, acme, globex):
    own = of_acme.objects.get(document_key="k").vector

    with tenant_context(globex):
        row = PgVectorProvider(tenant=acme).objects.get(document_key="k")
        PgVectorEmbedding(pk=row.pk, **make_fields()).save(force_insert=True)

        assert row.vector == own


@pytest.mark.parametrize(
    "change", [lambda row: row.save(), lambda row: row.delete(), lambda row: row.refresh_from_db()]
)
def test_row_of_one_tenant_is_not_written_to_another(of_acme, globex, change):
    row = PgVectorEmbedding.objects.get(document_key="k")
    with tenant_context(globex):
        PgVectorEmbedding(pk=row.pk, **make_fields()).save(force_insert=True)

        with pytest.raises(TenantMismatchError, match="'acme'"):
            change(row)

    assert contents_of(globex) == {"new": "new"}


def test_queryset_built_while_no_tenant_is_bound_takes_the_one_that_is(acme, globex):
    rows = PgVectorEmbedding.objects.all()
    with tenant_context(acme):
        PgVectorProvider().add([Document("k", "text")])

        assert rows.count() == 1

    with tenant_context(globex):
        assert rows.all().count() == 0


def test_rows_of_two_tenants_given_are_not_mixed(acme, globex):
    for tenant in (acme, globex):
        PgVectorProvider(tenant=tenant).add([Document(tenant.schema_name, "text")])
    ours, theirs = (PgVectorProvider(tenant=tenant).objects for tenant in (acme, globex))

    for mix in (
        lambda: list(ours.filter(pk__in=theirs.values("pk"))),
        lambda: list(ours.union(theirs)),
        lambda: list(ours | theirs),
    ):
        with pytest.raises(TenantMismatchError, match=r"'(acme|globex)'"):
            mix()

"""What may be wrong with the bound tenant's documents, their vectors and their ANN indexes."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Func, IntegerField
from django.db.models.functions import Left
from psycopg import sql

from apps.operations.doctor.finding import Finding, Level, write_sql
from apps.search.doctor.work import enqueue_in
from apps.search.embedders import EmbeddingError
from apps.search.indexes.sources import ModelSource, get_sources
from apps.search.indexing.tasks import make_keywords
from apps.search.options.languages import is_foreign
from apps.search.providers import get_provider
from apps.search.spaces.space import get_space
from apps.search.storage.pgvector.ann.status import AnnIndexStatus
from apps.search.storage.pgvector.keywords.pending import find_pending
from apps.search.storage.pgvector.keywords.recipe import PENDING, get_recipe
from apps.search.storage.pgvector.tables.ann_index import get_declared_ann_index
from tenants.context import connection

LONGEST = 100  # documents whose tokens are counted, or whose languages are guessed
BEGINNING = 500  # characters of a document that tell its language
LENGTH = Func("vector", function="vector_dims", output_field=IntegerField())
OPERATOR_CLASS = """
    SELECT o.opcname FROM pg_index i JOIN pg_opclass o ON o.oid = i.indclass[0]
    WHERE i.indexrelid = to_regclass(%s)
"""
DELETE = "DELETE FROM {schema}.{table} WHERE space = {space} AND index_name = {index_name}"


def check_declared(model: Any, schema: str) -> Iterator[Finding]:
    """Compare the ANN index that a model declares with the one that the tenant's table has."""
    declared = get_declared_ann_index(model)
    if declared is None:
        return
    wanted = declared.opclasses[0] if declared.opclasses else "vector_l2_ops"
    with connection.cursor() as cursor:
        cursor.execute(OPERATOR_CLASS, [write_sql("{schema}.{name}", schema=schema, name=declared.name)])
        row = cursor.fetchone()
    if row == (wanted,):
        return
    statement: Any = declared.create_sql(model, connection.schema_editor(), concurrently=True)
    statement.parts["table"] = write_sql("{schema}.{table}", schema=schema, table=model._meta.db_table)
    fix = f"{statement};"
    message = f"The vector index {declared.name} is missing: every search is exact."
    if row:
        message = (
            f"The vector index {declared.name} has {row[0]}; {wanted} is declared, so no search uses it."
        )
        fix = write_sql("DROP INDEX {schema}.{name};", schema=schema, name=declared.name) + f" {fix}"
    yield Finding(Level.WARNING, schema, message, fix)


def check_length(status: AnnIndexStatus) -> Iterator[Finding]:
    """Compare the lengths of the oldest and the newest vector with the embedder's dimensions."""
    try:
        wanted = get_space(status.space).embedder.dimensions
    except ImproperlyConfigured:  # an alias that is no more, or one that check_settings() has complained of
        return
    rows = status.model.objects.filter(space=status.space, index_name=status.index_name).order_by("pk")
    lengths = rows.values_list(LENGTH, flat=True)
    if strange := {lengths.first(), lengths.last()} - {wanted, None}:
        message = (
            f"{_name(status)}: vectors of {', '.join(map(str, sorted(strange)))} dimensions are stored; the "
            f"embedder makes {wanted}."
        )
        delete = _delete_sql(status, f" AND vector_dims(vector) <> {wanted};")
        fix = (
            f"Undo the change of EMBEDDINGS[{status.space!r}]; or: {delete} "
            f"manage.py rebuild_index --schema={status.schema} --space={status.space}"
        )
        yield Finding(Level.ERROR, status.schema, message, fix)


def check_chunks(status: AnnIndexStatus) -> Iterator[Finding]:
    """Cut the oldest object of each model again. No task waits for it, so its chunks should be the same."""
    for source in get_sources(status.index_name):
        oldest = source.get_queryset().first() if isinstance(source, ModelSource) else None
        if oldest is None:
            continue
        try:
            documents = source.make_documents([oldest.pk], status.space)
        except ImproperlyConfigured:  # check_settings() has complained of it
            continue
        wanted = {document.content for document in documents}
        rows = get_provider(status.index_name, space=status.space).objects
        rows = rows.filter(document_key__startswith=source.get_prefix(str(oldest.pk)))
        stored = set(rows.values_list("content", flat=True))
        if stored and stored != wanted:
            message = (
                f"{_name(status)}: the oldest {oldest._meta.label} would be cut into other chunks today "
                f"({len(stored)} stored, {len(wanted)} wanted): CHUNKER, the model's chunker or its text was "
                "changed, and not all was indexed again."
            )
            fix = f"manage.py rebuild_index --schema={status.schema} --index={status.index_name}"
            yield Finding(Level.WARNING, status.schema, message, fix)


def check_cut(status: AnnIndexStatus) -> Iterator[Finding]:
    """Count how many of the longest documents the space's embedder reads in part only."""
    try:
        embedder = get_space(status.space).embedder
        limit = embedder.token_limit
        if limit is None:
            return
        rows = status.model.objects.filter(space=status.space, index_name=status.index_name)
        longest = rows.order_by(Func("content", function="octet_length").desc(), "pk")[:LONGEST]
        counts = [embedder.count_tokens(text) for text in longest.values_list("content", flat=True)]
    except (ImproperlyConfigured, EmbeddingError):  # check_settings() has complained of it
        return
    if cut := sum(count > limit for count in counts):
        of_all = f"{cut} documents" if cut < LONGEST else f"The {cut} longest documents, perhaps more,"
        message = (
            f"{_name(status)}: {of_all} have more than the {limit} tokens that the embedder reads, up to "
            f"{max(counts)}. What is beyond is found by words only."
        )
        fix = (
            "Make a TokenChunker the CHUNKER of the space or the model's `chunker`; then: manage.py "
            f"rebuild_index --schema={status.schema} --index={status.index_name}"
        )
        yield Finding(Level.INFO, status.schema, message, fix)


def check_keywords(status: AnnIndexStatus, tenant: Any) -> Iterator[Finding]:
    """Yield how many documents wait for their keywords, and how many have those of another recipe."""
    rows = status.model.objects.filter(space=status.space, index_name=status.index_name)
    waiting = find_pending(rows).count()
    stale = rows.exclude(keyword_recipe__in=["", str(PENDING), str(get_recipe())]).count()
    messages = {
        f"{waiting:,} documents wait for their keywords; searches by words read few of them.": waiting,
        f"{stale:,} documents have keywords of another language or an earlier version; searches by words may "
        "miss them.": stale,
    }
    for message, count in messages.items():
        if count:
            fix = f"manage.py doctor --schema={status.schema} --fix, and a worker"
            arguments = status.model._meta.label_lower, status.space, status.index_name
            mend = partial(enqueue_in, tenant, make_keywords, *arguments)
            yield Finding(Level.INFO, status.schema, f"{_name(status)}: {message}", fix, mend)


def check_languages(status: AnnIndexStatus, tenant: Any) -> Iterator[Finding]:
    """Look whether most of some documents are in languages that the space's embedder was not trained for."""
    try:
        languages = get_space(status.space).embedder.languages
    except ImproperlyConfigured:  # check_settings() has complained of it
        return
    rows = status.model.objects.filter(space=status.space, index_name=status.index_name)
    texts = list(rows.order_by("pk").values_list(Left("content", BEGINNING), flat=True)[:LONGEST])
    foreign = sum(is_foreign(text, languages, tenant.search_language) for text in texts)
    if languages and foreign > len(texts) / 2:
        message = (
            f"{_name(status)}: {foreign} of {len(texts)} documents are in other languages than the embedder "
            f"knows ({', '.join(languages)}), so searches by meaning find little. In hybrid searches words "
            "count more."
        )
        fix = "Serve the tenant from a space whose embedder knows them: docs/how-to/another-embedder.md"
        yield Finding(Level.INFO, status.schema, message, fix)


def describe_left_over(status: AnnIndexStatus, tenant: Any) -> Finding:
    """Mention documents in a space that the tenant does not search."""
    message = f"{_name(status)}: {status.rows:,} documents; the tenant is served from {tenant.space!r}."
    return Finding(Level.INFO, status.schema, message, _delete_sql(status, ";"))


def check_ann_index(status: AnnIndexStatus, care: Callable[[], object]) -> Iterator[Finding]:
    """Yield an ANN index that should be built, rebuilt or dropped; `care` has that done."""
    if status.action != "none":
        level = Level.INFO if status.action == "drop" and status.mode != "invalid" else Level.WARNING
        if status.action == "measure":
            level, state = Level.INFO, "to be measured"
        else:
            state = {"invalid": "invalid", "exact": "missing"}.get(status.mode, "of no use")
        message = f"{_name(status)}: its vector index is {state}; {status.why}."
        fix = f"manage.py vector_indexes --schema={status.schema} --apply"
        yield Finding(level, status.schema, message, fix, care)
    elif status.misses_target:
        fix = f"Lower the recall: OPTIONS of the space, or PGVECTOR['RECALL']. Now: {status.why}."
        message = f"{_name(status)}: searches through its vector index miss too many neighbours."
        yield Finding(Level.WARNING, status.schema, message, fix)


def _name(status: AnnIndexStatus) -> str:
    return f"space {status.space!r}, index {status.index_name!r}"


def _delete_sql(status: AnnIndexStatus, rest: str) -> str:
    return write_sql(
        DELETE + rest,
        schema=status.schema,
        table=status.model._meta.db_table,
        space=sql.Literal(status.space),
        index_name=sql.Literal(status.index_name),
    )

import pytest
from django.db import connection

from apps.articles.models import Article
from apps.search import get_provider
from apps.search.documents import Document
from apps.search.indexes.sources import BATCH
from apps.search.indexing.batches import count_objects, index_objects, rebuild_index

pytestmark = pytest.mark.usefixtures("embedder", "in_acme")


def contents():
    rows = get_provider("articles").objects.order_by("document_key")
    return [content.split()[0] for content in rows.values_list("content", flat=True)]


def make_articles(count):
    Article.objects.bulk_create(Article(title=f"title{number}", body="body") for number in range(count))


def test_rebuild_indexes_removes_orphans_and_reports_progress():
    make_articles(2 * BATCH + 1)
    gone = Article.objects.create(title="gone", body="b")
    index_objects(Article, [gone.pk])
    get_provider("articles").add([Document("by hand", "text"), Document("a: b", "text")])
    Article.objects.filter(pk=gone.pk)._raw_delete("default")
    counts = []

    changed = rebuild_index("articles", progress=counts.append)

    assert (counts, changed) == ([BATCH, BATCH, 1], 2 * BATCH + 2)
    assert len(contents()) == 2 * BATCH + 1 + 2
    assert count_objects("articles") == 2 * BATCH + 1
    assert rebuild_index("articles") == 0


def test_rebuild_keeps_what_another_worker_indexed_meanwhile():
    make_articles(1)
    saved = []

    def save_another(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        reads_all_keys = sql.startswith('SELECT "articles_article"."id"') and not {"LIMIT", "WHERE"} & set(
            sql.split()
        )
        if reads_all_keys and not saved:
            saved.append(Article(title="meanwhile", body="b"))
            saved[0].save()
            index_objects(Article, [saved[0].pk])
        return result

    with connection.execute_wrapper(save_another):
        rebuild_index("articles")

    assert saved
    assert sorted(contents()) == ["meanwhile", "title0"]


def test_stopped_rebuild_goes_on_where_it_stopped(embedder):
    make_articles(3 * BATCH)

    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild_index("articles", progress=stop)
    before = set(embedder.embedded)

    rebuild_index("articles")

    assert len(before) == BATCH
    assert len(embedder.embedded) == len(set(embedder.embedded)) == 3 * BATCH

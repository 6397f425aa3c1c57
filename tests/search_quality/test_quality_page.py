import re
from datetime import timedelta

import pytest
from django_tasks_db.models import DBTaskResult

from apps.search.embedders import EmbeddingError
from apps.search.indexing.batches import rebuild_index
from apps.search.storage.pgvector.searching.query_vectors import forget_query_vectors
from apps.search_quality import views
from apps.search_quality.evaluating.measuring import evaluate
from apps.search_quality.evaluating.runs import STALE, ask_for_run, save_run
from apps.search_quality.models import EvaluationRun, GoldenQuery
from tenants.context import tenant_context

PAGE = "/search/quality/"
EVALUATE = "/search/quality/evaluate/"


def save(tenant, times=1, **options):
    with tenant_context(tenant):
        for _ in range(times):
            save_run(evaluate("notes", **options))


def list_runs(tenant):
    with tenant_context(tenant):
        return [(run.space, run.fault, run.evaluations.count()) for run in EvaluationRun.objects.all()]


def read(site, **query):
    page = site.get(PAGE, query)
    assert page.status_code == 200
    return re.sub(r"\s+", " ", page.content.decode())


def test_without_golden_queries_the_page_says_how_to_make_some(site, notes, make_member):
    make_member("view_goldenquery")

    page = read(site)

    assert "No golden queries yet" in page
    assert "<svg" not in page
    assert "Recent searches" not in page


def test_figures_ranks_and_plot_of_the_tenants_space(site, acme, make_golden, make_member):
    make_golden("churned cream", "Butter")
    make_golden("<b>two</b>", "Bread")
    save(acme, 2)
    make_golden("moon", "Tides", grade=2)
    make_member("view_goldenquery")

    page = read(site)

    assert "Space <strong>default</strong>: 2 golden queries" in page
    assert 'data-label="nDCG@10" class="number wide"><span>0.500' in page
    assert "No mode is clearly best: the lead of " in page
    assert '<td role="cell" data-label="By words" class="number">1</td>' in page
    assert '<td role="cell" data-label="By words" class="number quiet">none</td>' in page
    assert '<td role="cell" data-label="By words" class="number quiet">new</td>' in page
    assert ">nDCG@10 over 2 evaluations of notes in the space default</title>" in page
    assert "&lt;b&gt;two&lt;/b&gt;" in page
    assert "<b>two" not in page
    assert "(good)" in page
    assert "style=" not in page


@pytest.mark.parametrize(("measure", "name"), [("mrr", "MRR@10"), ("recall", "Recall@10")])
def test_another_measure_is_plotted(site, acme, make_golden, make_member, measure, name):
    make_golden("churned cream", "Butter")
    save(acme)
    make_member("view_goldenquery")

    page = read(site, measure=measure)

    assert f"{name} over 1 evaluation of notes" in page
    assert f'<strong aria-current="true">{name}</strong>' in page


def test_a_candidate_with_documents_stands_beside_the_tenants_space(site, acme, make_golden, make_member):
    make_golden("churned cream", "Butter")
    with tenant_context(acme):
        rebuild_index("notes", space="other")
    save(acme)
    save(acme, space="other")
    make_member("view_goldenquery", "add_evaluationrun")

    page = read(site, space="other")

    assert "Space <strong>other</strong>, a candidate: 1 golden query" in page
    assert "<option>other</option>" in page
    assert "<option>custom</option>" not in page
    assert "beside default: by meaning no difference; by words no difference;" in page
    assert "of notes in the space other</title>" in page


@pytest.mark.parametrize("query", [{"index": "nowhere"}, {"space": "custom"}, {"measure": "vague"}])
def test_what_there_is_not_is_not_found(site, notes, make_member, query):
    make_member("view_goldenquery")

    assert site.get(PAGE, query).status_code == 404


def test_few_searches_are_evaluated_at_once(site, acme, make_golden, make_member):
    make_golden("churned cream", "Butter")
    make_member("add_evaluationrun")

    response = site.post(EVALUATE, {"index": "notes", "space": "default"})

    assert (response.status_code, response.url) == (302, "/search/quality/?index=notes")
    assert list_runs(acme) == [("default", "", 3)]


def test_many_are_left_to_a_worker_and_the_page_shows_how_far_it_is(
    site, acme, make_golden, make_member, monkeypatch
):
    monkeypatch.setattr(views, "AT_ONCE", 2)
    make_golden("churned cream", "Butter")
    make_member("view_goldenquery", "add_evaluationrun")

    site.post(EVALUATE, {"index": "notes", "space": "default"})
    site.post(EVALUATE, {"index": "notes", "space": "default"})
    again = read(site)

    tasks = [task.task_path for task in DBTaskResult.objects.filter(task_path__contains="quality")]
    assert tasks == ["apps.search_quality.tasks.carry_out_run"]
    assert list_runs(acme) == [("default", "", 0)]
    assert "Evaluating the space default: 0 of 3 searches" in read(site)
    assert '<p data-reload="5" hidden>' in read(site)
    assert "reload" not in read(site, still="1")
    assert 'max="3" value="0"' in read(site)
    assert "An evaluation is under way already." in again


def test_an_evaluation_that_failed_says_why_and_leaves_the_last_figures(
    site, acme, make_golden, make_member, embedder
):
    def fail(texts):
        raise EmbeddingError("The address is secret.")

    make_golden("churned cream", "Butter")
    save(acme)
    forget_query_vectors()
    embedder.before_batch = staticmethod(fail)
    make_member("view_goldenquery", "add_evaluationrun")

    site.post(EVALUATE, {"index": "notes", "space": "default"})

    page = read(site)
    assert "has no result. The embedding service did not answer." in page
    assert "The address is secret." not in page
    assert "Space <strong>default</strong>: 1 golden query" in page


def test_an_evaluation_that_was_never_finished_is_not_waited_for(site, acme, make_golden, make_member):
    make_golden("churned cream", "Butter")
    with tenant_context(acme):
        run = ask_for_run("notes")
        EvaluationRun.objects.filter(pk=run.pk).update(made_at=run.made_at - STALE - timedelta(minutes=1))
    make_member("view_goldenquery", "add_evaluationrun")

    before = read(site)
    site.post(EVALUATE, {"index": "notes", "space": "default"})

    assert "It was never finished. Is a worker running?" in before
    assert "Space <strong>default</strong>: 1 golden query" in read(site)


def test_a_space_without_documents_is_not_evaluated(site, acme, make_golden, make_member):
    make_golden("churned cream", "Butter")
    make_member("add_evaluationrun")

    response = site.post(EVALUATE, {"index": "notes", "space": "custom"})

    assert response.status_code == 400
    assert list_runs(acme) == []


def test_a_golden_query_is_forgotten(site, acme, make_golden, make_member):
    golden = make_golden("churned cream", "Butter").golden_query
    make_member("view_goldenquery", "delete_goldenquery")

    page = site.post(f"{PAGE}{golden.pk}/forget/", follow=True)

    assert "“churned cream” is no longer a golden query." in page.content.decode()
    assert site.post(f"{PAGE}{golden.pk}/forget/").status_code == 404
    with tenant_context(acme):
        assert not GoldenQuery.objects.exists()


def test_a_member_without_permissions_sees_and_does_nothing(site, acme, make_golden, make_member):
    golden = make_golden("churned cream", "Butter").golden_query
    make_member()

    statuses = [
        site.get(PAGE).status_code,
        site.post(EVALUATE, {"space": "default"}).status_code,
        site.post(f"{PAGE}{golden.pk}/forget/").status_code,
    ]

    assert statuses == [403, 403, 403]
    assert list_runs(acme) == []
    assert "How good is this search?" not in site.get("/search/", {"q": "moon"}).content.decode()


def test_who_may_view_finds_the_page_from_a_search(site, notes, make_member):
    make_member("view_goldenquery")

    page = site.get("/search/", {"q": "moon"}).content.decode()

    assert '<a href="/search/quality/?index=notes">How good is this search?</a>' in page
    assert "Evaluate now" not in read(site)


def test_a_visitor_is_sent_to_sign_in(site, notes):
    response = site.get(PAGE)

    assert (response.status_code, response.url) == (302, "/accounts/login/?next=/search/quality/")


def test_a_golden_query_of_another_tenant_cannot_be_forgotten_or_seen(
    site, acme, globex, make_golden, make_member
):
    with tenant_context(globex):
        theirs = GoldenQuery.objects.create(pk=4_000, index_name="notes", query="globex's secret")
        ask_for_run("notes")
    make_member("view_goldenquery", "delete_goldenquery")

    page = read(site)

    assert "globex's secret" not in page
    assert "under way" not in page
    assert "Evaluating" not in page
    assert site.post(f"{PAGE}{theirs.pk}/forget/").status_code == 404
    with tenant_context(globex):
        assert GoldenQuery.objects.filter(pk=4_000).exists()

import pytest

from apps.search.embedders import EmbeddingError
from apps.search.indexes.source_objects import Source
from apps.search.indexing.batches import rebuild_index
from apps.search.providers import get_provider
from apps.search.searching.results import search_objects
from apps.search_quality.evaluating.measuring import NoGoldenQueriesError, evaluate, rank_answers
from apps.search_quality.evaluating.runs import ask_for_run, carry_out, find_latest, save_run
from apps.search_quality.models import Evaluation, EvaluationRun
from apps.search_quality.tasks import carry_out_run
from tenants.context import tenant_context
from tests.models_app.models import Note


def by_mode(evaluations):
    return {evaluation.mode: evaluation for evaluation in evaluations}


def fail(texts):
    raise EmbeddingError("The service at a secret address is down.")


@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
def test_a_ranking_is_that_of_the_search_page(in_acme, notes, mode):
    Note.objects.create(title="Long", body="\n\n".join(["salt and yeast " * 50, "moon " * 150] * 3))
    rebuild_index("notes")

    ranking = rank_answers(get_provider("notes"), "salt from the moon", mode, limit=3)

    shown = search_objects("salt from the moon", "notes", 3, mode=mode)
    assert ranking == [Source.of(result.source).prefix for result in shown]
    assert len(ranking) == len(set(ranking)) > 1


def test_figures_of_every_mode(in_acme, make_golden):
    make_golden("churned cream", "Butter")
    make_golden("yeast", "Bicycle")

    found = by_mode(evaluate("notes"))

    assert list(found) == ["semantic", "keyword", "hybrid"]
    words = found["keyword"]
    assert (words.queries, words.recall, words.mrr, words.ndcg) == (2, 0.5, 0.5, 0.5)
    assert (words.ndcg_low, words.ndcg_high) == (0, 1)
    assert found["semantic"].recall == 1
    assert found["semantic"].mrr == pytest.approx(sum(1 / rank for rank in list_ranks(found["semantic"])) / 2)
    assert words.milliseconds > 0


def list_ranks(evaluation):
    return [outcome["rank"] for outcome in evaluation.outcomes.values()]


def test_k_is_how_far_down_counts(in_acme, make_golden):
    make_golden("wheels cream", "Bicycle")
    make_golden("wheels cream", "Butter", grade=1)

    first, ten = (evaluate("notes", modes=["keyword"], k=k)[0] for k in (1, 10))

    assert (first.recall, first.run.k) == (0.5, 1)
    assert (ten.recall, ten.mrr) == (1, 1)
    assert list_ranks(first) == [1]


def test_a_golden_query_is_asked_under_its_filter(in_acme, make_golden):
    make_golden("two wheels", "Butter", filter={"title": "Butter"})

    assert evaluate("notes", modes=["hybrid"])[0].mrr == 1


def test_a_candidate_space_is_evaluated_apart(in_acme, make_golden):
    make_golden("two wheels", "Bicycle")

    empty = evaluate("notes", space="other", modes=["semantic"])[0]
    rebuild_index("notes", space="other")
    filled = evaluate("notes", space="other", modes=["semantic"])[0]

    assert (empty.recall, filled.recall) == (0, 1)
    assert filled.run.space == "other"


def test_every_search_is_counted_and_nothing_saved(in_acme, make_golden):
    make_golden("two wheels", "Bicycle")
    counts = []

    evaluate("notes", progress=counts.append)

    assert counts == [1, 1, 1]
    assert not EvaluationRun.objects.exists()


def test_without_golden_queries_the_error_says_how_to_make_some(in_acme, notes):
    with pytest.raises(NoGoldenQueriesError, match=r"press “This is the right answer” below a result"):
        evaluate("notes")


def test_a_saved_run_takes_the_place_of_the_last_ones_outcomes(in_acme, make_golden):
    make_golden("two wheels", "Bicycle")

    first = save_run(evaluate("notes"))
    second = save_run(evaluate("notes"))

    assert find_latest("notes", "default") == second
    assert second.finished_at is not None
    assert {bool(each.outcomes) for each in first.evaluations.all()} == {False}
    assert {bool(each.outcomes) for each in second.evaluations.all()} == {True}


def test_only_so_many_runs_are_kept(in_acme, make_golden, monkeypatch):
    monkeypatch.setattr("apps.search_quality.evaluating.runs.KEPT", 2)
    make_golden("two wheels", "Bicycle")

    runs = [save_run(evaluate("notes", modes=["keyword"])) for _ in range(3)]

    assert list(EvaluationRun.objects.all()) == [runs[2], runs[1]]


def test_a_task_carries_a_run_out_once(in_acme, make_golden):
    make_golden("two wheels", "Bicycle")
    run = ask_for_run("notes")

    counts = [carry_out_run.func(run.pk) for _ in range(2)]

    run.refresh_from_db()
    assert counts == [3, 3]
    assert (run.done, run.total, run.fault) == (3, 3, "")
    assert Evaluation.objects.count() == 3


def test_a_run_that_was_cut_off_is_done_again_from_its_beginning(in_acme, make_golden):
    make_golden("two wheels", "Bicycle")
    run = ask_for_run("notes")
    EvaluationRun.objects.filter(pk=run.pk).update(done=2)

    carry_out_run.func(run.pk)

    run.refresh_from_db()
    assert (run.done, run.evaluations.count()) == (3, 3)


def test_a_run_that_is_gone_is_no_failure(in_acme, notes):
    assert carry_out_run.func(0) == 0


def test_there_is_one_run_of_a_space_at_a_time(in_acme, make_golden):
    make_golden("two wheels", "Bicycle")
    run = ask_for_run("notes")

    assert ask_for_run("notes") is None
    assert ask_for_run("notes", "other") is not None
    carry_out(run)
    assert ask_for_run("notes") is not None


def test_an_embedder_that_is_down_leaves_its_reason_and_no_secret(in_acme, make_golden, embedder):
    make_golden("two wheels", "Bicycle")
    run = ask_for_run("notes")
    embedder.before_batch = staticmethod(fail)

    carry_out(run)

    run.refresh_from_db()
    assert run.fault == "The embedding service did not answer."
    assert run.finished_at is not None
    assert find_latest("notes", "default") is None


def test_any_other_failure_is_told_and_raised(in_acme, make_golden, settings):
    make_golden("two wheels", "Bicycle")
    run = ask_for_run("notes", "other")
    settings.EMBEDDINGS = {"default": settings.EMBEDDINGS["default"]}

    with pytest.raises(Exception, match=r"EMBEDDINGS\['other'\]: there is no such alias"):
        carry_out(run)

    run.refresh_from_db()
    assert run.fault == "It failed for a reason that operators can see in the list of tasks."


def test_another_tenant_has_no_runs_and_nothing_to_evaluate(in_acme, make_golden, globex):
    make_golden("two wheels", "Bicycle")
    run = save_run(evaluate("notes"))

    with tenant_context(globex):
        assert find_latest("notes", "default") is None
        assert carry_out_run.func(run.pk) == 0
        with pytest.raises(NoGoldenQueriesError):
            evaluate("notes")

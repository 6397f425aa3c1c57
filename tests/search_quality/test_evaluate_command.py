import json

import pytest
from django.core.management import CommandError, call_command

from apps.search.embedders import EmbeddingError
from apps.search_quality.models import Evaluation, EvaluationRun
from tenants.context import tenant_context

WORDS = {"moon": "Tides", "yeast": "Bread", "wheels": "Bicycle", "cream": "Butter", "salt": "Bread"}


@pytest.fixture
def golden(make_golden):
    for query, title in WORDS.items():
        make_golden(query, title)
    return make_golden


@pytest.fixture
def run(capsys):
    def run_command(**options):
        call_command("evaluate_search", **{"schema": "acme", "mode": ["keyword"]} | options)
        return capsys.readouterr().out

    return run_command


def test_a_table_has_a_line_for_every_mode(golden, run):
    lines = run(mode=None).splitlines()

    assert lines[0].split()[:6] == ["schema", "index", "space", "mode", "queries", "recall"]
    assert [line.split()[3] for line in lines[1:]] == ["semantic", "keyword", "hybrid"]
    figures = ["acme", "notes", "default", "keyword", "5", "1.000", "1.000", "1.000", "1.000-1.000"]
    assert lines[2].split()[: len(figures)] == figures
    assert lines[2].endswith("█" * 20)


def test_json_has_every_figure(golden, run):
    row = json.loads(run(json=True, k=5))[0]

    assert row.pop("milliseconds") > 0
    assert row == {
        "schema": "acme",
        "index": "notes",
        "space": "default",
        "k": 5,
        "mode": "keyword",
        "queries": 5,
        "recall": 1.0,
        "mrr": 1.0,
        "ndcg": 1.0,
        "ndcg_low": 1.0,
        "ndcg_high": 1.0,
    }


def test_figures_are_saved_when_told(golden, run, acme):
    run(save=True)
    run()

    with tenant_context(acme):
        assert [(each.run.space, each.mode, each.ndcg) for each in Evaluation.objects.all()] == [
            ("default", "keyword", 1)
        ]


def test_gates_that_hold_pass(golden, run):
    assert "1.000" in run(min_ndcg=1, min_mrr=0.9, min_recall=0.5, max_drop=0)


def test_every_gate_that_does_not_hold_is_named(golden, run):
    golden("yeast", "Tides")

    with pytest.raises(CommandError) as failure:
        run(min_ndcg=0.95, min_mrr=0.5, min_recall=0.95)

    assert str(failure.value).splitlines() == [
        "acme/notes: keyword: recall is 0.900, below --min-recall 0.95",
        "acme/notes: keyword: ndcg is 0.923, below --min-ndcg 0.95",
    ]


def test_a_fall_since_the_last_saved_run_fails_and_says_whether_it_may_be_chance(golden, run):
    run(save=True)
    for query in ("yeast", "moon"):
        golden(query, "Butter")

    run(max_drop=0.5)
    with pytest.raises(CommandError) as failure:
        run(max_drop=0.02)

    assert str(failure.value).startswith("acme/notes: keyword: ndcg fell by 0.155 (may be chance) since ")
    assert str(failure.value).endswith(" in default, by more than --max-drop 0.02")


def test_a_harder_golden_query_is_no_fall(golden, run):
    run(save=True)
    golden("unheard", "Butter")

    assert "0.833" in run(max_drop=0.02)


def test_a_sure_fall_is_called_so(golden, run, acme, notes):
    run(save=True)
    for query in WORDS:
        golden(query, "Tides" if WORDS[query] != "Tides" else "Bread")

    with pytest.raises(CommandError, match=r"\(more than chance\)"):
        run(max_drop=0.02)


def test_a_run_that_failed_its_gate_is_saved_but_no_later_one_is_measured_by_it(golden, run, acme):
    run(save=True)
    golden("yeast", "Butter")

    for _ in range(2):
        with pytest.raises(CommandError, match=r"ndcg fell by 0\.077"):
            run(save=True, max_drop=0.02)

    with tenant_context(acme):
        assert EvaluationRun.objects.count() == 3


def test_a_candidate_is_compared_with_the_tenants_own_space(golden, run, poor_space):
    run(save=True)

    with pytest.raises(CommandError, match=r"ndcg fell by 1\.000 .* in default, by more"):
        run(space=poor_space, max_drop=0.02)


def test_a_space_without_documents_is_an_error_and_no_figure(golden, run, acme):
    fault = (
        r"^acme: The space 'other' holds no documents of the index 'notes'\. Fill it: "
        "manage.py rebuild_index --schema=acme --index=notes --space=other$"
    )
    with pytest.raises(CommandError, match=fault):
        run(space="other", save=True)

    with tenant_context(acme):
        assert not EvaluationRun.objects.exists()


def test_without_a_saved_run_there_is_nothing_to_fall_from(golden, run):
    assert "1.000" in run(max_drop=0)


def test_without_golden_queries_the_command_fails_and_says_how_to_make_some(notes, run):
    with pytest.raises(CommandError, match=r"(?m)^acme: The index 'notes' has no golden .*press “This is"):
        run()


def test_of_all_tenants_those_without_golden_queries_are_passed_over(golden, globex, capsys):
    call_command("evaluate_search", all=True, mode=["keyword"])

    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["schema", "acme"]
    assert "\nglobex: The index 'notes' has no golden query" in f"\n{err}"


def test_of_all_tenants_one_must_have_some(notes, globex):
    with pytest.raises(CommandError, match=r"^No tenant has golden queries that can be evaluated"):
        call_command("evaluate_search", all=True)


def test_figures_are_saved_in_their_own_tenant_only(golden, globex, run):
    run(save=True)

    with tenant_context(globex):
        assert not EvaluationRun.objects.exists()


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"index": "nowhere"}, r"^--index: There is no index 'nowhere'"),
        ({"space": "nowhere"}, r"^--space: EMBEDDINGS\['nowhere'\]: there is no such alias"),
        ({"schema": "nobody"}, r"^--schema: no active tenant has the schema 'nobody'"),
    ],
)
def test_what_there_is_not_is_named(golden, run, option, reason):
    with pytest.raises(CommandError, match=reason):
        run(**option)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--min-ndcg=2", "must be a number from 0 to 1, not '2'."),
        ("--min-recall=nan", "must be a number from 0 to 1, not 'nan'."),
        ("--max-drop=x", "must be a number from 0 to 1, not 'x'."),
        ("--k=0", "must be a whole number from 1 to 100, not '0'."),
        ("--k=1.5", "must be a whole number from 1 to 100, not '1.5'."),
        ("--mode=vague", "invalid choice"),
    ],
)
def test_bad_options_are_refused_with_what_is_allowed(golden, option, reason):
    with pytest.raises(CommandError, match=f"argument {option.partition('=')[0]}: {reason}"):
        call_command("evaluate_search", "--schema=acme", option)


def test_an_embedder_that_is_down_is_an_error_and_no_figure(golden, run, embedder):
    def fail(texts):
        raise EmbeddingError("It is down.")

    embedder.before_batch = staticmethod(fail)

    with pytest.raises(CommandError, match=r"^acme: It is down\.$"):
        run(mode=["hybrid"])


def test_a_reranker_is_measured_beside_the_search_without_it(golden, run, settings):
    settings.RERANKERS = {"light": {"BACKEND": "apps.search.rerankers.LightReranker"}}

    lines = run(mode=["keyword", "hybrid"], reranker="light").splitlines()

    modes = ["keyword", "hybrid", "keyword+light", "hybrid+light"]
    assert [line.split()[3] for line in lines[1:]] == modes


def test_an_unknown_reranker_and_keeping_a_trial_are_refused(golden, run):
    with pytest.raises(CommandError, match=r"--reranker: RERANKERS\['gone'\]: unknown alias"):
        run(reranker="gone")
    with pytest.raises(CommandError, match="--reranker: figures of a trial are not kept"):
        run(reranker="gone", save=True)

import json
from xml.etree import ElementTree

import pytest

from tenants.models import Tenant
from tests.bench.measure import summarise, time_queries
from tests.bench.report import write_report
from tests.bench.run import run
from tests.bench.targets import judge
from tests.bench.workload import CASES, Options, Workload

# So that there is a test database even where this file runs alone.
pytestmark = pytest.mark.django_db

TINY = Options(documents=300, dimensions=16, queries=8, rounds=1, tenants=2)


@pytest.fixture(scope="module")
def found(django_db_setup, django_db_blocker):
    # Not in a test's transaction: another driver takes part, and indexes are built concurrently.
    with django_db_blocker.unblock():
        yield run(TINY, lambda text: None)


@pytest.fixture
def written(found, tmp_path, capsys):
    write_report(found, tmp_path / "var" / "bench.json", tmp_path / "docs" / "bench.svg")
    return capsys.readouterr().out


def test_a_tiny_run_measures_every_case_for_both(found):
    contenders = found["contenders"]

    assert list(contenders) == ["raw", "ours"]
    for figures in contenders.values():
        assert list(figures["queries"]) == list(CASES)
        assert all(case["recall"] > 0.9 for case in figures["queries"].values())
        assert figures["ingest"] > 0
        assert figures["readd"] > 0
    assert found["fleet"]["tenants"] == 2
    assert list(found["text_search"]) == ["keyword", "hybrid"]


def test_a_run_leaves_no_tenant_and_no_schema(found, schemas):
    left = Tenant.objects.filter(subdomain__startswith="bench")

    assert [name for name in schemas() if name.startswith(("bench", "peers"))] == []
    assert not left.exists()


def test_the_table_shows_ratios_and_targets(written):
    assert "300 documents, 16 dimensions, cosine, top 10; PostgreSQL" in written
    assert "10% filter: recall@10" in written
    assert "(target >= 0.5x)" in written
    assert "(target <= 1.6x)" in written


def test_the_json_holds_figures_and_targets(written, tmp_path):
    content = json.loads((tmp_path / "var" / "bench.json").read_text())

    assert content["options"] == vars(TINY)
    assert content["contenders"]["ours"]["queries"]["no filter"]["p50"] > 0
    assert [target["name"] for target in content["targets"]][:2] == ["ingest", "unchanged again"]


def test_the_drawing_is_svg_with_a_bar_for_each_case(written, tmp_path):
    root = ElementTree.fromstring((tmp_path / "docs" / "bench.svg").read_text())  # noqa: S314 - our own

    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"raw", "ours", *CASES} <= texts


def test_a_missed_target_is_shown_as_such(found):
    raw = found["contenders"]["raw"]
    slow = {**raw, "ingest": raw["ingest"] / 4}

    verdicts = judge({"raw": raw, "ours": slow})

    assert str(verdicts[0]) == "MISS  ingest: 0.25x raw (target >= 0.5x)"


def test_the_same_workload_is_made_each_time():
    first, second = Workload(TINY), Workload(TINY)

    assert first.items[17].content == second.items[17].content
    assert (first.vectors == second.vectors).all()
    assert first.questions == second.questions


def test_the_truth_under_a_filter_holds_only_what_fits_it():
    workload = Workload(TINY)

    for query in range(TINY.queries):
        value = workload.get_filter("10% filter", query)["tenth"]
        assert {position % 10 for position in workload.truth["10% filter"][query]} == {value}
        assert len(workload.truth["0.1% filter"][query]) == 1


def test_a_count_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("DOCUMENTS", "many")

    with pytest.raises(SystemExit, match="DOCUMENTS is 'many'; a whole number from 1 on is allowed"):
        Options.from_environment()


def test_queries_are_timed_in_turn_and_answered_once():
    latencies, answers = time_queries({"a": lambda number: number, "b": lambda number: -number}, 3, 2)

    assert answers == {"a": [0, 1, 2], "b": [0, -1, -2]}
    assert len(latencies["a"]) == 6
    assert summarise([0.001, 0.002, 0.003])["p50"] == pytest.approx(2)

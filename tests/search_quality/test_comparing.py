import pytest
from django.core.management import CommandError, call_command

from apps.search.documents import Document
from apps.search.indexing.batches import rebuild_index
from apps.search.providers import UnknownIndexError, get_provider
from apps.search_quality.comparing import compare_spaces
from apps.search_quality.models import EvaluationRun, RecentQuery
from apps.search_quality.recent import note_search
from tenants.context import tenant_context

QUERIES = ("moon", "yeast", "wheels", "cream", "sea", "salt")


@pytest.fixture
def asked(in_acme, notes):
    for query in QUERIES:
        note_search("notes", query, "semantic")


def test_equal_spaces_overlap_fully(asked):
    comparison = compare_spaces("notes", "default", "default")

    assert (comparison.queries, comparison.overlap.mean, comparison.differences) == (6, 1, [])
    assert comparison.verdict == "unknown"


def test_an_empty_candidate_has_nothing_in_common(asked):
    comparison = compare_spaces("notes", "default", "other")

    assert comparison.overlap.mean == 0
    assert {difference.query for difference in comparison.differences} == set(QUERIES)
    assert {answer.title for answer in comparison.differences[0].current} == {
        "Tides",
        "Bread",
        "Bicycle",
        "Butter",
    }
    assert comparison.differences[0].candidate == []


def test_the_most_different_queries_come_first_with_both_lists(asked, notes):
    rebuild_index("notes", space="other")
    get_provider("notes", space="other").add([Document("leaflet", "moon " * 5)])

    comparison = compare_spaces("notes", "default", "other", limit=2)

    overlaps = [difference.overlap for difference in comparison.differences]
    first = comparison.differences[0]
    assert comparison.queries == 2
    assert overlaps == sorted(overlaps) == [0.8, 0.8]
    assert {answer.title for answer in first.candidate} - {answer.title for answer in first.current} == {
        "leaflet"
    }
    assert first.current[0].url.startswith("/notes/")


def test_golden_queries_judge_the_candidate(asked, make_golden):
    for query, title in (("moon", "Tides"), ("yeast", "Bread"), ("wheels", "Bicycle"), ("cream", "Butter")):
        make_golden(query, title)
    four = compare_spaces("notes", "default", "other")
    for query, title in (("salt", "Bread"), ("saddle", "Bicycle")):
        make_golden(query, title)
    six = compare_spaces("notes", "default", "other")
    back = compare_spaces("notes", "other", "default")

    assert (four.verdict, six.verdict, back.verdict) == ("noise", "worse", "better")
    assert six.candidate_golden.ndcg == 0
    assert six.gain.mean == pytest.approx(-six.current_golden.ndcg)
    assert not EvaluationRun.objects.exists()


def test_without_recent_queries_there_is_no_overlap(in_acme, notes):
    comparison = compare_spaces("notes", "default", "other")

    assert (comparison.queries, comparison.overlap, comparison.gain) == (0, None, None)


def test_comparing_notes_no_search(asked):
    compare_spaces("notes", "default", "other")

    assert set(RecentQuery.objects.values_list("times", flat=True)) == {1}


def test_an_unknown_index_is_refused(in_acme):
    with pytest.raises(UnknownIndexError, match=r"There is no index 'nowhere'"):
        compare_spaces("nowhere", "default", "other")


def test_another_tenants_searches_and_objects_have_no_part(asked, globex):
    with tenant_context(globex):
        comparison = compare_spaces("notes", "default", "other")

    assert (comparison.queries, comparison.differences) == (0, [])


def test_the_command_says_how_the_answers_differ(asked, make_golden, poor_space, capsys):
    make_golden("moon", "Tides")

    call_command("compare_spaces", "other", schema="acme", mode="keyword")

    out = capsys.readouterr().out
    assert "notes: default and other\noverlap@10: 0.000 (0.000 to 0.000), 6 recent queries\n" in out
    assert "gain -1.000 (-1.000 to 1.000), 1 golden queries\nverdict: the difference may be chance\n" in out
    assert "0.00  moon\n      default: Tides\n" in out
    assert out.count("\n      other: nothing\n") == 6


def test_the_command_refuses_a_space_without_documents(asked):
    with pytest.raises(CommandError, match=r"The space 'other' holds no documents .* --space=other$"):
        call_command("compare_spaces", "other", schema="acme")


def test_the_command_names_an_unknown_space(asked):
    with pytest.raises(CommandError, match=r"^candidate: EMBEDDINGS\['nowhere'\]: there is no such alias"):
        call_command("compare_spaces", "nowhere", schema="acme")

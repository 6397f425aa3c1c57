from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.search_quality.evaluating.measures import (
    Interval,
    estimate_difference,
    estimate_mean,
    find_rank,
    get_ndcg,
    get_overlap,
    get_recall,
    get_reciprocal_rank,
)

KEYS = "abcdefghijklmnop"
rankings = st.lists(st.sampled_from(KEYS), unique=True)
grades = st.dictionaries(st.sampled_from(KEYS), st.integers(1, 3), min_size=1)
depths = st.integers(1, 12)
shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def sum_gains(gains):
    total = 0
    for place in range(len(gains)):
        total += gains[place] / log2(place + 2)
    return total


def test_recall_is_the_share_of_the_relevant_keys_that_were_found():
    ranking = ["a", "b", "c", "d"]

    assert get_recall(ranking, {"a", "d", "x"}, 4) == pytest.approx(2 / 3)
    assert get_recall(ranking, {"a", "d", "x"}, 3) == pytest.approx(1 / 3)
    assert get_recall([], {"a"}, 10) == 0


def test_the_reciprocal_rank_is_that_of_the_first_relevant_key():
    ranking = ["a", "b", "c", "d"]

    assert get_reciprocal_rank(ranking, {"c", "d"}) == pytest.approx(1 / 3)
    assert get_reciprocal_rank(ranking, {"c"}, k=2) == 0
    assert (find_rank(ranking, {"c"}), find_rank(ranking, {"x"})) == (3, None)


def test_ndcg_of_hand_worked_rankings():
    worth = {"a": 3, "b": 2, "c": 1}
    best = 3 / 1 + 2 / 1.5849625 + 1 / 2

    assert get_ndcg(["a", "b", "c"], worth) == pytest.approx(1)
    assert get_ndcg(["x", "a"], {"a": 3}) == pytest.approx(0.6309298)
    assert get_ndcg(["c", "x", "a"], worth) == pytest.approx((1 + 3 / 2) / best)
    assert get_ndcg(["c", "x", "a"], worth, k=1) == pytest.approx(1 / 3)
    assert get_ndcg(["x", "y"], worth) == 0


def test_overlap_of_hand_worked_rankings():
    assert get_overlap("abcd", "dcba", k=4) == 1
    assert get_overlap("abcd", "dxyz", k=4) == 0.25
    assert get_overlap("abcd", "dxyz", k=3) == 0
    assert get_overlap("ab", "a", k=10) == 0.5
    assert get_overlap("", "") == 1


@pytest.mark.parametrize("measure", [get_recall, get_reciprocal_rank])
def test_without_anything_relevant_there_is_no_measure(measure):
    with pytest.raises(ValueError, match=r"^Nothing is relevant, so there is nothing to find\.$"):
        measure(["a"], set())


def test_grades_that_are_all_zero_are_none():
    with pytest.raises(ValueError, match=r"^Nothing is relevant"):
        get_ndcg(["a"], {"a": 0})


@settings(deadline=None)
@given(ranking=rankings, worth=grades, k=depths)
def test_ndcg_is_the_gain_beside_that_of_the_best_order(ranking, worth, k):
    gains = [worth.get(key, 0) for key in ranking][:k]
    ideal = sorted(worth.values(), reverse=True)[:k]

    found = get_ndcg(ranking, worth, k)

    assert found == pytest.approx(sum_gains(gains) / sum_gains(ideal))
    assert 0 <= found <= 1 + 1e-9


@settings(deadline=None)
@given(ranking=rankings, worth=grades, k=depths)
def test_recall_and_reciprocal_rank_agree_with_counting(ranking, worth, k):
    places = [place for place, key in enumerate(ranking) if key in worth and place < k]

    assert get_recall(ranking, worth.keys(), k) == pytest.approx(len(places) / len(worth))
    assert get_reciprocal_rank(ranking, worth.keys(), k) == (1 / (places[0] + 1) if places else 0)


@settings(deadline=None)
@given(one=rankings, other=rankings, k=depths)
def test_overlap_is_symmetric_and_counts_what_both_have(one, other, k):
    common = sum(key in other[:k] for key in one[:k])

    found = get_overlap(one, other, k)

    assert found == get_overlap(other, one, k)
    assert found * max(len(one[:k]), len(other[:k])) == pytest.approx(common)


@settings(deadline=None)
@given(ranking=rankings.filter(bool), worth=grades)
def test_moving_a_right_answer_up_never_makes_a_ranking_worse(ranking, worth):
    best = max(worth, key=worth.get)
    moved = [best, *(key for key in ranking if key != best)]

    assert get_ndcg(moved, worth, 16) >= get_ndcg(ranking, worth, 16) - 1e-9


@settings(deadline=None)
@given(values=shares)
def test_an_interval_holds_its_mean_and_keeps_to_what_is_possible(values):
    found = estimate_mean(values)

    assert found.mean == pytest.approx(sum(values) / len(values))
    assert -1e-9 <= found.low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.high <= 1 + 1e-9
    assert found == estimate_mean(values)


def test_few_values_say_nothing_and_many_say_more():
    few, more, many = (estimate_mean([0, 1] * times) for times in (2, 10, 100))

    assert few == Interval(0.5, 0, 1)
    assert 0 < more.low < many.low < 0.5 < many.high < more.high < 1


def test_an_interval_is_near_that_of_the_normal_distribution():
    found = estimate_mean([0, 1] * 100)

    assert found.low == pytest.approx(0.5 - 1.96 * 0.5 / 200**0.5, abs=0.01)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.5 / 200**0.5, abs=0.01)


def test_no_values_have_no_mean():
    with pytest.raises(ValueError, match=r"^values is empty; a mean needs one or more\.$"):
        estimate_mean([])


def test_a_difference_is_that_of_the_keys_both_have():
    one = {str(n): 0.9 for n in range(6)} | {"only here": 0}
    other = {str(n): 0.5 for n in range(6)}

    found = estimate_difference(one, other)

    assert (found.mean, found.is_noise) == (pytest.approx(0.4), False)
    assert estimate_difference(one, {"elsewhere": 1}) is None


def test_a_difference_that_goes_both_ways_is_noise():
    one = {str(n): n % 2 for n in range(20)}
    other = {str(n): (n + 1) % 2 for n in range(20)}

    assert estimate_difference(one, other).is_noise
    assert estimate_difference(one, one).is_noise


def test_a_difference_of_few_is_noise_however_large():
    assert estimate_difference({"a": 1, "b": 1}, {"a": 0, "b": 0}) == Interval(1, -1, 1)

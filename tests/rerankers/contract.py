"""What every reranker promises. A reranker is held to it by one line in RERANKERS of test_contract.py.

One that lives elsewhere is held to it by a test of its own:

    @pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
    def test_my_reranker_keeps(promise):
        promise(MyReranker())
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from apps.search.rerankers import Candidate, Question

PROMISES = []
TEXTS = [
    "Bread is baked in an oven.",
    "x",
    "猫がマットの上に座っている",
    "🦊🚀",
    "long " * 3_000,
    "a\nb\tc",
    "",
]
QUESTION = Question("how is bread baked", np.eye(4, dtype=np.float32)[0])
CANDIDATES = [
    Candidate(text, title=text[:5], score=1 / rank, vector=np.roll(QUESTION.vector, rank))
    for rank, text in enumerate(TEXTS, 1)
]


def promise(function):
    PROMISES.append(function)
    return function


@promise
def each_candidate_gets_one_number(reranker):
    scores = reranker.rerank(QUESTION, CANDIDATES, 60)

    assert len(scores) == len(CANDIDATES)
    assert all(isinstance(score, float) and np.isfinite(score) for score in scores)


@promise
def no_candidates_get_no_numbers(reranker):
    assert reranker.rerank(QUESTION, [], 60) == []


@promise
def one_candidate_is_enough(reranker):
    assert len(reranker.rerank(QUESTION, CANDIDATES[:1], 60)) == 1


@promise
def vectors_and_titles_may_be_missing(reranker):
    assert len(reranker.rerank(Question("bread"), [Candidate(text) for text in TEXTS], 60)) == len(TEXTS)


@promise
def equal_candidates_get_equal_numbers(reranker):
    first, second = reranker.rerank(QUESTION, [CANDIDATES[0]] * 2, 60)

    assert np.isclose(first, second)


@promise
def the_same_question_gets_the_same_numbers(reranker):
    first, again = (reranker.rerank(QUESTION, CANDIDATES, 60) for _ in range(2))

    assert np.allclose(first, again)


@promise
def threads_share_one_reranker(reranker):
    alone = reranker.rerank(QUESTION, CANDIDATES, 60)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: reranker.rerank(QUESTION, CANDIDATES, 60), range(8)))

    assert all(np.allclose(scores, alone) for scores in together)


@promise
def a_nasty_question_is_answered(reranker):
    for text in ('"', "-", "((", "%s {} \\", "é" * 500, "?!"):
        assert len(reranker.rerank(Question(text, QUESTION.vector), CANDIDATES[:3], 60)) == 3


@promise
def nothing_is_missing(reranker):
    reranker.check_requirements()

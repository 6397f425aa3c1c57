import time

import numpy as np
import pytest

from apps.search.rerankers import (
    BaseReranker,
    Candidate,
    EndpointReranker,
    LightReranker,
    OnnxCrossEncoder,
    Question,
    RerankError,
)
from apps.search.rerankers.light import get_likeness, get_phrase, get_proximity

from .stub_reranker import KEY
from .test_contract import FILES

TEXTS = [Candidate("tea is hot"), Candidate("bread is baked in an oven"), Candidate("the sea")]


class Given(BaseReranker):
    def __init__(self, result):
        self.result = result

    def score(self, question, candidates, seconds):
        return self.result


@pytest.fixture
def endpoint(rerank_server):
    return EndpointReranker(base_url=rerank_server.url, model="stub", api_key=KEY)


def fault_of(reranker, seconds=10):
    with pytest.raises(RerankError) as caught:
        reranker.rerank(Question("bread oven"), TEXTS, seconds)
    assert KEY not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ([1, 2], "scores of shape (2,) for 3 texts"),
        ([1, 2, float("nan")], "a score that is NaN or infinite"),
        ([1, 2, float("inf")], "a score that is NaN or infinite"),
        (["a", "b", "c"], "something else than numbers"),
        (None, "scores of shape () for 3 texts"),
    ],
)
def test_unusable_scores_are_refused(result, fault):
    assert fault in fault_of(Given(result))


def test_an_endpoint_is_asked_as_cohere_and_jina_are(endpoint, rerank_server):
    scores = endpoint.rerank(Question("bread oven"), TEXTS, 10)

    assert np.argmax(scores) == 1
    asked = rerank_server.requests[0]
    assert asked.pop("headers")["Authorization"] == f"Bearer {KEY}"
    texts = [candidate.text for candidate in TEXTS]
    assert asked == {"model": "stub", "query": "bread oven", "documents": texts}


def test_a_long_text_is_cut_between_characters(rerank_server):
    reranker = EndpointReranker(base_url=rerank_server.url, model="m", api_key=KEY, max_text_bytes=5)

    reranker.rerank(Question("q"), [Candidate("äöüß")], 10)

    assert rerank_server.requests[0]["documents"] == ["äö"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda results: results[:2], "expected 3 results with the indexes 0 to 2, got 2"),
        (lambda results: [*results, results[0]], "expected 3 results with the indexes 0 to 2, got 4"),
        (lambda results: [{**each, "index": "0"} for each in results], "expected 3 results"),
        (
            lambda results: [{**each, "relevance_score": "high"} for each in results],
            "is missing or no number",
        ),
        (lambda results: [{"index": each["index"]} for each in results], "is missing or no number"),
        (lambda results: [{**each, "relevance_score": float("nan")} for each in results], "NaN or infinite"),
        (lambda results: "none", "holds no list 'results'"),
        (lambda results: [1, 2, 3], "holds no list 'results'"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(endpoint, rerank_server, change, fault):
    rerank_server.answer_results(change)

    assert fault in fault_of(endpoint)


@pytest.mark.parametrize("body", ["[1", "[]", '"text"', "null"])
def test_an_answer_that_is_none_is_refused(endpoint, rerank_server, body):
    rerank_server.answer(body)

    assert "check base_url" in fault_of(endpoint)


def test_an_endpoint_that_fails_is_named_without_the_key_and_left_alone_a_while(endpoint, rerank_server):
    rerank_server.fail(500, f"no {KEY}")

    assert "status 500, the service said: " in fault_of(endpoint)
    assert "it failed a moment ago and is asked again in 10 s" in fault_of(endpoint)
    assert len(rerank_server.requests) == 1


def test_an_endpoint_is_asked_again_after_the_pause(endpoint, rerank_server):
    rerank_server.fail(503)
    fault_of(endpoint)

    endpoint._pause._until = time.monotonic()  # it is over

    assert len(endpoint.rerank(Question("bread"), TEXTS, 10)) == 3


def test_an_endpoint_that_takes_longer_than_it_may_is_not_waited_for(endpoint, rerank_server):
    rerank_server.be_slow(60)

    assert "no answer within 0.2 s" in fault_of(endpoint, seconds=0.2)


def test_a_redirect_is_not_followed(endpoint, rerank_server):
    rerank_server.fail(307, location=f"{rerank_server.url}/elsewhere")

    assert "status 307" in fault_of(endpoint)
    assert len(rerank_server.requests) == 1


def test_a_cross_encoder_ends_when_its_time_is_up():
    assert "the time for 3 texts is up" in fault_of(OnnxCrossEncoder(**FILES), seconds=-1)


def test_a_model_that_gives_no_score_for_a_pair_is_named():
    assert "for a pair is no score; a cross-encoder gives one number, or two" in fault_of(
        OnnxCrossEncoder(**FILES)
    )


@pytest.mark.parametrize(
    ("output", "score"), [(np.array(0.5), 0.5), (np.array([0.5]), 0.5), (np.array([1.0, 3.0]), 2.0)]
)
def test_a_cross_encoder_gives_one_number_or_two_of_which_the_second_is_yes(output, score):
    assert OnnxCrossEncoder(**FILES)._read(output) == score


def test_a_missing_file_of_a_cross_encoder_is_found_by_the_checks():
    with pytest.raises(RerankError, match=r"There is no file 'gone\.onnx'"):
        OnnxCrossEncoder(**FILES | {"model_path": "gone.onnx"}).check_requirements()


def test_proximity_is_the_share_of_the_words_times_their_density_where_they_are_nearest():
    assert get_proximity(["a", "b"], ["a", "b"]) == 1
    assert get_proximity(["a", "b"], ["a", "x", "x", "x", "b"]) == 2 / 5
    assert get_proximity(["a", "b"], ["a", "x", "b", "x", "b", "a"]) == 1
    assert get_proximity(["a", "b", "c", "d"], ["b", "a"]) == 1 / 2
    assert get_proximity(["a", "b"], ["a", "a"]) == 0
    assert get_proximity([], ["a"]) == 0


def test_a_phrase_is_the_longest_run_of_the_words_in_their_order():
    assert get_phrase(["a", "b", "c"], ["x", "a", "b", "c"]) == 1
    assert get_phrase(["a", "b", "c"], ["b", "c", "a"]) == 2 / 3
    assert get_phrase(["a", "b", "c"], ["c", "b", "a"]) == 0
    assert get_phrase(["a", "b"], ["a", "a", "b"]) == 1
    assert get_phrase(["a"], ["a"]) == 0


def test_likeness_of_a_title_is_dices():
    assert get_likeness(["a", "b"], ["b", "a"]) == 1
    assert get_likeness(["a", "b"], ["a"]) == 2 / 3
    assert get_likeness(["a"], []) == 0


def test_feedback_lifts_what_is_like_the_best():
    question = Question("none of these words", np.array([1.0, 0, 0], dtype=np.float32))
    vectors = [[0.9, 0.4, 0], [0.8, 0, 0.6], [0.79, 0.6, 0]]
    candidates = [Candidate("text", score=1.0, vector=np.array(vector)) for vector in vectors]

    scores = LightReranker(top=1).rerank(question, candidates, 1)

    assert np.argsort(scores)[::-1].tolist() == [0, 2, 1]
    assert LightReranker(feedback=0).rerank(question, candidates, 1) == [0, 0, 0]


def test_without_signals_the_search_has_its_way():
    candidates = [Candidate("text", score=score) for score in (0.9, 0.5, 0.1)]

    assert LightReranker().rerank(Question("other"), candidates, 1) == [1, 0.5, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phrase": -1}, "phrase must be a finite number of 0 or more, not -1."),
        ({"title": float("nan")}, "title must be a finite number of 0 or more, not nan."),
        ({"feedback": True}, "feedback must be a finite number of 0 or more, not True."),
        ({"top": 0}, "top must be a whole number of at least 1, not 0."),
    ],
)
def test_wrong_option_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        LightReranker(**options)

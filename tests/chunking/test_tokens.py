import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.chunking import TokenChunker
from apps.search.embedders import MiniLMEmbedder, OpenAICompatibleEmbedder, WordLlamaEmbedder

from .texts import texts, without_space

EMBEDDERS = {
    "minilm": MiniLMEmbedder(),
    "wordllama": WordLlamaEmbedder(),
    "estimating": OpenAICompatibleEmbedder(
        base_url="http://localhost/v1", model="m", dimensions=8, api_key="none"
    ),
}
PROSE = "Every tenant has a schema of its own. Nobody else reads it.\n\nA role guards it, too. " * 60

embedders = st.sampled_from(list(EMBEDDERS.values()))


@st.composite
def chunkers(draw):
    limit = draw(st.integers(16, 80))
    overlap = draw(st.integers(0, limit - 1))
    keep = draw(st.sampled_from(["words", "sentences", "paragraphs"]))
    return TokenChunker(limit, overlap, keep).fit(draw(embedders))


@given(chunkers(), texts)
def test_no_chunk_is_blank_or_above_the_limit_by_the_embedders_own_count(chunker, text):
    chunks = chunker.chunk(text)

    assert all(chunk.strip() for chunk in chunks)
    assert all(chunker.tokenizer.count_tokens(chunk) <= chunker.limit for chunk in chunks)


@given(chunkers(), texts)
def test_the_chunks_without_their_overlap_give_the_text_back(chunker, text):
    spans = list(chunker.spans(text))

    assert without_space("".join(text[span.fresh : span.end] for span in spans)) == without_space(text)
    assert all(not text[before.end : after.fresh].strip() for before, after in pairwise(spans))


@given(chunkers(), texts)
def test_the_overlap_has_no_more_tokens_than_asked(chunker, text):
    overlaps = [text[span.start : span.fresh].strip() for span in chunker.spans(text)]

    assert all(chunker.tokenizer.count_tokens(overlap) <= chunker.overlap for overlap in overlaps)


@given(chunkers(), texts)
def test_every_chunk_goes_on_where_the_one_before_ended(chunker, text):
    spans = list(chunker.spans(text))

    assert all(before.start < after.start and before.end < after.end for before, after in pairwise(spans))


@given(chunkers(), st.lists(st.text("abcdé.,!?", min_size=1, max_size=6), max_size=80), st.data())
def test_every_word_is_whole_in_a_chunk(chunker, words, data):
    text = "".join(word + data.draw(st.sampled_from([" ", "\n", "\n\n", "\t"])) for word in words)

    found = {word for chunk in chunker.chunk(text) for word in chunk.split()}

    assert {word for word in words if chunker.tokenizer.count_tokens(word) <= chunker.limit // 2} <= found


@given(
    chunkers(), st.sampled_from(["👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "👍🏽", "🇩🇪", "e\u0301", "か\u3099"]), st.integers(1, 40)
)
def test_no_grapheme_is_torn_apart(chunker, grapheme, count):
    roomy = TokenChunker(300, 0, chunker.keep).fit(EMBEDDERS["wordllama"])

    chunks = roomy.chunk(grapheme * count * 10)

    assert {chunk.replace(grapheme, "") for chunk in chunks} == {""}


@given(chunkers(), st.text(" \t\r\n\u00a0\u2029\u3000"))
def test_a_blank_text_has_no_chunks(chunker, text):
    assert chunker.chunk(text) == []


@pytest.mark.parametrize("embedder", EMBEDDERS.values(), ids=EMBEDDERS)
@pytest.mark.parametrize(
    "piece",
    ["x", ".", " ", "\n", "a ", ". ", "日", "。」", "\r\n\r\n", "\n- ", "\ud800", "\x00", "👩‍👩‍👧", "é"],
)
def test_a_hundred_kilobytes_of_anything_are_cut_to_the_limit(embedder, piece):
    text = piece * (100_000 // len(piece))
    chunker = TokenChunker(200, overlap=20).fit(embedder)

    spans = list(chunker.spans(text))

    assert without_space("".join(text[span.fresh : span.end] for span in spans)) == without_space(text)
    assert all(embedder.count_tokens(text[span.start : span.end]) <= 200 for span in spans)


@pytest.mark.parametrize("embedder", EMBEDDERS.values(), ids=EMBEDDERS)
def test_prose_fills_its_chunks(embedder):
    chunks = TokenChunker(200, overlap=20, keep="words").fit(embedder).chunk(PROSE)

    assert all(190 <= embedder.count_tokens(chunk) <= 200 for chunk in chunks[:-1])


@pytest.mark.parametrize("embedder", EMBEDDERS.values(), ids=EMBEDDERS)
def test_a_text_that_fits_is_one_chunk(embedder):
    text = PROSE[:300].strip()

    assert TokenChunker(embedder.count_tokens(text)).fit(embedder).chunk(text) == [text]


def test_a_chunk_as_long_as_the_embedder_reads_is_read_to_its_last_word():
    embedder = MiniLMEmbedder(document_prefix="passage: ")
    chunk = TokenChunker(keep="words").fit(embedder).chunk("apple " * 400)[0]

    read, changed, beyond = embedder.embed_documents([chunk, f"{chunk[:-5]}tiger", f"{chunk} tiger"])

    assert (read != changed).any()
    assert (read == beyond).all()


def test_the_limit_is_what_the_embedder_reads_but_no_more_than_512():
    prefixed = MiniLMEmbedder(document_prefix="passage: ")

    limits = [TokenChunker().fit(embedder).limit for embedder in (*EMBEDDERS.values(), prefixed)]

    assert limits == [254, 512, 512, 252]


def test_estimating_chunks_are_never_cut_by_the_embedder():
    embedder = OpenAICompatibleEmbedder(
        base_url="http://localhost/v1",
        model="m",
        dimensions=8,
        api_key="none",
        max_input_bytes=400,
        document_prefix="doc: ",
    )

    chunks = TokenChunker().fit(embedder).chunk("Größe und 日本語 " * 200)

    assert max(len(f"doc: {chunk}".encode()) for chunk in chunks) in range(380, 401)


def test_sentences_and_paragraphs_stay_whole_as_asked():
    text = "One two three. Four five six.\n\nSeven eight nine. Ten eleven twelve. The end it is of that."
    embedder = EMBEDDERS["minilm"]

    cut = {keep: TokenChunker(16, 0, keep).fit(embedder).chunk(text) for keep in ("sentences", "paragraphs")}

    assert cut["sentences"] == [text[:67], text[68:]]
    assert cut["paragraphs"] == [text[:29], text[31:]]


def test_the_overlap_is_a_sentence_where_one_fits():
    text = "One two three four. Five six seven eight. Nine ten. And then some more words follow here."

    chunks = TokenChunker(16, 4, "sentences").fit(EMBEDDERS["minilm"]).chunk(text)

    assert chunks == [text[:51], text[42:]]


def test_room_is_made_for_a_lead():
    chunker = TokenChunker(40, keep="words").fit(EMBEDDERS["wordllama"])
    lead = "Guide\nInstall\n\n"

    chunks = chunker.make_room(lead).chunk(PROSE)

    sizes = [chunker.tokenizer.count_tokens(lead + chunk) for chunk in chunks[:-1]]
    assert set(sizes) <= set(range(36, 41))
    assert chunker.make_room(lead * 10) is None


def test_without_a_tokenizer_nothing_is_cut():
    with pytest.raises(ValueError, match=r"^TokenChunker: there is no tokenizer yet; cut with what fit\("):
        TokenChunker().chunk("text")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 15}, "limit must be None or a whole number of at least 16, not 15."),
        ({"limit": True}, "limit must be None or a whole number of at least 16, not True."),
        ({"limit": "99"}, "limit must be None or a whole number of at least 16, not '99'."),
        ({"overlap": -1}, "overlap must be a whole number from 0 to 511, less than limit, not -1."),
        ({"overlap": 512}, "overlap must be a whole number from 0 to 511, less than limit, not 512."),
        (
            {"limit": 20, "overlap": 20},
            "overlap must be a whole number from 0 to 19, less than limit, not 20.",
        ),
        ({"keep": "lines"}, "keep must be one of 'words', 'sentences', 'paragraphs', not 'lines'."),
        ({"keep": []}, "keep must be one of 'words', 'sentences', 'paragraphs', not []."),
    ],
)
def test_an_option_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(f'TokenChunker: {message}')}$"):
        TokenChunker(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 255}, "limit must be at most 254, which is what the embedder reads, not 255."),
        ({"overlap": 254}, "overlap must be a whole number from 0 to 253, less than limit, not 254."),
    ],
)
def test_an_option_that_does_not_fit_the_embedder_is_refused(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(f'TokenChunker: {message}')}$"):
        TokenChunker(**options).fit(EMBEDDERS["minilm"])

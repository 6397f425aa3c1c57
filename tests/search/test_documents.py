import dataclasses
import json
from collections import OrderedDict
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.documents import (
    Document,
    EmbeddedDocument,
    embed,
    encode_metadata,
    encode_text,
    encode_together,
)

storable = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | storable,
    lambda children: st.lists(children) | st.dictionaries(storable, children),
    max_leaves=10,
)


def test_document_is_frozen_and_has_metadata_of_its_own():
    first, second = Document("a", "text"), Document("b", "text")

    assert first.metadata == {}
    assert first.metadata is not second.metadata
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'content'"):
        first.content = "other"


def test_embedding_a_document_keeps_all_but_the_vector():
    embedded = embed(Document("a", "text", {"n": 1}), [1.0, 2.0])

    assert embedded == EmbeddedDocument("a", "text", {"n": 1}, [1.0, 2.0])
    assert isinstance(embedded, Document)


@given(storable)
def test_storable_text_is_encoded_in_utf8(text):
    assert encode_text(text, "content").decode() == text


@given(st.dictionaries(storable, json_values))
def test_metadata_comes_back_as_it_was(metadata):

    assert json.loads(encode_metadata(metadata, "metadata")) == metadata


@given(st.lists(st.dictionaries(storable, json_values), min_size=1))
def test_many_metadata_encoded_together_are_those_encoded_one_by_one(many):
    together = encode_together(many)

    assert together is None or [json.loads(each) for each in together] == many


@given(st.lists(st.dictionaries(storable, storable | st.integers() | st.lists(storable)), min_size=1))
def test_metadata_without_objects_in_lists_can_be_encoded_together(many):
    assert encode_together(many) is not None or "\\u0000" in json.dumps(many, ensure_ascii=False)


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": [{"b": 1}, {"b": 2}]},
        {"a": float("nan")},
        {"a": "\0"},
        {"a": "\ud800"},
        {"a": object()},
        MappingProxyType({"a": 1}),
        [("a", 1)],
        "a",
        None,
    ],
)
def test_metadata_that_need_a_closer_look_are_not_encoded_together(metadata):
    assert encode_together([{}, metadata, {"b": 2}]) is None


@pytest.mark.parametrize("metadata", [MappingProxyType({"a": 1}), OrderedDict(a=1)])
def test_any_mapping_is_metadata(metadata):
    assert encode_metadata(metadata, "metadata") == b'{"a": 1}'


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "metadata must be a mapping, not NoneType."),
        ([("a", 1)], "metadata must be a mapping, not list."),
        ({"a": object()}, "metadata is not JSON: Object of type object is not JSON serializable."),
        ({"a": np.float32(1)}, "metadata is not JSON: Object of type float32 is not JSON serializable."),
        ({"a": b"bytes"}, "metadata is not JSON: Object of type bytes is not JSON serializable."),
        ({"a": float("inf")}, "metadata is not JSON: "),
        ({"a": 10**5000}, "metadata is not JSON: "),
        (nested(200_000), "metadata is not JSON: "),
        ({"a": {"b": ["x\0"]}}, "metadata contains a NUL byte. Remove it."),
        ({"a": "\\\\\0"}, "metadata contains a NUL byte. Remove it."),
        ({"a": "\udfff"}, "metadata contains a lone surrogate (U+DFFF) at character "),
    ],
)
def test_what_is_no_storable_json_is_refused(metadata, message):
    with pytest.raises(ValueError, match=r"^metadata ") as caught:
        encode_metadata(metadata, "metadata")

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\\\\\\u0000", "u0000", "\\"])
def test_an_escape_that_is_only_spelled_out_is_no_nul(text):
    assert encode_metadata({"a": text, text: 1}, "metadata")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "content must be a str, not NoneType."),
        (b"a", "content must be a str, not bytes."),
        ("a\0", "content contains a NUL byte at character 1. Remove it."),
        ("ab\udc00", "content contains a lone surrogate (U+DC00) at character 2. Remove it."),
    ],
)
def test_what_is_no_storable_text_is_refused(text, message):
    with pytest.raises(ValueError, match=r"^content ") as caught:
        encode_text(text, "content")

    assert str(caught.value) == message

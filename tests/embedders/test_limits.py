from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.search.embedders import Limits, get_limits, validate_embedding_settings

MINILM = "apps.search.embedders.MiniLMEmbedder"


@pytest.fixture
def with_limits(settings):
    def change(limits):
        settings.EMBEDDINGS = {"a": {"BACKEND": MINILM, "LIMITS": limits}}

    return change


@pytest.mark.parametrize("limits", [None, {}])
def test_an_entry_without_limits_has_none(with_limits, limits):
    with_limits(limits)

    assert get_limits("a") == Limits(None, None, None)


@pytest.mark.parametrize("price", [0, 0.02, Decimal("0.02"), 3])
def test_limits_of_an_entry_are_read(with_limits, price):
    with_limits({"requests_per_minute": 60, "tokens_per_minute": 1_000, "price_per_million_tokens": price})

    assert get_limits("a") == Limits(60, 1_000, Decimal(str(price)))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ([60], "LIMITS must be a dict, not list."),
        (
            {"per_second": 1},
            "unknown limit 'per_second'; allowed are: requests_per_minute, tokens_per_minute, price_per_mill",
        ),
        ({"requests_per_minute": 0}, "requests_per_minute must be a whole number of at least 1, not 0."),
        ({"tokens_per_minute": 1.5}, "tokens_per_minute must be a whole number of at least 1, not 1.5."),
        (
            {"price_per_million_tokens": -1},
            "price_per_million_tokens must be a number from 0 to 999,999, not -1.",
        ),
        (
            {"price_per_million_tokens": "1"},
            "price_per_million_tokens must be a number from 0 to 999,999, not '1'.",
        ),
        ({"price_per_million_tokens": True}, "price_per_million_tokens must be a number"),
        ({"price_per_million_tokens": float("nan")}, "price_per_million_tokens must be a number"),
    ],
)
def test_a_bad_limit_is_named_by_the_system_check_too(with_limits, limits, message):
    with_limits(limits)

    for ask in (get_limits, validate_embedding_settings):
        with pytest.raises(ImproperlyConfigured) as caught:
            ask("a")
        assert str(caught.value).startswith(f"EMBEDDINGS['a']: {message}")

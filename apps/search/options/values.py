"""The options every embedder takes, and the checks of an option's value."""

from collections.abc import Mapping
from typing import TypedDict

# Options of a space that are not the embedder's but its searches', each with its range or its words: how hard
# a vector index is searched (pgvector's manual, "HNSW", "IVFFlat" and "Iterative Index Scans").
SEARCH_OPTIONS: dict[str, range | tuple[str, ...]] = {
    "ef_search": range(1, 1_001),
    "max_scan_tuples": range(1, 2**31),
    "iterative_scan": ("strict_order", "relaxed_order", "off"),
    "probes": range(1, 32_769),
    "max_probes": range(1, 32_769),
    "ivfflat_iterative_scan": ("relaxed_order", "off"),
}


# How the two halves of a hybrid search are fused: by ranks or by scores, and what
# meaning and words count.
FUSIONS = ("rrf", "minmax")
FUSION_OPTIONS = ("fusion", "fusion_weights")


class EmbedderOptions(TypedDict, total=False):
    """Options of BaseEmbedder, for the signature of a subclass: `**options: Unpack[EmbedderOptions]`."""

    query_prefix: str
    document_prefix: str
    batch_size: int


def check_search_options(options: Mapping[str, object]) -> None:
    """Raise ValueError, naming the option, its value and what is allowed, for a bad search option."""
    for name, value in options.items():
        if name not in SEARCH_OPTIONS:
            raise ValueError(f"Unknown search option {name!r}. Allowed: {', '.join(SEARCH_OPTIONS)}.")
        allowed = SEARCH_OPTIONS[name]
        kind = int if isinstance(allowed, range) else str
        if type(value) is not kind or value not in allowed:
            words = (
                f"{allowed.start:,} to {allowed.stop - 1:,}"
                if isinstance(allowed, range)
                else ", ".join(allowed)
            )
            raise ValueError(f"{name} is {value!r}; allowed: {words}.")


def check_fusion_options(options: Mapping[str, object]) -> None:
    """Raise ValueError, naming the option, its value and what is allowed, for a bad fusion option."""
    fusion, weights = options.get("fusion", FUSIONS[0]), options.get("fusion_weights", (1, 1))
    if fusion not in FUSIONS:
        raise ValueError(f"fusion is {fusion!r}; allowed: {', '.join(FUSIONS)}.")
    is_pair = isinstance(weights, list | tuple) and len(weights) == 2
    numbers = [weight for weight in weights if _is_weight(weight)] if is_pair else []  # type: ignore[attr-defined]
    if len(numbers) != 2 or not any(numbers):
        raise ValueError(
            f"fusion_weights is {weights!r}; allowed: two numbers from 0 to 1000, for meaning and for words, "
            "of which one is more than 0."
        )


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1000


def require_int(name: str, value: object, *, minimum: int, maximum: int | None = None) -> int:
    """Return `value` if it is a whole number in the range; raise ValueError naming the option otherwise."""
    # bool is a subclass of int: True would pass for 1.
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and value >= minimum and (maximum is None or value <= maximum):  # type: ignore[operator]
        return value  # type: ignore[return-value]
    upper = "" if maximum is None else f" and at most {maximum}"
    raise ValueError(f"{name} must be a whole number of at least {minimum}{upper}, not {value!r}.")


def require_seconds(name: str, value: object) -> float:
    """Return `value` as a float if it is a positive, finite number; raise ValueError otherwise."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value < float("inf"):  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise ValueError(f"{name} must be a positive number of seconds, not {value!r}.")


def require_bool(name: str, value: object) -> bool:
    """Return `value` if it is True or False; raise ValueError naming the option otherwise."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"{name} must be True or False, not {value!r}.")


def require_text(name: str, value: object, *, allow_empty: bool = False) -> str:
    """Return `value` if it is a str that can be sent on; raise ValueError naming the option otherwise."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a str, not {type(value).__name__}.")
    if not allow_empty and not value.strip():
        raise ValueError(f"{name} must not be blank.")
    if reason := find_bad_character(value):
        raise ValueError(f"{name} {reason}.")
    return value


def find_bad_character(text: str) -> str | None:
    """Say which character neither PostgreSQL nor UTF-8 can hold, or return None if there is none."""
    if "\0" in text:
        return f"contains a NUL byte at character {text.index(chr(0))}"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"contains a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start}"
    return None

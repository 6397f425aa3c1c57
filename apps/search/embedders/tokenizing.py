"""Where the tokens of a text lie, by a tokenizer or by estimate."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tokenizers

# "1 token ~= 4 chars in English", says OpenAI's help ("What are tokens and how to count them?"). Counted in
# bytes, so that scripts with more bytes to a character have more tokens, as they do.
BYTES_PER_TOKEN = 4

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def estimate_count(text: str) -> int:
    """Return about how many tokens a text has."""
    return -(-len(text.encode(errors="surrogatepass")) // BYTES_PER_TOKEN)


def estimate_tokens(text: str) -> Sequence[tuple[int, int]]:
    """Return about where the tokens of a text begin and end, in characters: one for each four bytes."""
    codes = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
    widths = 1 + (codes > 0x7F).astype(np.int64) + (codes > 0x7FF) + (codes > 0xFFFF)
    last_bytes = np.cumsum(widths)
    firsts = np.searchsorted(last_bytes, np.arange(0, widths.sum(), BYTES_PER_TOKEN), side="right")
    # A token ends where the next begins, or within the same character.
    ends = np.maximum(np.append(firsts[1:], len(text)), firsts + 1)
    return list(zip(firsts.tolist(), ends.tolist(), strict=True))


def count_encoded(tokenizer: "tokenizers.Tokenizer", text: str) -> int:
    """Return how many tokens a text has, without the marks that the model puts around it."""
    return len(_encode(tokenizer, text).ids)


def find_encoded(tokenizer: "tokenizers.Tokenizer", text: str) -> Sequence[tuple[int, int]]:
    """Return where the tokens of a text begin and end, in characters, without the model's marks."""
    return _encode(tokenizer, text).offsets


def _encode(tokenizer: "tokenizers.Tokenizer", text: str) -> "tokenizers.Encoding":
    # The library refuses what UTF-8 cannot hold. A text with it is refused where it is embedded.
    return tokenizer.encode(_LONE_SURROGATE.sub("\ufffd", text), add_special_tokens=False)

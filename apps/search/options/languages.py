"""In which languages a text may be: its script tells, and for Latin letters the tenant's search language."""

import re
from collections.abc import Collection

# The search languages of tenants (PostgreSQL's configurations) as codes of ISO 639-1; "simple" tells nothing.
CODES = {
    "arabic": "ar", "armenian": "hy", "basque": "eu", "catalan": "ca", "danish": "da", "dutch": "nl",
    "english": "en", "finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hindi": "hi",
    "hungarian": "hu", "indonesian": "id", "irish": "ga", "italian": "it", "lithuanian": "lt",
    "nepali": "ne", "norwegian": "no", "portuguese": "pt", "romanian": "ro", "russian": "ru",
    "serbian": "sr", "spanish": "es", "swedish": "sv", "tamil": "ta", "turkish": "tr", "yiddish": "yi",
}  # fmt: skip
# Letters, and the commonest languages that are written with them.
SCRIPTS = [
    (re.compile(f"[{letters}]"), frozenset(codes.split()))
    for letters, codes in [
        ("A-Za-z\u00aa-\u024f\u1e00-\u1eff", ""),  # too many languages to tell
        ("\u0370-\u03ff\u1f00-\u1fff", "el"),
        ("\u0400-\u052f", "ru uk be bg sr mk kk ky mn tg"),
        ("\u0530-\u058f", "hy"),
        ("\u0590-\u05ff", "he yi"),
        ("\u0600-\u06ff\u0750-\u077f", "ar fa ur"),
        ("\u0900-\u097f", "hi ne mr"),
        ("\u0b80-\u0bff", "ta"),
        ("\u0e00-\u0e7f", "th"),
        ("\u0e80-\u0eff", "lo"),
        ("\u1000-\u109f", "my"),
        ("\u10a0-\u10ff", "ka"),
        ("\u1780-\u17ff", "km"),
        ("\u3040-\u30ff", "ja"),
        ("\u3400-\u9fff", "zh ja"),
        ("\uac00-\ud7a3", "ko"),
    ]
]


def is_foreign(text: str, languages: Collection[str] | None, search_language: str) -> bool:
    """Return whether a text is in none of these languages (codes of ISO 639-1), as far as one can tell.

    None stands for all languages. The commonest script of the text decides; for Latin letters, it is the
    search language of the tenant, which "simple" does not tell.
    """
    if languages is None:
        return False
    counts = [len(letters.findall(text)) for letters, _ in SCRIPTS]
    if not any(counts):
        return False
    codes = SCRIPTS[counts.index(max(counts))][1]
    if not codes and search_language in CODES:
        codes = frozenset([CODES[search_language]])
    return bool(codes) and codes.isdisjoint(languages)

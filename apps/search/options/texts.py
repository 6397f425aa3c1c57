"""Which texts can be stored and sent on."""


def find_bad_character(text: str) -> str | None:
    """Say which character neither PostgreSQL nor UTF-8 can hold, or return None if there is none."""
    if "\0" in text:
        return f"contains a NUL byte at character {text.index(chr(0))}"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"contains a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start}"
    return None

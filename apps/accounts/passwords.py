"""A validator of AUTH_PASSWORD_VALIDATORS: how many guesses a password takes.

The estimate is zxcvbn's (D. Wheeler, "zxcvbn: Low-Budget Password Strength Estimation", USENIX Security
2016). It knows common passwords, words, names, dates, patterns on a keyboard, and what people do to them:
"Summer24" is a word with two digits and takes some 40,000 guesses.
"""

import re
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from zxcvbn import zxcvbn

from tenants.context import connection

MOST_CHARACTERS = 72  # that zxcvbn takes; what is longer is strong by then, or never


class GuessesValidator:
    """Refuses a password that zxcvbn scores lower than `min_score`.

    A score of 1 takes a thousand guesses or more, 2 a million, 3 a hundred million, 4 ten thousand million.
    What is known of the account and the site counts as a common word.
    """

    def __init__(self, min_score: int = 3) -> None:
        self.min_score = min_score

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError with zxcvbn's advice."""
        known = [settings.SITE_NAME, connection.schema_name]
        known += [getattr(user, name, "") or "" for name in ("email", "name")]
        words = [word for text in known for word in (text, *re.split(r"[\W_]+", text)) if len(word) > 2]
        found = zxcvbn(password[:MOST_CHARACTERS], user_inputs=words)
        if found["score"] < self.min_score:
            advice = [found["feedback"]["warning"], *found["feedback"]["suggestions"][:1]]
            sentences = " ".join(text.rstrip(".") + "." for text in advice if text)
            message = f"This password is easy to guess. {sentences}".strip()
            raise ValidationError(message, code="password_too_easy")

    def get_help_text(self) -> str:
        """Return what a form says before somebody tries."""
        return "A word with a year is too easy to guess; four uncommon words are not."

"""Prints mail for people to read: the backend of `EMAIL_URL=consolemail://`."""

from typing import Any

from django.core.mail.backends import console


class EmailBackend(console.EmailBackend):
    """Django's, but with the text as it was written.

    Django prints what a mail server gets, in which a line of more than 78 characters is cut in two
    (quoted-printable, RFC 2045, section 6.7): a link that is copied from there is not valid.
    """

    def write_message(self, message: Any) -> None:
        """Write whom the mail is to, what it is about, and what it says."""
        head = f"Subject: {message.subject}\nTo: {', '.join(message.recipients())}"
        self.stream.write(f"{head}\n\n{message.body}\n{'-' * 79}\n")

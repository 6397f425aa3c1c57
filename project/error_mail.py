"""Errors of requests by mail to settings.ADMINS."""

import logging

from django.utils.log import AdminEmailHandler


class ErrorMailHandler(AdminEmailHandler):
    """Django's, but a mail server that fails does not fail the request whose error is told."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send the mail; print why on the console where it cannot be sent."""
        try:
            super().emit(record)
        except Exception:
            self.handleError(record)

"""What can go wrong with the embedded server, for a caller to handle."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded server could not be started, reached or stopped; the message holds the end of its log."""

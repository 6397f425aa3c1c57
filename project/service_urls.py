"""DATABASE_URL and EMAIL_URL in the form of Django's settings, with everything that they say."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import environ

# What libpq calls the parts of an address (PostgreSQL's manual, "Parameter Key Words").
_PARTS = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}  # nosec B105: a name
_SOCKET_FOLDER = re.compile(r"(?:.*@)?(?P<folder>%2F[^:@]*)(?::\d+)?", re.IGNORECASE)
_SMTP = {
    "host": "HOST",
    "port": "PORT",
    "username": "HOST_USER",
    "password": "HOST_PASSWORD",  # nosec B105: a name
    "use_tls": "USE_TLS",
    "use_ssl": "USE_SSL",
}
_MAIL_TIMEOUT = 10  # seconds; without one, a server that says nothing holds a request or a worker for ever


def read_database_url(url: str, defaults: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the database that a URL names.

    What the URL says after its `?` wins over `defaults`, which are Django's settings of a database, and over
    `options`, those of libpq, psycopg and Django's backend. Only the two `options` strings (`-c name=value`)
    are joined, the URL's last, so that a name in both has the URL's value. As in libpq, a host, port, user,
    password or dbname after the `?` wins over the same before it.
    """
    database = {**defaults, **environ.Env.db_url_config(url)}
    parts = urlsplit(url)
    if folder := _SOCKET_FOLDER.fullmatch(parts.netloc):  # django-environ leaves it encoded, in lower case
        database["HOST"] = unquote(folder["folder"])
    own = dict(database.pop("OPTIONS", {}))
    for name, value in parse_qsl(parts.query):
        if name in _PARTS:
            database[_PARTS[name]] = value
            own.pop(name, None)
    if session := " ".join(str(each["options"]) for each in (options, own) if each.get("options")):
        own["options"] = session
    return {**database, "OPTIONS": {**options, **own}}


def read_email_url(url: str) -> dict[str, Any]:
    """Return the mailer that a URL names, an entry of MAILERS.

    What the URL says after its `?` are options of the mailer, such as `timeout` in seconds or `ssl_certfile`.
    """
    mail = environ.Env.email_url_config(url)
    options: dict[str, Any] = {}
    if mail["EMAIL_BACKEND"].endswith("smtp.EmailBackend"):
        options = {option: mail.get(f"EMAIL_{name}") for option, name in _SMTP.items()}
        options["timeout"] = _MAIL_TIMEOUT
    elif mail["EMAIL_BACKEND"].endswith("filebased.EmailBackend"):
        options = {"file_path": mail["EMAIL_FILE_PATH"]}
    own = {name.lower(): value for name, value in mail.get("OPTIONS", {}).items()}
    backend = mail["EMAIL_BACKEND"]
    if backend.endswith("console.EmailBackend"):
        backend = "project.console_mail.EmailBackend"
    return {"BACKEND": backend, "OPTIONS": options | own}

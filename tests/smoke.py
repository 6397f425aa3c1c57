"""`make smoke`: start the demo as a newcomer does, search both tenants over HTTP, stop it.

It has a port and a PostgreSQL of its own, so that a running demo is not disturbed.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlencode, urlsplit

QUERY = "read settings from a config file"
EXPECTED = {"python": ("configparser", "default"), "django": ("django.conf", "fast")}
TIMEOUT = 600  # seconds until the demo is ready


def main() -> None:
    """Exit non-zero when the demo does not come up, finds the wrong thing, or leaves something behind."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder, _demo(port, folder) as printed:
        for subdomain, (expected, space) in EXPECTED.items():
            found = _get(port, f"{subdomain}.localhost", f"/api/search?limit=10&q={quote(QUERY)}")
            answer = json.loads(found)
            keys = [result["source"]["key"] for result in answer["results"]]
            assert answer["space"] == space, answer["space"]
            assert any(key.startswith(expected) for key in keys), keys
            assert all(key.startswith("django") == (subdomain == "django") for key in keys), keys
            page = _get(port, f"{subdomain}.localhost", f"/search/?q={quote(QUERY)}")
            assert expected in page
            print(f"{subdomain}: {', '.join(keys[:3])}")
        assert "python.localhost" in _get(port, "localhost", "/")
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        form = _get(port, "python.localhost", "/accounts/password_reset/", browser)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
        data = {"csrfmiddlewaretoken": token, "email": "owner@python.example.com"}
        _get(port, "python.localhost", "/accounts/password_reset/", browser, urlencode(data).encode())
        link = next(line for line in printed if "/accounts/reset/" in line).strip()  # the mail
        assert "Set your password" in _get(port, "python.localhost", urlsplit(link).path, browser)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)), "the web server still runs"
    print("1 passed, 0 failed")


@contextmanager
def _demo(port: int, folder: str) -> Iterator[IO[str]]:
    environment = {**os.environ, "PORT": str(port), "DEMO_ARTICLES": "300", "EMBEDDED_POSTGRES_DIR": folder}
    messages = Path(folder, "messages")
    process = subprocess.Popen(
        [sys.executable, "-m", "project.demo"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=messages.open("w"),
        text=True,
        process_group=0,
    )
    watchdog = threading.Timer(TIMEOUT, process.kill)
    watchdog.start()
    try:
        if not any(line.startswith("Ready.") for line in process.stdout):
            sys.exit(f"{messages.read_text()}\nThe demo ended before it was ready, with {process.wait()}.")
        yield process.stdout
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to all that the terminal runs
        process.stdout.read()
        process.wait()
        watchdog.cancel()
    assert "Traceback" not in messages.read_text(), messages.read_text()


def _get(
    port: int,
    host: str,
    path: str,
    browser: urllib.request.OpenerDirector | None = None,
    data: bytes | None = None,
) -> str:
    address = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(address, data, headers={"Host": f"{host}:{port}"})
    with (browser.open if browser else urllib.request.urlopen)(request, timeout=60) as response:
        return response.read().decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()

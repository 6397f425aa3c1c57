"""`make bench-neighbours`: what a hostile tenant does to the answers that another tenant gets.

Rounds alternate: the victim alone, then beside CLIENTS (8) hostile ones. Each p50 and p99 is over all rounds.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_urlsafe
from statistics import quantiles
from urllib.parse import urlencode

import django

DOCUMENTS = int(os.environ.get("DOCUMENTS") or 3_000)
CLIENTS = int(os.environ.get("CLIENTS") or 8)
ROUNDS = int(os.environ.get("ROUNDS") or 5)
SECONDS = int(os.environ.get("SECONDS") or 10)  # of each half of a round
WARM_UP = 3  # seconds from the attack's beginning to the first measurement
GOALS = {"p50": 1.5, "p99": 3.0}


def main() -> None:
    """Print the table; exit with 1 where a goal is missed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    secrets = {name: token_urlsafe(50) for name in ("SECRET_KEY", "ENCRYPTION_KEYS")}
    os.environ |= {"DEBUG": "False", "EMAIL_URL": "dummymail://"} | secrets
    django.setup()
    from tests.bench_neighbours.site import let_owner_in, make_tenant, prepare_static_files, serve
    from tests.own_database import own_database

    log = Path("var/bench-neighbours.log")
    log.parent.mkdir(exist_ok=True)
    prepare_static_files()
    with own_database("bench_neighbours"), _dripping_service() as service:
        let_owner_in(make_tenant("victim", DOCUMENTS))
        key = let_owner_in(make_tenant("hostile", DOCUMENTS))
        with serve(log) as port:
            _measure(port, key, service, log)


def _measure(port: int, key: str, service: str, log: Path) -> None:
    victim = Victim(port)
    victim.spend(SECONDS / 2)
    taken: dict[str, dict[str, list[float]]] = {"alone": {}, "attacked": {}}
    counts: dict[str, float] = {}
    for number in range(1, ROUNDS + 1):
        print(f"round {number} of {ROUNDS}", file=sys.stderr, flush=True)
        _add(taken["alone"], victim.spend(SECONDS))
        with _attack(port, key, service) as found:
            time.sleep(WARM_UP)
            _add(taken["attacked"], victim.spend(SECONDS))
        for name, count in found.items():
            counts[name] = counts.get(name, 0) + count
        time.sleep(WARM_UP)  # for what is still at work
    verdicts = [_show(page, alone, taken["attacked"][page]) for page, alone in taken["alone"].items()]
    for name, count in sorted(counts.items()):
        print(f"  hostile: {name}: {count:.0f}")
    print(f"  the victim's answers: {dict(victim.statuses)}; the server's log: {log}")
    sys.exit(not all(verdicts))


class Victim:
    """One person of the other tenant, who searches and signs in by turns."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.statuses: dict[str, int] = {}
        self._asked = 0
        page, cookies = self._ask("GET", "/accounts/login/")
        self._token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page)[1].decode()
        self._cookie = cookies.partition(";")[0]

    def spend(self, seconds: float) -> dict[str, list[float]]:
        """Return the milliseconds of each request made in this time."""
        until = time.monotonic() + seconds
        taken: dict[str, list[float]] = {"search page": [], "sign-in": []}
        while time.monotonic() < until or not taken["sign-in"]:
            for _ in range(5):
                query = urlencode({"q": f"template {self._asked}", "mode": "hybrid"})
                taken["search page"].append(self._time("GET", f"/search/?{query}"))
            taken["sign-in"].append(self._time("POST", "/accounts/login/"))
        return taken

    def _time(self, method: str, path: str) -> float:
        from tests.bench_neighbours.site import EMAIL, PASSWORD

        form = {"username": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": self._token}
        started = time.perf_counter()
        self._ask(method, path, urlencode(form) if method == "POST" else None)
        return (time.perf_counter() - started) * 1e3

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[bytes, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        address = f"198.18.{self._asked >> 8}.{self._asked & 255}"  # so that no rate limit counts
        headers = {"Host": f"victim.localhost:{self.port}", "X-Forwarded-For": address}
        self._asked += 1
        if body:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self._cookie}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content, cookies = answer.read(), answer.getheader("Set-Cookie", "")
        finally:
            connection.close()
        name = f"{path.partition('?')[0]} {answer.status}"
        self.statuses[name] = self.statuses.get(name, 0) + 1
        return content, cookies


@contextmanager
def _attack(port: int, key: str, service: str) -> Iterator[dict[str, float]]:
    arguments = [str(port), key, service, str(CLIENTS)]
    command = [sys.executable, "-m", "tests.bench_neighbours.hostile", *arguments]
    attackers = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = {}
    try:
        yield found
    finally:
        found |= json.loads(attackers.communicate("")[0])


@contextmanager
def _dripping_service() -> Iterator[str]:
    """Yield the address of a service that sends a byte of its answer every half a second."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


def _accept(listening: socket.socket) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_drip, args=(client,), daemon=True).start()


def _drip(client: socket.socket) -> None:
    try:
        client.recv(65_536)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        while True:
            client.sendall(b" ")
            time.sleep(0.5)
    except OSError:
        client.close()


def _add(all_taken: dict[str, list[float]], taken: dict[str, list[float]]) -> None:
    for page, times in taken.items():
        all_taken.setdefault(page, []).extend(times)


def _show(page: str, alone: list[float], attacked: list[float]) -> bool:
    """Print the ratios of a page; return whether both goals are met."""
    print(f"  {page}: {len(alone)} requests alone, {len(attacked)} attacked")
    is_met = True
    for name, goal in GOALS.items():
        before, after = (_find_percentile(times, int(name[1:])) for times in (alone, attacked))
        verdict = "ok" if after <= goal * before else "MISS"
        is_met &= verdict == "ok"
        ratio = f"{after / before:6.2f} x (goal <= {goal} x: {verdict})"
        print(f"    {name} {before:9.1f} ms {after:9.1f} ms {ratio}", flush=True)
    return is_met


def _find_percentile(times: list[float], percent: int) -> float:
    return quantiles(times, n=100, method="inclusive")[percent - 1]


main()

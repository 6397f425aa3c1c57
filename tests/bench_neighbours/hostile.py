"""The clients of the hostile tenant, in a process of their own until its input ends.

Each repeats one of three attacks without a pause: searches that cost much (`searches`), search spaces whose
service drips its answers (`services`), and pages with similar articles (`pages`). Every request has another
address, so that no rate limit stops it. At the end it prints as JSON how often each status was answered.
"""

import http.client
import json
import random
import sys
import threading
import time
from collections import Counter
from itertools import cycle, islice
from urllib.parse import urlencode

ATTACKS = ("searches", "services", "pages")
PATTERN = "%a" * 9 + "%b"  # LIKE tries each way to find the letters before it gives up
FILTER = {"or": [{"text": {"like": f"{PATTERN}{number}%"}} for number in range(12)]}
EXPENSIVE = {"q": "settings", "mode": "hybrid", "facets": ",".join(["tags"] * 10)}


def main(port: str, key: str, service: str, clients: str) -> None:
    """Attack the tenant `hostile` at the port with so many clients."""
    stopped = threading.Event()
    counts: Counter[str] = Counter()
    for number, attack in enumerate(islice(cycle(ATTACKS), int(clients))):
        client = _Client(int(port), key, service, number)
        threading.Thread(target=client.run, args=(attack, stopped, counts), daemon=True).start()
    sys.stdin.read()
    stopped.set()
    print(json.dumps(dict(sorted(counts.items()))), flush=True)


class _Client:
    def __init__(self, port: int, key: str, service: str, number: int) -> None:
        self._port, self._key, self._service = port, key, service
        self._random = random.Random(number)

    def run(self, attack: str, stopped: threading.Event, counts: Counter[str]) -> None:
        while not stopped.is_set():
            started = time.perf_counter()
            try:
                status = str(getattr(self, f"_ask_{attack}")())
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
                time.sleep(0.1)
            counts[f"{attack} {status}"] += 1
            counts[f"{attack} seconds"] += time.perf_counter() - started

    def _ask_searches(self) -> int:
        what = EXPENSIVE | ({"filter": json.dumps(FILTER)} if self._random.random() > 0.5 else {})
        return self._ask("GET", f"/api/search?{urlencode(what)}")

    def _ask_services(self) -> int:
        space = {
            "alias": f"own-{self._random.randrange(10**9)}",
            "base_url": self._service,
            "model": "m",
            "dimensions": 8,
        }
        return self._ask("POST", "/api/spaces", json.dumps(space), Authorization=f"Bearer {self._key}")

    def _ask_pages(self) -> int:
        return self._ask("GET", f"/articles/{self._random.randrange(1, 1000)}/")

    def _ask(self, method: str, path: str, body: str | None = None, **headers: str) -> int:
        address = ".".join(str(self._random.randrange(1, 255)) for _ in range(4))
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        named = {"Host": f"hostile.localhost:{self._port}", "X-Forwarded-For": address} | headers
        connection.request(method, path, body, named | ({"Content-Type": "application/json"} if body else {}))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status


if __name__ == "__main__":
    main(*sys.argv[1:])

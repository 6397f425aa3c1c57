"""Closed-loop clients in a process of their own: each asks again as soon as it has its answer.

Reads an Order as JSON from its input and prints a Taken as JSON.
"""

import http.client
import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from urllib.parse import urlencode

WORDS = ["settings", "file", "database", "query", "template", "form", "cache", "session", "worker", "queue"]
WORDS_OF_QUERY = 3


@dataclass(frozen=True)
class Order:
    """What the clients do: `count` of them ask the hosts at the port, at random, for `path` and a query.

    They go on for so many `seconds`. The query is always the same one, or another each time (`is_repeated`).
    """

    port: int
    hosts: list[str]
    path: str
    parameters: dict[str, str]
    count: int
    seconds: float
    is_repeated: bool = False


@dataclass
class Taken:
    """The milliseconds of each answer, how often each status came, and the seconds that all of it took.

    `processors` are the seconds that the server's processes worked for it, where somebody counts them.
    """

    times: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    processors: float = 0.0

    @property
    def rate(self) -> float:
        """Answers with 200 in a second."""
        return self.statuses.get("200", 0) / self.seconds if self.seconds else 0.0

    @property
    def work(self) -> float:
        """Milliseconds of the server's processors for each answer."""
        return self.processors * 1e3 / max(1, sum(self.statuses.values()))

    def add(self, other: "Taken") -> None:
        """Add what was taken another time."""
        self.times += other.times
        self.seconds += other.seconds
        self.processors += other.processors
        self.statuses = dict(Counter(self.statuses) + Counter(other.statuses))

    @property
    def errors(self) -> int:
        """How many were no answer, or one with another status than 200."""
        return sum(count for status, count in self.statuses.items() if status != "200")


def make_query(random: random.Random) -> str:
    """Return a query that hardly anybody has asked before."""
    return " ".join(f"{random.choice(WORDS)}{random.randrange(7) or ''}" for _ in range(WORDS_OF_QUERY))


def carry_out(order: Order) -> Taken:
    """Let the clients ask, and return what they got."""
    taken, statuses = Taken(), Counter[str]()
    until = time.monotonic() + order.seconds
    clients = [
        threading.Thread(target=_ask, args=(order, random.Random(), until, taken.times, statuses))
        for _ in range(order.count)
    ]
    began = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    taken.seconds, taken.statuses = time.perf_counter() - began, dict(statuses)
    return taken


def _ask(
    order: Order, random: random.Random, until: float, times: list[float], statuses: Counter[str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", order.port, timeout=60)
    has_asked = False  # each does at least once
    while not has_asked or time.monotonic() < until:
        has_asked = True
        query = " ".join(WORDS[:WORDS_OF_QUERY]) if order.is_repeated else make_query(random)
        address = ".".join(str(random.randrange(1, 255)) for _ in range(4))  # so that no rate limit counts
        headers = {"Host": f"{random.choice(order.hosts)}:{order.port}", "X-Forwarded-For": address}
        began = time.perf_counter()
        try:
            connection.request(
                "GET", f"{order.path}?{urlencode({**order.parameters, 'q': query})}", None, headers
            )
            answer = connection.getresponse()
            answer.read()
            status = str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            connection.close()  # the next request opens it anew
            status = type(error).__name__
        if status == "200":
            times.append((time.perf_counter() - began) * 1e3)
        statuses[status] += 1
    connection.close()


if __name__ == "__main__":
    print(json.dumps(asdict(carry_out(Order(**json.load(sys.stdin))))))

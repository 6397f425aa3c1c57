"""bm25s, the peer of the search by words, in an environment of its own (see `bm25s_run`)."""

import json
from typing import Any

from tests.eval.tasks import Task
from tests.peer_environment import PeerEnvironment

ENVIRONMENT = PeerEnvironment("eval-peers", ("bm25s==0.3.16", "PyStemmer==3.1.0"))

type Rankings = list[list[tuple[str, float]]]


def install() -> str:
    """Install the peer unless it is installed; return what went wrong, or ""."""
    fault = ENVIRONMENT.install()
    return fault and f"bm25s cannot be installed: {fault}\nMeasured without it."


def search(tasks: list[Task], depth: int) -> dict[str, Rankings]:
    """Return, for each task by name, the first `depth` (key, score) of each of its queries."""
    order: list[dict[str, Any]] = [
        {
            "name": task.name,
            "language": task.language,
            "configuration": task.configuration,
            "documents": task.documents,
            "queries": [text for text, _ in task.queries],
        }
        for task in tasks
    ]
    done = ENVIRONMENT.run("tests.eval.bm25s_run", json.dumps({"depth": depth, "tasks": order}))
    done.check_returncode()
    return json.loads(done.stdout)

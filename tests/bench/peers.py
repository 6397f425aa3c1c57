"""The peers, in an environment of their own; nothing here is imported by the project or its tests."""

import json
import sys
from typing import Any

from tests.bench.workload import Options
from tests.peer_environment import PeerEnvironment

ENVIRONMENT = PeerEnvironment(
    "bench-peers",
    ("django-ai-core==0.1.6", "langchain-postgres==0.0.19", "django>=6.1,<6.2", "psycopg[binary]", "numpy"),
)


def are_installed() -> bool:
    """Tell whether `install` succeeded once."""
    return ENVIRONMENT.is_installed


def install() -> str:
    """Install the peers unless they are; return what went wrong, or ""."""
    fault = ENVIRONMENT.install()
    return fault and f"The peers cannot be installed: {fault}\n`make bench` measures without them."


def measure(options: Options, parameters: dict[str, Any], schema: str) -> dict[str, Any]:
    """Return the figures of each peer by name, measured by their own Python (see `peer_run`)."""
    order = json.dumps({"options": vars(options), "parameters": parameters, "schema": schema})
    done = ENVIRONMENT.run("tests.bench.peer_run", order)
    if done.returncode:
        print("The peers could not be measured; the message is above.", file=sys.stderr)
        return {}
    return json.loads(done.stdout)

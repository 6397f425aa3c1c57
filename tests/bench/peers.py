"""The peers, in an environment of their own; nothing here is imported by the project or its tests."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from tests.bench.workload import Options

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = ROOT / "var" / "bench-peers"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
COMPLETE = ENVIRONMENT / "installed"  # what is installed, written last
PACKAGES = [
    "django-ai-core==0.1.6",
    "langchain-postgres==0.0.19",
    "django>=6.1,<6.2",
    "psycopg[binary]",
    "numpy",
]


def are_installed() -> bool:
    """Tell whether `install` succeeded once."""
    return COMPLETE.exists() and COMPLETE.read_text() == "\n".join(PACKAGES)


def install() -> str:
    """Install the peers unless they are; return what went wrong, or ""."""
    if are_installed():
        return ""
    print(f"Installing {', '.join(PACKAGES[:2])} into {ENVIRONMENT.relative_to(ROOT)} ...", flush=True)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"The peers cannot be installed: {last}\n`make bench` measures without them."
    COMPLETE.write_text("\n".join(PACKAGES))
    return ""


def measure(options: Options, parameters: dict[str, Any], schema: str) -> dict[str, Any]:
    """Return the figures of each peer by name, measured by their own Python (see `peer_run`)."""
    order = json.dumps({"options": vars(options), "parameters": parameters, "schema": schema})
    done = subprocess.run(
        [str(PYTHON), "-m", "tests.bench.peer_run"],
        cwd=ROOT,
        input=order,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print("The peers could not be measured; the message is above.", file=sys.stderr)
        return {}
    return json.loads(done.stdout)

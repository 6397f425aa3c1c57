"""bm25s, the peer of the search by words, in an environment of its own (see `bm25s_run`)."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from tests.eval.tasks import Task

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = ROOT / "var" / "eval-peers"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
COMPLETE = ENVIRONMENT / "installed"  # what is installed, written last
PACKAGES = ["bm25s==0.3.16", "PyStemmer==3.1.0"]

type Rankings = list[list[tuple[str, float]]]


def install() -> str:
    """Install the peer unless it is installed; return what went wrong, or ""."""
    if COMPLETE.exists() and COMPLETE.read_text() == "\n".join(PACKAGES):
        return ""
    print(f"Installing {', '.join(PACKAGES)} into {ENVIRONMENT.relative_to(ROOT)} ...", flush=True)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"bm25s cannot be installed: {last}\nMeasured without it."
    COMPLETE.write_text("\n".join(PACKAGES))
    return ""


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
    done = subprocess.run(
        [str(PYTHON), "-m", "tests.eval.bm25s_run"],
        cwd=ROOT,
        input=json.dumps({"depth": depth, "tasks": order}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)

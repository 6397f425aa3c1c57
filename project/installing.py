"""Install a lock file, and show how far it is: `make setup`. Needs nothing but Python and pip."""

import os
import re
import subprocess
import sys
from pathlib import Path

STEPS = (
    "Collecting ",
    "Requirement already satisfied",
    "Ignoring ",
)  # of each package


def main() -> None:
    """Install the lock file `sys.argv[2]` for the Python `sys.argv[1]`; exit as pip does."""
    python, lock = sys.argv[1:]
    total = len(re.findall(r"^[\w.-]+(?:\[.+\])?==", Path(lock).read_text(), re.MULTILINE))
    options = ["--no-input", "--disable-pip-version-check", "--require-hashes", "--progress-bar=off"]
    pip = subprocess.Popen(  # noqa: S603 - our own
        [python, "-m", "pip", "install", *options, "-r", lock],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PIP_ROOT_USER_ACTION": "ignore"},
    )
    said, done = [], 0
    for line in pip.stdout or ():
        said.append(line)
        if line.startswith(STEPS):
            done += 1
            _show(f"  {done} of {total} packages", done % 20 == 0)
        elif line.startswith("Installing collected"):
            _show("  unpacking them", True)
    if pip.wait():
        sys.exit(f"\n{''.join(said[-20:])}pip could not install {lock}; its last words are above.")
    _show("  done", True, end="\n")


def _show(text: str, is_told: bool, end: str = "") -> None:
    """Write over the last line of a terminal; in a log, write those lines that are to be told there."""
    if sys.stdout.isatty():
        print(f"\r{text:<40}", end=end, flush=True)
    elif is_told:
        print(text, flush=True)


if __name__ == "__main__":
    main()

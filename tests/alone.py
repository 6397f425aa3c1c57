"""Runs each file of the tests in a process of its own: `make test-alone`.

What passes in the suite may lean on what another file has left in the process or in the database.
"""

import argparse
import random
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
NOTHING_COLLECTED = 5  # pytest's exit code: the file is about an app that was left out


def run_alone(path):
    """Tell whether the tests of a file pass; print what they say if not."""
    command = [sys.executable, "-m", "pytest", "-q", path]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True)
    passes = done.returncode in (0, NOTHING_COLLECTED)
    print("passes" if passes else "FAILS ", path, flush=True)
    if not passes:
        print(done.stdout, done.stderr, flush=True)
    return passes


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.alone", description=__doc__)
    parser.add_argument("--sample", type=int, help="how many files (default: all)")
    parser.add_argument("--seed", type=int, help="which files: what an earlier run printed")
    options = parser.parse_args()
    paths = sorted(path.relative_to(TESTS.parent).as_posix() for path in TESTS.rglob("test_*.py"))
    seed = random.getrandbits(32) if options.seed is None else options.seed
    if options.sample:
        print(f"{options.sample} of {len(paths)} files; again: --sample={options.sample} --seed={seed}")
        paths = random.Random(seed).sample(paths, min(options.sample, len(paths)))
    failed = [path for path in paths if not run_alone(path)]
    if failed:
        sys.exit(f"{len(failed)} of {len(paths)} files fail alone: {' '.join(failed)}")


if __name__ == "__main__":
    main()

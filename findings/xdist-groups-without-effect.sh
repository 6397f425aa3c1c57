#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.2.0: `--dist=loadgroup` keeps no group together, without a word.
#
# Usual guess: tests with the same `xdist_group` mark run in one worker, as xdist's manual says.
# Behaviour: xdist tells its main process of a group by writing "@group" behind a test's `_nodeid`. In pytest
#   9.2 `nodeid` is read from another attribute, so the suffix is lost, and each test is a group of its own.
#   What a module's fixture makes is made in each worker. `--dist=loadfile` works: it needs no mark.
# Seen: the six tests of one group run in two workers; with pytest 9.0.2 in one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > test_group.py <<'PYTHON'
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_together(number):
    time.sleep(0.2)
PYTHON

count_workers() {  # of the group, with this version of pytest
    python3 -m venv "venv-$1"
    "venv-$1/bin/pip" install --quiet --disable-pip-version-check "pytest==$1" pytest-xdist==3.8.0
    "venv-$1/bin/python" -m pytest -v -n 2 --dist=loadgroup test_group.py > "$1.log"
    grep -o '\[gw[01]\]' "$1.log" | sort -u | wc -l
}

before=$(count_workers 9.0.2)
now=$(count_workers 9.2.0)
echo "workers that ran the group: $before with pytest 9.0.2, $now with pytest 9.2.0"
test "$before" -eq 1 && test "$now" -eq 2

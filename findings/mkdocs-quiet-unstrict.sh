#!/usr/bin/env bash
# mkdocs 1.6.1: `--quiet` takes the strictness out of `--strict`.
#
# Usual guess: --quiet only prints less, so `mkdocs build --strict --quiet` fails on a broken link as
#   `mkdocs build --strict` does.
# Behaviour: --strict counts warnings by a log handler. --quiet raises the logger's level to ERROR, so no
#   warning reaches the handler, none is counted, and the build with a broken link ends with 0.
# Seen: exit status 1 without --quiet ("Aborted with 1 warnings in strict mode!"), 0 with it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mkdocs==1.6.1
mkdir docs
echo "site_name: Sample" > mkdocs.yml
echo "[gone](gone.md)" > docs/index.md

loud=0; venv/bin/mkdocs build --strict > loud.log 2>&1 || loud=$?
quiet=0; venv/bin/mkdocs build --strict --quiet > quiet.log 2>&1 || quiet=$?
cat loud.log
echo "mkdocs build --strict: exit status $loud; with --quiet: $quiet"
test "$loud" -eq 1 && grep -q "Aborted with 1 warnings in strict mode" loud.log && test "$quiet" -eq 0

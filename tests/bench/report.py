"""What a run found, for people (a table, a drawing) and programs (JSON)."""

import json
from pathlib import Path
from typing import Any

from tests.bench.svg import draw
from tests.bench.targets import judge

type Found = dict[str, Any]


def write_report(found: Found, json_path: Path, svg_path: Path) -> None:
    """Print the table and write both files."""
    verdicts = judge(found["contenders"])
    print(make_table(found))
    print("\n".join(str(verdict) for verdict in verdicts))
    kept = [vars(verdict) for verdict in verdicts]
    for path, text in (
        (json_path, json.dumps(found | {"targets": kept}, indent=1)),
        (svg_path, draw(found, describe(found))),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
        print(f"Written: {path}")


def make_table(found: Found) -> str:
    """Return the figures as text: a column for each contender, and the ratio of ours to raw."""
    contenders = found["contenders"]
    cells = [["", *contenders, "ours/raw"], *_rows(contenders)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
    rule = "-" * len(lines[0])
    return "\n".join([describe(found), "", lines[0], rule, *lines[1:], rule, *_remarks(found), ""])


def describe(found: Found) -> str:
    """Return the workload and the server in one line."""
    options = found["options"]
    server = ", ".join(f"{name} {version}" for name, version in found["server"].items())
    return f"{options['documents']:,} documents, {options['dimensions']} dimensions, cosine, top 10; {server}"


def _rows(contenders: Found) -> list[list[str]]:
    rows = [
        ["ingest, documents/s", *_figures(contenders, "ingest", ",.0f")],
        ["unchanged again, documents/s", *_figures(contenders, "readd", ",.0f")],
        ["building the index, s", *_figures(contenders, "index_seconds", ".1f")],
    ]
    for case in contenders["raw"]["queries"]:
        queries = {name: each["queries"][case] for name, each in contenders.items()}
        rows += [
            [f"{case}: p50 ms", *_figures(queries, "p50", ".2f")],
            [f"{case}: p95 ms", *_figures(queries, "p95", ".2f")],
            [f"{case}: recall@10", *[f"{each['recall']:.3f}" for each in queries.values()], ""],
        ]
    return rows


def _figures(contenders: Found, name: str, form: str) -> list[str]:
    ratio = contenders["ours"][name] / contenders["raw"][name]
    return [*(format(each[name], form) for each in contenders.values()), f"{ratio:.2f}x"]


def _remarks(found: Found) -> list[str]:
    same, random = found["fleet"]["same"], found["fleet"]["random"]
    ours, raw = found["contenders"]["ours"], found["contenders"]["raw"]
    worded, ways = raw["ingest_worded"], raw["ways_to_readd"]
    remarks = [
        f"{found['fleet']['tenants']} tenants: p50 {same['p50']:.2f} ms in always the same one, "
        f"{random['p50']:.2f} ms in one at random ({random['p50'] / same['p50']:.2f}x)",
        f"raw ingest into a table with keywords and GIN indexes, as ours has: {worded:,.0f}/s "
        f"({ours['ingest'] / worded:.2f}x)",
        f"ours makes the keywords of a bulk afterwards: {ours['keywords_later']:.1f} s; until then "
        f"a keyword search: p50 {ours['search_before']:.0f} ms",
        "raw, unchanged again (a part of the documents): "
        + ", ".join(f"{way} {rate:,.0f}/s" for way, rate in ways.items()),
    ]
    for mode, each in found.get("text_search", {}).items():
        remarks.append(f"{mode} search: p50 {each['p50']:.2f} ms, p95 {each['p95']:.2f} ms")
    return remarks

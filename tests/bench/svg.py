"""The drawing: by filter, how long a query takes compared with raw, and what it finds."""

from html import escape
from typing import Any

from tests.bench.targets import FILTERED_RECALL, LATENCY, RECALL
from tests.bench.workload import CASES

WIDTH, MARGIN, LABELS, PANEL, GAP = 880, 24, 84, 290, 132
TOP, BAR, GROUP_GAP = 112, 13, 16
LONGEST_RATIO = 8.0  # longer bars are cut, and their figure is marked
STYLE = """
svg { color: #1f2328; background: #ffffff; font: 13px system-ui, sans-serif }
text { fill: currentColor } .small { font-size: 11px } .title { font-size: 16px; font-weight: 600 }
.track { fill: currentColor; opacity: .07 } .target { stroke: currentColor; stroke-dasharray: 3 3 }
.c0 { fill: #6e7781 } .c1 { fill: #0b7a5c } .c2 { fill: #b4540a } .c3 { fill: #d18616 } .c4 { fill: #7c4dbd }
@media (prefers-color-scheme: dark) {
  svg { color: #e6edf3; background: #0d1117 }
  .c0 { fill: #8b949e } .c1 { fill: #3fb68b } .c2 { fill: #e0823d } .c3 { fill: #e3b341 }
  .c4 { fill: #b392f0 }
}
"""


def draw(found: dict[str, Any], subtitle: str) -> str:
    """Return the SVG; it follows the reader's light or dark scheme."""
    contenders = found["contenders"]
    group = len(contenders) * BAR + GROUP_GAP
    height = TOP + len(CASES) * group + MARGIN
    left, right = MARGIN + LABELS, MARGIN + LABELS + PANEL + GAP
    parts = [
        _text(MARGIN, 32, "Search beside the bare driver", "title"),
        _text(MARGIN, 52, subtitle, "small"),
        *_legend(list(contenders)),
        _text(left, TOP - 12, "median time of a query, raw = 1"),
        _text(right, TOP - 12, "recall@10"),
    ]
    for number, case in enumerate(CASES):
        y = TOP + number * group
        parts.append(_text(MARGIN, y + len(contenders) * BAR / 2 + 4, case))
        base = contenders["raw"]["queries"][case]["p50"]
        for row, each in enumerate(contenders.values()):
            query = each["queries"][case]
            parts += _bar(left, y + row * BAR, query["p50"] / base / LONGEST_RATIO, row, _ratio(query, base))
            parts += _bar(right, y + row * BAR, query["recall"], row, f"{query['recall']:.3f}")
        limit = FILTERED_RECALL if CASES[case] else RECALL
        parts.append(_target(right + PANEL * limit, y, group, f"target {limit}"))
        if CASES[case] is None:
            parts.append(_target(left + PANEL * LATENCY / LONGEST_RATIO, y, group, f"target {LATENCY}"))
    return _wrap(parts, height, subtitle)


def _bar(x: float, y: float, share: float, colour: int, label: str) -> list[str]:
    width = round(PANEL * min(share, 1), 1)
    return [
        f'<rect class="track" x="{x}" y="{y}" width="{PANEL}" height="{BAR - 2}"/>',
        f'<rect class="c{colour % 5}" x="{x}" y="{y}" width="{width}" height="{BAR - 2}"/>',
        _text(x + PANEL + 6, y + BAR - 3, label, "small"),
    ]


def _ratio(query: dict[str, float], base: float) -> str:
    cut = "\u203a " if query["p50"] / base > LONGEST_RATIO else ""
    return f"{cut}{query['p50'] / base:.3g}x: {query['p50']:.3g} ms"


def _target(x: float, y: float, group: float, label: str) -> str:
    line = f'x1="{x:.1f}" x2="{x:.1f}" y1="{y - 3}" y2="{y + group - GROUP_GAP + 1}"'
    return f'<line class="target" {line}><title>{label}</title></line>'


def _legend(names: list[str]) -> list[str]:
    parts, x = [], MARGIN
    for colour, name in enumerate(names):
        parts.append(f'<rect class="c{colour % 5}" x="{x}" y="66" width="11" height="11"/>')
        parts.append(_text(x + 16, 76, name, "small"))
        x += 34 + 7 * len(name)
    parts.append(f'<line class="target" x1="{x}" x2="{x}" y1="64" y2="79"/>')
    return [*parts, _text(x + 7, 76, "target", "small")]


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<text{mark} x="{x}" y="{y}">{escape(text)}</text>'


def _wrap(parts: list[str], height: float, title: str) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>Benchmark: {escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{height}" fill="none"/>',
            *parts,
            "</svg>",
        ]
    )

"""The texts that a Debian system installs in many languages: manual pages, packages, settings of programs."""

import contextlib
import gettext
import gzip
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

SHARE = Path("/usr/share")
STATUS = Path("/var/lib/dpkg/status")
HEADINGS = (".SH", ".SS", ".Sh", ".Ss", ".TP", ".IP", ".It")
SPACED = (".PP", ".P", ".LP", ".Pp", ".sp", ".br")
# Macros whose arguments are text: fonts of man(7), and the commonest of mdoc(7).
TEXTUAL = re.compile(r"^\.(?:B|I|SB|SM|BR|BI|IB|IR|RB|RI|Nm|Ar|Cm|Fl|Pa|Em|Sy|Xr|Dq|Ql|Li|Va|Ev)\s+(.*)")
CHARACTERS = {
    "aq": "'",
    "dq": '"',
    "lq": '"',
    "rq": '"',
    "oq": "'",
    "cq": "'",
    "em": "-",
    "en": "-",
    "bu": "",
}
ESCAPE = re.compile(
    r"\\(?:f(?:\[[^]]*\]|\(..|.)|[sm](?:\[[^]]*\]|[-+]?\d+)|\*?(?:\((?P<two>..)|\[(?P<long>[^]]*)\])|\*(?P<accent>.)|"
    r"(?P<one>.))"
)
ACCENTS = {":": "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", ",": "\u0327", "~": "\u0303"}
ONES = {"-": "-", "e": "\\", " ": " ", "~": " ", "0": " ", "\\": "\\", "'": "'", "`": "`", ".": "."}


def read_manuals(folder: str) -> Iterator[tuple[str, str]]:
    """Yield (key, text) of each part below a heading of the installed manual pages, such as those of "de".

    `folder` is below /usr/share/man, "" for English.
    """
    for path in sorted((SHARE / "man" / folder).glob("man[1-8]/*.gz")):
        if path.is_symlink():
            continue
        try:
            source = gzip.decompress(path.read_bytes()).decode()
        except (UnicodeDecodeError, OSError):  # of an older encoding
            continue
        for number, part in enumerate(split_roff(source)):
            yield f"{path.name.removesuffix('.gz')}#{number}", part


def split_roff(source: str) -> Iterator[str]:
    """Yield the text of each part of a page in roff(7): what follows a heading or the term of a list."""
    lines: list[str] = []
    is_heading = is_term = is_defining = False
    for line in source.splitlines():
        if is_defining or line.startswith((".de", ".ig")):
            is_defining = not line.startswith("..")
        elif line.startswith(HEADINGS):
            yield " ".join(lines)
            lines, is_term = [], line.startswith(".TP")
            is_heading = line.rstrip() in (".SH", ".SS")
        elif is_heading or is_term:  # the heading or the term stands on a line of its own
            is_heading = is_term = False
        elif found := TEXTUAL.match(line):
            lines.append(_clean(found[1].replace('"', "")))
        elif not line.startswith((".", "'")):
            lines.append(_clean(line))
    yield " ".join(lines)


def read_packages() -> Iterator[tuple[str, str, str]]:
    """Yield (name, summary, description) of the installed Debian packages."""
    if not STATUS.exists():
        return
    for entry in STATUS.read_text(encoding="utf-8", errors="replace").split("\n\n"):
        name = re.search(r"^Package: (.+)$", entry, re.MULTILINE)
        found = re.search(r"^Description: (.+)((?:\n .*)*)", entry, re.MULTILINE)
        if name and found:
            yield name[1], found[1], re.sub(r"^ \.?", "", found[2].strip("\n"), flags=re.MULTILINE)


def read_settings(locale: str) -> Iterator[tuple[str, str, str]]:
    """Yield (key, summary, description) of the settings of installed programs, as a locale translates them.

    They are those of GSettings; a setting without a translation of both is left out.
    """
    catalogues = []
    for path in sorted((SHARE / "locale" / locale / "LC_MESSAGES").glob("*.mo")):
        with contextlib.suppress(UnicodeDecodeError, OSError), path.open("rb") as file:
            catalogues.append(gettext.GNUTranslations(file))

    def translate(text: str) -> str:
        found = (catalogue.gettext(text) for catalogue in catalogues)
        return next((each for each in found if each != text), "")

    for path in sorted((SHARE / "glib-2.0" / "schemas").glob("*.gschema.xml")):
        for key in ElementTree.parse(path).getroot().iter("key"):  # noqa: S314 - of installed packages
            parts = [" ".join((key.findtext(part) or "").split()) for part in ("summary", "description")]
            summary, description = (translate(part) if part else "" for part in parts)
            if summary and description:
                yield f"{path.name}:{key.get('name')}", summary, description


def _clean(line: str) -> str:
    return unicodedata.normalize("NFC", ESCAPE.sub(_resolve, line))


def _resolve(match: re.Match[str]) -> str:
    name = match["two"] or match["long"]
    if match["accent"]:
        return ACCENTS.get(match["accent"], "")
    if name:
        if re.fullmatch(r"u[0-9A-F]{4,6}", name):
            return chr(int(name[1:], 16))
        if len(name) == 2 and name[0] in ACCENTS:  # an accent and its letter
            return name[1] + ACCENTS[name[0]]
        return CHARACTERS.get(name, "ß" if name == "ss" else "")
    return ONES.get(match["one"] or "", "")

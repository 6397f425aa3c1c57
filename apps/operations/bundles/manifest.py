"""The first member of a bundle: what the bundle holds, where it comes from, and what it needs.

A bundle may come from anywhere, so everything that is read is checked here: no key is unknown, missing or of
another type, no member comes twice, and no file's name leads out of its folder.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Self
from unicodedata import category
from urllib.parse import quote

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeInt,
    ValidationError,
    model_validator,
)

FORMAT = 1
MANIFEST = "manifest.json"
FOLDER = "media/"  # of the tenant's files
SHOWN_FAULTS = 20

BIGINT = 2**63
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

type Line = Annotated[str, Field(max_length=200)]
type Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BundleError(RuntimeError):
    """A bundle cannot be made, or does not fit; `faults` has all that was found, a line each.

    A bundle's own names in them cannot steer a terminal: characters that do not print are escaped.
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = [
            "".join(char if char.isprintable() else repr(char)[1:-1] for char in fault) for fault in faults
        ]
        super().__init__("\n".join(self.faults))


class Part(BaseModel):
    """A piece of a manifest: exactly these keys, exactly these types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Content(Part):
    """What the bytes of a member must be."""

    bytes: NonNegativeInt
    sha256: Sha256

    @property
    def member(self) -> str:
        """The member's name in the archive."""
        raise NotImplementedError


class TableContent(Content):
    """All rows of a table, as COPY writes them in text format; the columns with their types."""

    name: str
    columns: dict[str, str]
    rows: NonNegativeInt

    @property
    def member(self) -> str:
        """`tables/<name>.copy`, with the name quoted as in a URL."""
        return f"tables/{quote(self.name, safe='')}.copy"


class FileContent(Content):
    """A file of the tenant's storage; the name is the storage's own."""

    name: str

    @property
    def member(self) -> str:
        """`media/<name>`."""
        return f"{FOLDER}{self.name}"


class Sequence(Part):
    """Where a sequence stands, as PostgreSQL keeps it."""

    last_value: int = Field(ge=-BIGINT, lt=BIGINT)
    is_called: bool


class Versions(Part):
    """The software that made the bundle: it helps to find out why a bundle does not fit."""

    postgresql: Line
    pgvector: Line
    django: Line
    project: Line


class Registration(Part):
    """What the registry knows of the tenant; `fields` are those that an operator may edit."""

    schema_name: str
    hostname: str
    domains: list[str]
    state: Literal["active", "suspended"]
    state_reason: str
    fields: dict[str, JsonValue]


class WaitingTask(Part):
    """A task of the tenant that waited when the bundle was made."""

    path: str
    args: list[JsonValue]
    kwargs: dict[str, JsonValue]


class Manifest(Part):
    """Everything that a bundle says about itself.

    `left_out` names the tables whose rows stay behind, for people: an import decides by its own EXCLUDE.
    `parts` is what the apps add, by app label.
    """

    format: Literal[1]
    made_at: AwareDatetime
    versions: Versions
    tenant: Registration
    migrations: list[tuple[str, str]]
    tables: list[TableContent]
    left_out: list[str]
    sequences: dict[str, Sequence]
    tasks: list[WaitingTask]
    parts: dict[str, JsonValue]
    files: list[FileContent]

    @property
    def contents(self) -> list[Content]:
        """What follows the manifest in the archive, in this order."""
        return [*self.tables, *self.files]

    @property
    def size(self) -> int:
        """The bytes of all contents."""
        return sum(content.bytes for content in self.contents)

    @model_validator(mode="after")
    def check_names(self) -> Self:
        """Refuse a member that comes twice and a file whose name no storage should see."""
        counts = Counter(content.member for content in self.contents)
        faults = [f"{name!r} comes twice." for name, count in counts.items() if count > 1]
        faults += [f"{file.name!r} {fault}." for file in self.files for fault in find_name_faults(file.name)]
        if faults:
            raise ValueError(" ".join(faults))
        return self


def find_name_faults(name: str) -> Iterator[str]:
    """Yield what is wrong with a file's name: it must stay in its folder and mean the same everywhere."""
    if any(part in ("", ".", "..") for part in name.split("/")):
        yield "is not a path below a folder"
    if "\\" in name or any(category(character) in ("Cc", "Cs") for character in name):
        yield "holds a character that a file's name may not have"
    if any(len(part.encode(errors="replace")) > 255 for part in name.split("/")):
        yield "has a part of more than 255 bytes"


def read_manifest(text: bytes) -> Manifest:
    """Return the manifest that the JSON holds. Raises BundleError with all faults if it is not one."""
    if NUL.search(text):
        raise BundleError([f"{MANIFEST}: it holds a NUL, which PostgreSQL allows in no text."])
    try:
        if (version := _Version.model_validate_json(text).format) != FORMAT:
            raise BundleError([f"{MANIFEST}: format {version!r}; this code reads format {FORMAT}."])
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        # Without the values, which a tenant may have written.
        faults = error.errors(include_url=False, include_input=False)[:SHOWN_FAULTS]
        raise BundleError(
            f"{'.'.join(map(str, (MANIFEST, *fault['loc'])))}: {fault['msg']}" for fault in faults
        ) from error


class _Version(BaseModel):
    format: Any

"""The archive of a bundle: a compressed tar, which may come from an enemy.

Nothing is ever unpacked to a path that the archive names. It must hold the members that its manifest lists,
each once and with that size and hash, and nothing else: no folder, link, device or sparse file. The settings
in `conf.py` limit what it may take of memory and disk; it is read in blocks, whatever its size.
"""

import gzip
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Self

from apps.operations.bundles.conf import conf
from apps.operations.bundles.manifest import (
    MANIFEST,
    BundleError,
    Content,
    Manifest,
    TableContent,
    read_manifest,
)
from apps.operations.bundles.progress import Progress

LEVEL = 1  # of compression: vectors in digits get 5% smaller at 4, in twice the time
BLOCK = 1 << 18  # bytes read at once
HEADERS = 1 << 20  # bytes that the headers of one member may take
UNRATED = 1 << 24  # unpacked bytes to which BUNDLE_MAX_RATIO does not apply: little of anything packs well
RAISE = "Raise it in the environment for a bundle that you trust."
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


class CheckedReader:
    """Reads a member and hashes it on the way; it reads no more bytes than the manifest says.

    A member of rows must have none that is longer than BUNDLE_MAX_ROW_BYTES.
    """

    def __init__(self, source: Any, content: Content, progress: Progress) -> None:
        self.content = content
        self._source, self._progress = source, progress
        self._left, self._digest = content.bytes, sha256()
        self._row = 0  # bytes so far of the row that is being read

    def __iter__(self) -> Iterator[bytes]:
        """Yield all that is left, in blocks."""
        while self._left:
            yield self.read(BLOCK)

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, all of them by default. Raises BundleError when there are too few."""
        if size < 0:
            return b"".join(self)
        with _damage_named():
            block: bytes = self._source.read(min(size, self._left))
        if not block and size and self._left:
            raise BundleError([f"{self.content.member!r}: {self._left} bytes are missing at its end."])
        self._left -= len(block)
        self._digest.update(block)
        if isinstance(self.content, TableContent):
            self._measure_row(block)
        self._progress(len(block))
        return block

    def _measure_row(self, block: bytes) -> None:
        """Raise BundleError for a row that is too long. COPY escapes the line breaks within rows."""
        lengths = [len(part) for part in block.split(b"\n")]
        lengths[0] += self._row
        self._row = lengths[-1]
        if max(lengths) > (most := conf.BUNDLE_MAX_ROW_BYTES):
            place = self.content.member
            raise BundleError([f"{place!r}: a row has more bytes than BUNDLE_MAX_ROW_BYTES, {most}. {RAISE}"])

    def skip(self) -> None:
        """Read what is left."""
        for _ in self:
            pass

    def is_genuine(self) -> bool:
        """Read what is left, and return whether all of it was what the manifest says."""
        self.skip()
        return self._digest.hexdigest() == self.content.sha256


class ArchiveWriter:
    """Appends members to a new archive."""

    def __init__(self, tar: tarfile.TarFile, manifest: Manifest) -> None:
        self._tar, self._time = tar, int(manifest.made_at.timestamp())
        text = manifest.model_dump_json(indent=1).encode()
        _refuse_manifest_of(len(text))
        self._append(MANIFEST, len(text), BytesIO(text))

    def add(self, content: Content, source: IO[bytes], progress: Progress) -> None:
        """Append a member. Raises BundleError when the source is not what the manifest says."""
        reader = CheckedReader(source, content, progress)
        self._append(content.member, content.bytes, reader)
        if not reader.is_genuine() or source.read(1):
            raise BundleError([f"{content.member!r} was changed while it was read. Export once more."])

    def _append(self, name: str, size: int, source: Any) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, self._time, 0o600
        self._tar.addfile(info, source)


@contextmanager
def write_archive(path: Path, manifest: Manifest) -> Iterator[ArchiveWriter]:
    """Make an archive with its manifest. It appears at `path` when all is in it; only its owner may read it.

    A block that fails leaves nothing behind. A killed process leaves `.<name>.*.partial`.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with open(handle, "wb") as file:
            with (
                gzip.GzipFile("", "wb", LEVEL, file) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                yield ArchiveWriter(tar, manifest)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def load_manifest(path: Path) -> Manifest:
    """Return the manifest of a bundle of an allowed size. Raises BundleError for other files, and OSError."""
    with _open_archive(path) as archive:
        manifest = archive.read_manifest()
    if manifest.size > (most := conf.BUNDLE_MAX_BYTES):
        raise BundleError([f"it would unpack {manifest.size} bytes; BUNDLE_MAX_BYTES is {most}. {RAISE}"])
    return manifest


def read_members(path: Path, manifest: Manifest, progress: Progress) -> Iterator[CheckedReader]:
    """Yield a reader for each member, in the order of the archive. The caller need not read it to its end.

    Raises BundleError when the archive does not have exactly the members that the manifest lists, of these
    sizes. Each reader knows whether the bytes are right.
    """
    expected = {content.member: content for content in manifest.contents}
    with _open_archive(path) as archive:
        if archive.read_manifest() != manifest:
            raise BundleError([f"{path.name} was changed while it was read."])
        while header := archive.next():
            content = expected.pop(header.name, None)
            if content is None:
                raise BundleError([f"{header.name!r} is not in the manifest, or comes twice."])
            if header.size != content.bytes:
                raise BundleError([f"{header.name!r} has {header.size} bytes, not {content.bytes}."])
            reader = CheckedReader(archive.open(header), content, progress)
            yield reader
            reader.skip()
    if expected:
        raise BundleError(f"{name!r} is missing." for name in expected)


class _Header(tarfile.TarInfo):
    """A header of the kinds that a bundle has; any other is refused before tarfile acts on it."""

    @classmethod
    def frombuf(cls, *args: Any, **kwargs: Any) -> Self:
        header = super().frombuf(*args, **kwargs)
        if header.type not in (*PLAIN, tarfile.XHDTYPE) or header.size < 0:
            raise BundleError([f"{header.name!r} is not a plain file, as every entry of a bundle must be."])
        return header


class _Archive:
    """Reads the headers of an archive. A header could ask for all memory, so the bytes for it are limited.

    So are all bytes, by those of the file that they were packed in.
    """

    def __init__(self, file: IO[bytes], packed: gzip.GzipFile) -> None:
        self._file, self._packed, self._unpacked, self._allowed = file, packed, 0, HEADERS
        options: Any = {"fileobj": self, "mode": "r|", "tarinfo": _Header}
        with _damage_named():
            self._tar = tarfile.open(**options)  # noqa: SIM115  # what it reads is closed by the caller

    def read(self, size: int) -> bytes:
        """For tarfile: return unpacked bytes."""
        with _damage_named():
            block = self._packed.read(size)
        self._allowed -= len(block)
        if self._allowed < 0:
            raise BundleError(["a header is larger than any that a bundle has."])
        self._unpacked += len(block)
        if self._unpacked > UNRATED + (most := conf.BUNDLE_MAX_RATIO) * self._file.tell():
            raise BundleError([f"it unpacks to more than {most} times its size, BUNDLE_MAX_RATIO. {RAISE}"])
        return block

    def next(self) -> tarfile.TarInfo | None:
        self._allowed = HEADERS
        with _damage_named():
            header = self._tar.next()
        if header and header.issparse():
            raise BundleError([f"{header.name!r} is not a plain file, as every entry of a bundle must be."])
        return header

    def open(self, header: tarfile.TarInfo) -> IO[bytes]:
        self._allowed = header.size + HEADERS
        file = self._tar.extractfile(header)
        assert file is not None  # noqa: S101  # it is a plain file
        return file

    def read_manifest(self) -> Manifest:
        header = self.next()
        if header is None or header.name != MANIFEST or header.size < 0:
            raise BundleError([f"no bundle: it does not begin with {MANIFEST}."])
        _refuse_manifest_of(header.size)
        return read_manifest(self.open(header).read())


@contextmanager
def _open_archive(path: Path) -> Iterator[_Archive]:
    with path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
        yield _Archive(file, packed)


def _refuse_manifest_of(size: int) -> None:
    if size > (most := conf.BUNDLE_MAX_MANIFEST_BYTES):
        raise BundleError([f"{MANIFEST} has {size} bytes; BUNDLE_MAX_MANIFEST_BYTES is {most}. {RAISE}"])


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BundleError([f"no bundle, or damaged: {error}."]) from error

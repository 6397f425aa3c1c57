"""The archive of a bundle, a compressed tar: written beside its place, read as if an enemy had made it.

Nothing is ever unpacked to a path that the archive names. It may hold what its manifest lists, once, with the
size and the hash that stand there, and nothing else: no folder, link, device or sparse file.
"""

import gzip
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Self

from apps.operations.bundles.errors import BundleError
from apps.operations.bundles.manifest import MANIFEST, Content, Manifest, read_manifest, write_manifest

LEVEL = 1  # of compression: vectors in digits get 5% smaller at 4, in twice the time
BLOCK = 1 << 18  # bytes read at once
HEADERS = 1 << 20  # bytes that the headers of one member may take
LARGEST_MANIFEST = 1 << 28  # bytes
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)

type Progress = Callable[[int], object]


def ignore(count: int) -> None:
    """Show no progress."""


class CheckedReader:
    """A member's bytes, hashed as they pass by; never more of them than the manifest says."""

    def __init__(self, source: Any, content: Content, progress: Progress = ignore) -> None:
        self.content = content
        self._source, self._progress = source, progress
        self._left, self._digest = content.bytes, sha256()

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
        self._progress(len(block))
        return block

    def is_genuine(self) -> bool:
        """Read what is left and return whether all was what the manifest says."""
        for _ in self:
            pass
        return self._digest.hexdigest() == self.content.sha256


class ArchiveWriter:
    """Appends members to an archive that is being made."""

    def __init__(self, tar: tarfile.TarFile, manifest: Manifest) -> None:
        self._tar, self._time = tar, int(manifest.made_at.timestamp())
        text = write_manifest(manifest)
        self._append(MANIFEST, len(text), BytesIO(text))

    def add(self, content: Content, source: IO[bytes], progress: Progress = ignore) -> None:
        """Append a member. Raises BundleError when the source is not what the manifest says, or no more."""
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
    """Make an archive with its manifest; it is at `path`, readable by its owner only, once all is in it.

    When the block fails nothing is left, unless the process is killed: then `.<name>.*.partial` is.
    """
    with (
        _new_file(path) as file,
        gzip.GzipFile("", "wb", LEVEL, file) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        yield ArchiveWriter(tar, manifest)


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def load_manifest(path: Path) -> Manifest:
    """Return the manifest of a bundle.

    Raises BundleError for what is none, and OSError when it cannot be read.
    """
    with _opened(path) as archive:
        return archive.read_manifest()


def read_members(path: Path, manifest: Manifest, progress: Progress = ignore) -> Iterator[CheckedReader]:
    """Yield a reader for each member, in the order of the archive; what is not read is read over.

    Raises BundleError for what the manifest does not list, lists otherwise or lists in vain; whether the
    bytes are right, each reader knows.
    """
    expected = {content.member: content for content in manifest.contents}
    with _opened(path) as archive:
        if archive.read_manifest() != manifest:
            raise BundleError([f"{path.name} was changed while it was read."])
        while header := archive.next(HEADERS):
            content = expected.pop(header.name, None)
            if content is None:
                raise BundleError([f"{header.name!r} is not in the manifest, or comes twice."])
            if header.size != content.bytes:
                raise BundleError([f"{header.name!r} has {header.size} bytes, not {content.bytes}."])
            reader = CheckedReader(archive.open(header), content, progress)
            yield reader
            for _ in reader:
                pass
    if expected:
        raise BundleError(f"{name!r} is missing." for name in expected)


class _Header(tarfile.TarInfo):
    """A header of the kinds that a bundle has. What tarfile makes of all the others is not waited for."""

    @classmethod
    def frombuf(cls, *args: Any, **kwargs: Any) -> Self:
        header = super().frombuf(*args, **kwargs)
        if header.type not in (*PLAIN, tarfile.XHDTYPE) or header.size < 0:
            raise BundleError([f"{header.name!r} is no plain file, as all in a bundle must be."])
        return header


class _Metered:
    """The unpacked bytes. A header could ask for all memory, so no more is read than was `left` for it."""

    def __init__(self, source: gzip.GzipFile) -> None:
        self.left = HEADERS
        self._source = source

    def read(self, size: int) -> bytes:
        with _damage_named():
            block = self._source.read(size)
        self.left -= len(block)
        if self.left < 0:
            raise BundleError(["a header is larger than any that a bundle has."])
        return block


class _Archive:
    def __init__(self, tar: tarfile.TarFile, source: _Metered) -> None:
        self._tar, self._source = tar, source

    def next(self, allowance: int) -> tarfile.TarInfo | None:
        self._source.left = allowance
        with _damage_named():
            header = self._tar.next()
        if header and header.issparse():
            raise BundleError([f"{header.name!r} is no plain file, as all in a bundle must be."])
        return header

    def open(self, header: tarfile.TarInfo) -> IO[bytes]:
        self._source.left = header.size + HEADERS
        file = self._tar.extractfile(header)
        assert file is not None  # noqa: S101  # it is a plain file
        return file

    def read_manifest(self) -> Manifest:
        header = self.next(HEADERS)
        if header is None or header.name != MANIFEST or not 0 <= header.size <= LARGEST_MANIFEST:
            raise BundleError([f"no bundle: it does not begin with {MANIFEST}."])
        return read_manifest(self.open(header).read())


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    with ExitStack() as stack:
        source = _Metered(stack.enter_context(gzip.open(path)))
        options: Any = {"fileobj": source, "mode": "r|", "tarinfo": _Header}
        with _damage_named():
            tar = stack.enter_context(tarfile.open(**options))
        yield _Archive(tar, source)


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BundleError([f"no bundle, or damaged: {error}."]) from error

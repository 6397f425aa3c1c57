"""The bound tenant's files, through its storage."""

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage

from apps.operations.bundles.archive import BLOCK, CheckedReader
from apps.operations.bundles.manifest import FOLDER, BundleError, FileContent, find_name_faults
from apps.operations.bundles.progress import Progress


def list_files(folder: str = "") -> Iterator[str]:
    """Yield the names of all files, sorted within each folder."""
    folders, files = default_storage.listdir(folder)
    yield from (f"{folder}{name}" for name in sorted(files))
    for name in sorted(folders):
        yield from list_files(f"{folder}{name}/")


def describe_files(progress: Progress) -> list[FileContent]:
    """Return all files with their sizes and hashes.

    Raises BundleError for names that a bundle cannot hold and for links that lead out of the tenant's folder.
    """
    names = list(list_files())
    faults = [f"file {name!r} {fault}." for name in names for fault in find_name_faults(name)]
    faults += [f"file {name!r} is a link that leads elsewhere." for name in names if _leads_elsewhere(name)]
    if faults:
        raise BundleError(faults)
    contents = []
    for name in names:
        digest, size = sha256(), 0
        with open_file(name) as file:
            while block := file.read(BLOCK):
                digest.update(block)
                size += len(block)
                progress(len(block))
        contents.append(FileContent(name=name, bytes=size, sha256=digest.hexdigest()))
    return contents


def open_file(name: str) -> Any:
    """Open a file of the tenant's for reading. Raises BundleError when it is gone."""
    try:
        return default_storage.open(name, "rb")
    except FileNotFoundError as error:
        raise BundleError([f"file {name!r} was deleted meanwhile. Export once more."]) from error


def save_file(reader: CheckedReader) -> None:
    """Store a member. Raises BundleError when its bytes are wrong or its name is taken."""
    name = reader.content.member.removeprefix(FOLDER)
    stored = default_storage.save(name, File(reader, name))  # type: ignore[arg-type]
    if stored != name:
        raise BundleError([f"file {name!r} could be stored as {stored!r} only."])
    if not reader.is_genuine():
        raise BundleError([f"file {name!r}: its bytes are not those of the manifest."])


def delete_files() -> None:
    """Delete all files of the tenant, with their folders."""
    _delete_in("")
    with suppress(NotImplementedError, FileNotFoundError):  # a storage elsewhere has no folders
        os.rmdir(default_storage.path(""))


def _delete_in(folder: str) -> None:
    folders, files = default_storage.listdir(folder)
    for name in folders:
        _delete_in(f"{folder}{name}/")
    for name in (*files, *folders):
        default_storage.delete(f"{folder}{name}")


def _leads_elsewhere(name: str) -> bool:
    """Whether a file on this machine's disk belongs to somebody else: another tenant, the system."""
    try:
        path, folder = default_storage.path(name), default_storage.path("")
    except NotImplementedError:  # a storage elsewhere has no links
        return False
    return not os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))

"""Raw files of public data sets: downloaded, checked, and archives read without unpacking them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["check_sum", "fetch", "members"]

_SUMS = {32: "MD5", 64: "SHA-256"}


def fetch(url: str, target: Path, expected: str | None, who: str, advice: str) -> None:
    """Download a file; it appears at ``target`` only after its sum was found right.

    Args:
        url: Where it is.
        target: Where it goes, in a folder that exists.
        expected: Its MD5 or SHA-256 sum, if one is known.
        who: The data set, for messages.
        advice: What to do if it can't be downloaded.

    Raises:
        OSError: If it can't be downloaded.
        ValueError: If the sum is another one.
    """
    partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        with urllib.request.urlopen(url, timeout=60) as response, partial.open("wb") as file:
            shutil.copyfileobj(response, file)
        check_sum(partial, target.name, expected, who)
        partial.replace(target)
    except OSError as error:
        raise OSError(f"{who}: could not download {url} ({error}); {advice}") from error
    finally:
        partial.unlink(missing_ok=True)


def check_sum(path: Path, name: str, expected: str | None, who: str) -> None:
    """Compare the MD5 or SHA-256 sum of a file, whichever ``expected`` is, with the published one.

    Raises:
        ValueError: If it is another one.
    """
    if expected is None:
        return
    kind = _SUMS[len(expected)]
    digest = hashlib.new(kind.replace("-", ""), usedforsecurity=False)
    with path.open("rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise ValueError(
            f"{who}: {path} has the {kind} sum {digest.hexdigest()}, but {name} as published has {expected}; "
            "delete the file to download it again"
        )


def members(path: Path, suffix: str, who: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in a tar or zip archive that end in ``suffix``, in alphabetical order.

    Nothing is written to disk. An archive with a member of any kind that would leave the folder into which it were
    unpacked is refused as a whole, before anything of it is read.

    Raises:
        ValueError: If a member leaves the folder, or the archive is damaged.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
                _check_inside([entry.filename for entry in entries], path, who)
                for entry in sorted(entries, key=lambda entry: entry.filename):
                    if entry.filename.endswith(suffix) and not entry.is_dir():
                        yield entry.filename, archive.read(entry)
            return
        with tarfile.open(path) as tar:
            infos = tar.getmembers()
            _check_inside([info.name for info in infos], path, who)
            _check_inside([_link_target(info) for info in infos if info.issym() or info.islnk()], path, who)
            for info in sorted(infos, key=lambda info: info.name):
                content = tar.extractfile(info) if info.isfile() and info.name.endswith(suffix) else None
                if content is not None:
                    yield info.name, content.read()
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{who}: {path} is damaged or no tar or zip archive ({error})") from error


def _link_target(info: tarfile.TarInfo) -> str:
    """Where a link leads: a symbolic one from its own folder, a hard one from the archive's root."""
    return info.linkname if info.islnk() else str(PurePosixPath(info.name).parent / info.linkname)


def _check_inside(names: list[str], path: Path, who: str) -> None:
    """Refuse absolute names, drives, and names that climb above their root."""
    for name in names:
        depth = 0
        plain = name.replace("\\", "/")
        for part in plain.split("/"):
            depth += -1 if part == ".." else part not in ("", ".")
            if depth < 0:
                break
        if depth < 0 or plain.startswith("/") or plain[1:2] == ":":
            raise ValueError(
                f"{who}: {path} is refused, its member {name!r} would leave the folder that it is unpacked into; "
                "get the archive from its public place again"
            )

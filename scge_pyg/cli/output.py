"""An output folder or file that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from scge_pyg.usage import UsageError

__all__ = ["check_target", "written_file", "written_whole"]


def check_target(target: Path, *, overwrite: bool, ours: Collection[str]) -> None:
    """Refuse a target that can't be written, before the work starts.

    Args:
        target: The folder to come.
        overwrite: Whether an earlier result may be replaced.
        ours: Names of files that belong to a result; a folder that holds others is never replaced.
    """
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; -o names a folder")
    present = {entry.name for entry in target.iterdir()} if target.is_dir() else set()
    if foreign := sorted(present - set(ours)):
        raise UsageError(f"{target} holds other files ({foreign[0]}); choose a new folder with -o")
    if present and not overwrite:
        raise UsageError(f"{target} already holds a result; choose another folder with -o or add --overwrite")
    parent = next(folder for folder in target.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UsageError(f"{target} can't be written: {parent} is not a writable folder")


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target`` that takes its place when the block ends, or vanishes if it fails."""
    target = target.absolute()
    missing = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        _open_to_others(temporary)
        _swap(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        for folder in missing:
            folder.rmdir()
        raise


@contextmanager
def written_file(target: Path) -> Iterator[Path]:
    """A temporary name beside ``target``, with its suffix, that takes its place when the block ends."""
    partial = target.with_name(f".{target.stem}.{os.getpid()}.partial{target.suffix}")
    try:
        yield partial
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _open_to_others(folder: Path) -> None:
    """Give temporary files, which are private, the permissions that new files have."""
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)
    for entry in folder.iterdir():
        entry.chmod(0o666 & ~umask)


def _swap(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    old = aside / "old"
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)

"""A folder in which one process works at a time, by a lock that dies with the process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO

try:
    _fcntl: ModuleType | None = import_module("fcntl")
except ModuleNotFoundError:  # on Windows
    _fcntl = None

__all__ = ["held_folder"]


@contextmanager
def held_folder(path: Path) -> Iterator[None]:
    """Keep other processes out of a folder, which is made; ``run.lock`` in it holds the number of the process.

    Raises:
        ValueError: If another process is in it, or the path is no folder.

    Example:
        >>> import tempfile
        >>> with held_folder(Path(tempfile.mkdtemp()) / "run"):
        ...     pass
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"RunFolder: {path} can't be a folder: it, or what it is in, is a file") from error
    with (path / "run.lock").open("a+") as file:
        if not _locked(file):
            file.seek(0)
            raise ValueError(
                f"RunFolder: {path} is in use by process {file.read().strip() or 'of another machine'}; wait for it, "
                f"or give another folder (--run.folder)"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locked(file: IO[str]) -> bool:
    """Whether the lock could be taken; where the system or the disk knows none, it could.

    It is one of POSIX: processes that load samples don't inherit it, so that none of them keeps it after a kill.
    """
    if _fcntl is None:
        return True
    try:
        _fcntl.lockf(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True

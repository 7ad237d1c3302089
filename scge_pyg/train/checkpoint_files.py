"""Checkpoints on disk: a file appears whole or not at all, and one that is damaged is passed over with a word."""

from __future__ import annotations

import os
import pickle
import uuid
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import Tensor

from scge_pyg.train.patient_file import PatientFile

__all__ = ["AtomicCheckpointIO", "checkpoint_name", "checkpoints_in", "newest_checkpoint", "read_checkpoint"]


def checkpoint_name(step: int) -> str:
    """Name of the file of a step; names sort as steps do.

    Example:
        >>> checkpoint_name(120)
        'step-00000120.ckpt'
    """
    return f"step-{step:08d}.ckpt"


def checkpoints_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The checkpoints of a folder, newest first."""
    return sorted(Path(folder).glob("step-*.ckpt"), reverse=True)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a checkpoint: tensors and plain values, checked by the sums in the file; no code of it is run.

    Raises:
        ValueError: If the file is cut off, damaged, or holds something else.
        FileNotFoundError: If there is none.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"read_checkpoint: {path} does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"{damaged} in it is damaged")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"read_checkpoint: {path} can't be read: it holds more than tensors and plain values, which may run code"
        ) from error
    except Exception as error:  # zipfile and torch raise what they like on a damaged file
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"read_checkpoint: {path} can't be read ({said})") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise ValueError(f"read_checkpoint: {path} is no checkpoint of a training run; it holds no state_dict")
    return content


def newest_checkpoint(folder: str | os.PathLike[str]) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that can be read, and its content; None if there is none.

    Warns:
        UserWarning: For each newer one that can't; the message names the file.
    """
    paths = checkpoints_in(folder)
    for path in paths:
        try:
            return path, read_checkpoint(path)
        except ValueError as error:
            then = "there is none before it" if path == paths[-1] else "the checkpoint before it is used"
            warnings.warn(f"{error}; {then}", UserWarning, stacklevel=2)
        except FileNotFoundError:  # a run that goes on has put a newer one in its place
            return newest_checkpoint(folder)
    return None


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint under another name in the same folder, waits for the disk, then renames.

    What was saved before stays until the new file is whole, whatever happens in between. Reading runs no code.

    Args:
        held: A file that was read, with its content, which a run that goes on may have removed since.
    """

    def __init__(self, held: tuple[Path, dict[str, Any]] | None = None) -> None:
        self.held = held

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write ``checkpoint`` to ``path``."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("wb") as file:
                patient = PatientFile(file)
                torch.save(checkpoint, patient)  # type: ignore[arg-type]
                patient.finish()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Callable[[Tensor, str], Tensor] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read ``path``; ``weights_only`` is always true."""
        if self.held is not None and self.held[0] == Path(path):
            return dict(self.held[1])
        return read_checkpoint(path)


def _sync_folder(folder: Path) -> None:
    """Wait until the new name is on the disk, where folders can be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)

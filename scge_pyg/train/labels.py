"""Classes of samples as numbers, and what each was called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["as_classes", "numbered_as", "read_labels"]

_NO_CLASS = ("", "nan", "n/a", "#n/a")


def as_classes(labels: Any) -> tuple[Tensor, tuple[str, ...]]:
    """Classes ``[S]`` from 0 in sorted order, and what they were called; whole numbers from 0 stay as they are.

    Example:
        >>> as_classes(["b", "a", "b"])
        (tensor([1, 0, 1]), ('a', 'b'))
    """
    values = np.asarray(labels.numpy(force=True) if isinstance(labels, Tensor) else labels)
    values = values if values.ndim == 1 else values.squeeze()
    if values.ndim != 1:
        raise ValueError(f"NodesDataModule: y must be one class a sample [S], got {list(values.shape)}")
    if values.dtype.kind in "OUSTb":
        values = np.array([_word(value) for value in values.tolist()], np.str_)
    text = values.dtype.kind == "U"
    empty = (values == "") if text else np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    if empty.any():
        raise ValueError(
            f"NodesDataModule: {int(empty.sum())} of {len(values)} samples have no class (the first is sample "
            f"{int(np.flatnonzero(empty)[0])}); leave them out"
        )
    if text:
        try:
            values = values.astype(np.float64)
        except ValueError:
            called, place = np.unique(values, return_inverse=True)
            return torch.from_numpy(place).long(), tuple(map(str, called))
    called, place = np.unique(values, return_inverse=True)
    whole = bool((called == np.round(called)).all())
    if not whole:
        raise ValueError(
            f"NodesDataModule: y must hold classes, whole numbers or words, got {called[0]}, {called[-1]} and "
            f"{len(called) - 2} more; bin the values first"
        )
    if 0 <= called[0] and called[-1] < 2 * len(called):
        return torch.from_numpy(values.astype(np.int64)), tuple(map(str, range(int(called[-1]) + 1)))
    return torch.from_numpy(place).long(), tuple(str(int(value)) for value in called)


def numbered_as(known: Sequence[str], y: Tensor, called: Sequence[str]) -> Tensor:
    """Classes with the numbers that these words have in another list.

    Args:
        known: Words of the classes by their numbers there.
        y: Classes ``[S]`` by their numbers here.
        called: Words of the classes by their numbers here.

    Raises:
        ValueError: If a sample's class is unknown there.

    Example:
        >>> numbered_as(("a", "b", "c"), torch.tensor([0, 1, 0]), ("c", "a"))
        tensor([2, 0, 2])
    """
    place = {word: number for number, word in enumerate(known)}
    there = torch.tensor([place.get(word, -1) for word in called])[y]
    if bool((there < 0).any()):
        unknown = [called[number] for number in y[there < 0].unique().tolist()]
        raise ValueError(
            f"NodesDataModule: the run doesn't know the class{'es' if len(unknown) > 1 else ''} "
            f"{', '.join(map(repr, unknown[:8]))} of {int((there < 0).sum())} samples; it knows "
            f"{', '.join(map(repr, known[:8]))}{f' and {len(known) - 8} more' if len(known) > 8 else ''}"
        )
    return there


def read_labels(y: Any) -> Any:
    """An array as it is, or that of a file of numpy: ``y`` of several.

    Raises:
        ValueError: If it is another file, or a damaged one.
        FileNotFoundError: If there is none.
    """
    if not isinstance(y, str | Path):
        return y
    if Path(y).suffix not in (".npy", ".npz"):
        raise ValueError(f"NodesDataModule: y must be an array or a .npy or .npz file, got {y}; or give target=")
    if not Path(y).exists():
        raise FileNotFoundError(f"NodesDataModule: {y} does not exist")
    try:
        found = np.load(y, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            key = "y" if "y" in found.files else found.files[0]
            return found[key]
    except Exception as error:  # numpy and zipfile raise what they like on a damaged file
        raise ValueError(f"NodesDataModule: y: {y} is not a readable file of numpy ({error})") from error


def _word(value: Any) -> str:
    """What a class is called; nothing where a value is missing."""
    word = value.decode() if isinstance(value, bytes) else str(value)
    missing = value is None or str(value) == "<NA>" or word.strip().lower() in _NO_CLASS
    return "" if missing else word.strip()

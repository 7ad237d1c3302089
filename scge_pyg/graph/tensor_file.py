"""Safetensors files with a format name and a JSON header: no pickle, and whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

__all__ = ["read_tensors", "write_tensors"]


def write_tensors(path: str | os.PathLike[str], kind: str, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a header under a temporary name, then rename.

    Args:
        path: The file.
        kind: Format name, checked on reading.
        tensors: Tensors by name, on any device.
        header: Anything that JSON holds.

    Raises:
        FileNotFoundError: If the folder of the file does not exist.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"save: the folder {target.parent} does not exist; make it first with pathlib.Path({str(target.parent)!r})"
            ".mkdir(parents=True)"
        )
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
    stored = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    try:
        temporary.write_bytes(save(stored, {"format": kind, "header": json.dumps(header)}))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def read_tensors(
    path: str | os.PathLike[str], kind: str, what: str = "a graph written by SharedGraph.save"
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header that :func:`write_tensors` wrote; ``ValueError`` for a corrupt or foreign file."""
    content = Path(path).read_bytes()  # safetensors' reader of files (0.8.0) keeps some bytes of each tensor for good
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__") or {}
    except Exception as error:  # of safetensors, and of torch on types that it doesn't know
        raise ValueError(f"load: {path} is not a readable safetensors file ({error})") from error
    if metadata.get("format") != kind:
        raise ValueError(f"load: {path} is a safetensors file, but not {what}")
    try:
        return tensors, json.loads(metadata["header"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"load: {path} holds a damaged graph ({error})") from error

"""`export`: a network as a file that runs without this package, and how far its numbers are from ours."""

from __future__ import annotations

import io
import logging
import os
import uuid
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scge_pyg.importing import import_extra
from scge_pyg.nn import lower_to_conv
from scge_pyg.train.building import DataSizes

__all__ = ["example_inputs", "export"]

_SAMPLES = 3


def example_inputs(network: torch.nn.Module, sizes: DataSizes, samples: int = _SAMPLES) -> tuple[Tensor, ...]:
    """Random samples as the network takes them: ``[B, N, C]``, windows ``[B, N, W]``, with ``time [B]`` for a clock.

    Example:
        >>> [part.shape for part in example_inputs(torch.nn.Identity(), DataSizes(9, 2))]
        [torch.Size([3, 9, 2])]
    """
    generator = torch.Generator().manual_seed(0)
    channels = sizes.in_channels if sizes.window is None else sizes.window
    x = torch.randn(samples, sizes.num_nodes, channels, generator=generator)
    return (x,) if getattr(network, "period", None) is None else (x, torch.arange(samples))


def export(network: torch.nn.Module, sizes: DataSizes, path: str | os.PathLike[str], *, lowered: bool = True) -> float:
    """Write a network as ``.pt2`` (:func:`torch.export.save`) or ``.onnx``, for batches of any size, and compare.

    Args:
        network: The network, in evaluation mode.
        sizes: Of the data that it takes.
        path: Where to write; the suffix says which.
        lowered: Make convolutions of the layers on a lattice first; what can't be lowered stays as it is.

    Returns:
        Largest difference between the file's answers and the network's, over random samples of another batch size,
        relative to the largest answer.

    Raises:
        ValueError: If the suffix is neither.
        ImportError: If onnx is asked for without the extra ``export``.
    """
    target = Path(path)
    if target.suffix not in (".pt2", ".onnx"):
        raise ValueError(f"export: path must end in .pt2 or .onnx, got {target}")
    given = example_inputs(network, sizes)
    other = example_inputs(network, sizes, 2 * _SAMPLES + 1)
    written = lower_to_conv(network) if lowered else network
    batch = tuple({0: torch.export.Dim("batch", min=1)} for _ in given)
    partial = target.with_name(f".{target.stem}.{uuid.uuid4().hex}{target.suffix}")
    try:
        if target.suffix == ".pt2":
            program = _traced(written, given, batch)
            store = io.BytesIO()  # where torch writes to a full disk, it ends the process
            torch.export.save(program, store)
            partial.write_bytes(store.getvalue())
            answer = torch.export.load(partial).module()(*other)
        else:
            answer = _through_onnx(written, given, other, batch, partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    with torch.no_grad():
        truth = network(*other)
        return float((answer - truth).abs().max() / truth.abs().max().clamp_min(1e-12))


def _traced(
    network: torch.nn.Module, given: tuple[Tensor, ...], batch: tuple[dict[int, Any], ...]
) -> torch.export.ExportedProgram:
    """The program of a network for batches of any size."""
    try:
        return torch.export.export(network, given, dynamic_shapes=batch)
    except Exception as error:  # torch raises what its tracers raise
        raise ValueError(
            f"export: {type(network).__name__} can't be traced for batches of any size "
            f"({type(error).__name__}: {str(error).splitlines()[0]}); layers on a lattice can with lowered=True"
        ) from error


def _through_onnx(
    network: torch.nn.Module,
    given: tuple[Tensor, ...],
    other: tuple[Tensor, ...],
    batch: tuple[dict[int, Any], ...],
    path: Path,
) -> Tensor:
    """Answers of the file to ``other``."""
    for module in ("onnx", "onnxscript"):
        import_extra(module, "export", "export to ONNX")
    runtime = import_extra("onnxruntime", "export", "comparing the numbers of an ONNX file")
    traced = _traced(network, given, batch)
    for noisy in ("torch.onnx._internal.exporter._registration", "onnxscript.optimizer._constant_folding"):
        logging.getLogger(noisy).setLevel(logging.ERROR)  # torchvision's operators, what was not folded
    program = torch.onnx.export(traced, given, dynamo=True, verbose=False)
    assert program is not None
    program.save(path)
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors: what is left over of the conversion harms nobody
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    found = session.run(None, {name: value.numpy() for name, value in zip(names, other, strict=True)})
    return torch.from_numpy(found[0])

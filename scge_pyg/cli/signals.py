"""Measurements in the files of other fields: whatever :func:`scge_pyg.io.read` knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from scge_pyg.io import read
from scge_pyg.tables.columns import Pick, choose
from scge_pyg.tables.measurements import Measurements, Table, rows_per_block, to_tensor
from scge_pyg.usage import UsageError

__all__ = ["read_signals"]


def read_signals(path: Path, options: Mapping[str, Any], pick: Pick) -> Measurements:
    """Open a file of another field; nodes that it marks as bad are missing throughout.

    Args:
        path: The file.
        options: What its format takes beside.
        pick: Which nodes to take.

    Raises:
        UsageError: If the file or an option doesn't fit, or a library is missing.
    """
    try:
        signals = read(path, **options)
    except (ValueError, TypeError, FileNotFoundError, ImportError) as error:
        raise UsageError(str(error).removeprefix("read: ")) from error
    if signals.kind != "samples":
        raise UsageError(f"{path} holds {signals.kind} and no samples; use --{signals.kind} {path}")
    width, channels = signals.num_nodes, 1 if len(signals.samples.shape) == 2 else signals.samples.shape[2]
    chosen = choose(signals.names, width, [], pick, path)
    places = slice(None) if chosen.kept == tuple(range(width)) else np.array(chosen.kept)
    step = rows_per_block(width * channels)

    def blocks() -> Iterator[Tensor]:
        for start in range(0, signals.num_samples, step):
            block = to_tensor(signals.rows(start, min(start + step, signals.num_samples))[:, places])
            yield block.reshape(block.shape[0], -1, channels)

    return Measurements(
        blocks,
        len(chosen.kept),
        channels,
        num_samples=signals.num_samples,
        names=chosen.names,
        table=Table(left_out=chosen.left_out, names=signals.names, told=signals.notes),
    )

"""`Signals`: what a file or an object of the field holds, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scge_pyg.io.layouts.layout import Layout

__all__ = ["Rows", "Signals"]

KINDS = ("samples", "counts", "affinity")


class Rows(Protocol):
    """An array, or what is read like one in blocks of rows: a memory map, a data set of HDF5, a recording."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of its axes."""

    def __getitem__(self, rows: slice, /) -> Any:
        """The values of some rows."""


@dataclass(frozen=True, eq=False)
class Signals:
    """Samples over named nodes.

    Attributes:
        samples: Values ``[S, N]`` or ``[S, N, C]``, in memory or read when they are needed. For the other two kinds, a
            dense or sparse matrix.
        names: One name a node, all different; None where the source has none.
        rate: Samples a second, where that is known.
        dead: Nodes ``[N]`` bool that the source marks as bad or that hold no value at all. Default: none.
        unit: Unit of the values, where the source says it for all nodes alike.
        kind: ``"samples"``, ``"counts"`` (nodes by partners) or ``"affinity"`` (nodes by nodes).
        partners: Names of the columns of counts, where they have some.
        layout: Places that the source claims for its nodes.
        notes: What was left out or changed on the way, a sentence each.

    Raises:
        ValueError: If sizes disagree, or names repeat.

    Example:
        >>> signals = Signals(np.arange(6.0).reshape(3, 2), ("a", "b"), rate=50.0, dead=np.array([False, True]))
        >>> signals
        Signals(samples=[3, 2], rate=50.0, dead=1)
        >>> signals.rows(1, 3).tolist()
        [[2.0, nan], [4.0, nan]]
    """

    samples: Any
    names: tuple[str, ...] | None = None
    rate: float | None = None
    dead: NDArray[np.bool_] | None = None
    unit: str | None = None
    kind: str = "samples"
    partners: tuple[str, ...] | None = None
    layout: Layout | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(self.samples.shape)
        if self.kind not in KINDS:
            raise ValueError(f"Signals: kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if len(shape) not in ((2, 3) if self.kind == "samples" else (2,)):
            raise ValueError(f"Signals: samples must be [S, N] or [S, N, C], got {list(shape)}")
        object.__setattr__(self, "dead", self._checked_dead())
        object.__setattr__(self, "names", self._checked_names())
        if self.rate is not None and not (np.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"Signals: rate must be a number of samples a second above 0, got {self.rate!r}")

    def _checked_dead(self) -> NDArray[np.bool_]:
        dead = np.zeros(self.num_nodes, bool) if self.dead is None else np.asarray(self.dead, bool)
        if dead.shape != (self.num_nodes,):
            raise ValueError(f"Signals: dead must be [{self.num_nodes}], one entry a node, got {list(dead.shape)}")
        return dead

    def _checked_names(self) -> tuple[str, ...] | None:
        if self.names is None:
            return None
        names = tuple(map(str, self.names))
        if len(names) != self.num_nodes:
            raise ValueError(f"Signals: names must be {self.num_nodes}, one a node, got {len(names)}")
        if len(set(names)) < len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise ValueError(
                f"Signals: names must differ, {twice!r} came {names.count(twice)} times; rename the nodes in the source"
            )
        return names

    @property
    def num_nodes(self) -> int:
        """Number of nodes N."""
        return int(self.samples.shape[1 if self.kind == "samples" else 0])

    @property
    def num_samples(self) -> int:
        """Number of samples S; of a matrix, of its columns."""
        return int(self.samples.shape[0 if self.kind == "samples" else 1])

    def rows(self, first: int, last: int) -> NDArray[Any]:
        """Samples ``first`` to ``last - 1``, NaN at dead nodes."""
        if self.kind != "samples":
            raise ValueError(
                f"Signals: these are {self.kind} and no samples; pass them as discover({self.kind}=signals)"
            )
        values = np.asanyarray(self.samples[first:last])
        assert self.dead is not None
        if self.dead.any():
            values = np.array(values, dtype=np.result_type(values.dtype, np.float32))
            values[:, self.dead] = np.nan
        return values

    @property
    def matrix(self) -> Any:
        """Counts or affinities, with nothing in the rows, and for affinities the columns, of dead nodes."""
        if self.kind == "samples":
            raise ValueError("Signals: these are samples and no matrix; pass them as discover(signals)")
        assert self.dead is not None
        if not self.dead.any():
            return self.samples
        import scipy.sparse as sp

        kept = sp.diags((~self.dead).astype(float))
        rest = kept @ sp.csr_matrix(self.samples)
        return sp.csr_matrix(rest @ kept if self.kind == "affinity" else rest)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.rows(0, self.num_samples), dtype)

    def __repr__(self) -> str:
        assert self.dead is not None
        said = [f"{self.kind}={list(self.samples.shape)}"]
        said += [f"{name}={getattr(self, name)!r}" for name in ("rate", "unit") if getattr(self, name) is not None]
        said += [f"dead={int(self.dead.sum())}"] if self.dead.any() else []
        return f"Signals({', '.join(said)})"


def listed(names: Sequence[str], shown: int = 8) -> str:
    """Some of many names, for a message."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")

"""Prototypes that each variant of the note's sketch learns, a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from cgae_note_sketch import FAULTS, PARTS, PROTOTYPES, Run, sample
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

__all__ = ["picture"]

_ALL = frozenset(FAULTS)
_ROWS = {
    "all faults": Run(_ALL),
    "all but mean over pixels": Run(_ALL - {"pixels"}),
    "only: a random number each": Run(frozenset({"draw"})),
    "only: negative image": Run(frozenset({"sign"})),
    "only: first code put back": Run(frozenset({"first"})),
    "only: mean over pixels": Run(frozenset({"pixels"})),
    "only: own part not put back": Run(frozenset({"own"})),
    "only: softmax over the batch": Run(frozenset({"weights"})),
    "no fault": Run(),
    "all 720 codes enumerated": Run(enumerated=True),
    "CGAE.fit": Run(),
}
_SHOWN = 5  # test images
_COLOURS = plt.get_cmap("RdBu_r", 31)


def picture(mean: Tensor, test: Tensor, learned: Callable[[str, Run, int], tuple[Tensor, Run]]) -> Figure:
    """Ten prototypes of seed 0 in each row and, right of them, reconstructions of five test images by its own codes.

    Args:
        mean: The mean image ``[N]``.
        test: Test images ``[S, N]``.
        learned: Prototypes and the run to sample with, from name, run and seed.
    """
    side = round(len(mean) ** 0.5)
    figure, axes = plt.subplots(len(_ROWS) + 1, PROTOTYPES + _SHOWN, figsize=(11.5, 9.2), layout="constrained")
    blank = [mean / PARTS] + [torch.full_like(mean, torch.nan)] * (PROTOTYPES - 1)
    _row(axes[0], "a third of the mean image; images", torch.stack([*blank, *test[:_SHOWN]]).view(-1, side, side))
    for line, (name, run) in zip(axes[1:], _ROWS.items(), strict=True):
        w, used = learned(name, run, 0)
        codes = sample(test[:_SHOWN], w, used, torch.Generator().manual_seed(0))
        _row(line, name, torch.cat([w, w[codes.kind].sum(1)]).view(-1, side, side))
    return figure


def _row(axes: Sequence[Axes], name: str, images: Tensor) -> None:
    for number, (axis, image) in enumerate(zip(axes, images, strict=True)):
        scale = 1.0 if number >= PROTOTYPES else 0.7
        axis.imshow(image, cmap=_COLOURS, vmin=-scale, vmax=scale)
        axis.set_axis_off()
    axes[0].text(-0.15, 0.5, name, transform=axes[0].transAxes, ha="right", va="center", fontsize=9)

"""The answer of `check_layout`: what fits, what doesn't, and where it would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from scge_pyg.discovery.layouts.words import Names, listed, sentence

__all__ = ["ALPHA", "Finding", "LayoutCheck"]

ALPHA = 0.02
"""Share of right layouts in which some channel may be suspect."""


class Finding(NamedTuple):
    """A difference between the claimed layout and the one that fits.

    Attributes:
        kind: ``"exchanged"``, ``"turned"``, ``"shifted"``, ``"mirrored"``, ``"doubled"`` or ``"unrelated"``.
        channels: Channels that it names; of doubled ones, the one at the wrong place first.
        p_value: How often a right layout shows as much in any channel.
        gain: What the change adds to the prediction of signals, in nats a sample.
        by: 1 or -1: channels of a shifted run belong to the next or the previous place.
        axis: Along which axis of the positions a half is mirrored.
    """

    kind: str
    channels: tuple[int, ...]
    p_value: float
    gain: float
    by: int = 0
    axis: int | None = None


@dataclass(frozen=True, eq=False)
class LayoutCheck:
    """Whether channels are where a layout says.

    Attributes:
        ok: Whether no channel is suspect.
        suspicion: ``[N]`` in 0..1, above 0.5 where a channel is suspect; 0.5 where it isn't judged.
        p_value: ``[N]``: how often some channel of a right layout gains as much elsewhere; NaN where not judged.
        best_place: ``[N]`` int64: the channel at whose claimed place each one fits best; -1 where not judged.
        findings: What is wrong, most certain first.
        gain: Held-out gain at the claimed place ``[N]``, nats a sample.
        other_place: The best other place of each channel ``[N]``, -1 where not judged.
        other_gain: Held-out gain there.
        inverted: Channels that run against those around them; the layout may be right all the same.
        dead: Channels without a signal.
        unplaced: Channels without a place.
        names: Names of the channels, where they have some.
    """

    ok: bool
    suspicion: Tensor
    p_value: Tensor
    best_place: Tensor
    findings: tuple[Finding, ...]
    gain: Tensor
    other_place: Tensor
    other_gain: Tensor
    inverted: tuple[int, ...] = ()
    dead: tuple[int, ...] = ()
    unplaced: tuple[int, ...] = ()
    names: tuple[str, ...] | None = None

    @property
    def num_channels(self) -> int:
        """Number of channels N."""
        return len(self.suspicion)

    @property
    def suspects(self) -> tuple[int, ...]:
        """Channels above 0.5."""
        return tuple((self.suspicion > 0.5).nonzero().squeeze(1).tolist())

    def describe(self) -> str:
        """What was found, in words; one line a finding.

        Example:
            >>> import torch
            >>> from scge_pyg import check_layout
            >>> walk = torch.randn(1000, 24, generator=torch.Generator().manual_seed(0)).cumsum(1)
            >>> print(check_layout(walk, torch.arange(24.0)[:, None]).describe())
            all channels fit.
            A layout that is mirrored or turned as a whole gives the same recordings and can't be told from them.
        """
        names = Names(self.names)
        told = [sentence(finding, names) for finding in self.findings]
        judged = int((self.best_place >= 0).sum())
        if any(finding.kind == "unrelated" for finding in self.findings):
            rest = ""
        elif not told:
            rest = (
                "all channels fit"
                if judged in (0, self.num_channels)
                else f"all {judged} channels that were judged fit"
            )
        else:
            rest = "all others fit" if judged > len(self.suspects) else ""
        lines = ["; ".join(filter(None, [*told, rest])) + "."]
        if self.inverted:
            lines.append(f"inverted against the channels around: {listed(self.inverted, names)}.")
        if self.dead:
            lines.append(f"without a signal, not judged: {listed(self.dead, names)}.")
        if self.unplaced:
            lines.append(f"without a place, not judged: {listed(self.unplaced, names)}.")
        lines.append(
            "A layout that is mirrored or turned as a whole gives the same recordings and can't be told from them."
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        said = self.describe().splitlines()[0]
        return f"LayoutCheck(ok={self.ok}, channels={self.num_channels}, suspects={len(self.suspects)}: {said})"

"""Findings of a layout in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scge_pyg.discovery.layouts.layout_check import Finding

__all__ = ["Names", "listed", "sentence"]

_MOST = 12
_AXES = "first", "second", "third"


class Names:
    """Names of channels, or their numbers from 0."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self.names = names

    def __getitem__(self, channel: int) -> str:
        return str(channel) if self.names is None else self.names[channel]


def listed(channels: Sequence[int], names: Names) -> str:
    """Names with commas and an "and".

    Example:
        >>> listed([3, 5, 8], Names(None))
        '3, 5 and 8'
    """
    shown = [names[channel] for channel in channels[:_MOST]]
    if len(channels) > _MOST:
        return ", ".join(shown) + f" and {len(channels) - _MOST} more"
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" and {shown[-1]}"


def sentence(finding: Finding, names: Names) -> str:
    """One finding, with its p-value."""
    own = finding.channels
    run = f"channels {names[own[0]]} to {names[own[-1]]}"
    chance = f"(p = {finding.p_value:.2g})"
    match finding.kind:
        case "exchanged" if len(own) == 2:
            return f"channels {names[own[0]]} and {names[own[1]]} are swapped {chance}"
        case "exchanged":
            return f"channels {listed(own, names)} have changed places {chance}"
        case "turned":
            return f"{run} are plugged in the other way round {chance}"
        case "shifted":
            place = "next" if finding.by > 0 else "previous"
            return f"{run} are shifted by one pin, each belongs to the {place} place {chance}"
        case "mirrored":
            axis = _AXES[finding.axis or 0]
            return f"one half, {listed(own, names)}, is mirrored along the {axis} axis against the other {chance}"
        case "doubled":
            return f"channel {names[own[0]]} carries the signal of channel {names[own[1]]}"
    return (
        f"the coupling of the channels doesn't fall with the claimed distances {chance}: the layout is wrong as a "
        f"whole, or the recording has no geometry; see what discover(x) finds"
    )

"""`Layout`: which channel is claimed to be where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layout"]

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Layout:
    """Claimed places of channels, as a file states them.

    Attributes:
        names: One name a channel, all different.
        positions: Places ``[N, 2]`` or ``[N, 3]`` float64; NaN where the file leaves one out.
        unit: ``"m"``, ``"cm"``, ``"mm"`` or ``"um"``; None where the file doesn't say, or is on a sphere of radius 1.
        group: The shank, probe or block of each channel, where there are several.
        channel: Column of the recording that each contact is wired to, ``[N]`` int64 (-1: none), where the file says.
        landmarks: Further points of the same frame that are no channels: ``"nasion"``, ``"lpa"``, ``"rpa"`` or others.

    Raises:
        ValueError: If sizes disagree, names repeat or a place is infinite.

    Example:
        >>> layout = Layout(("a", "b"), np.array([[0.0, 0.0], [0.0, 20.0]]), "um")
        >>> layout.places_of(["b", "a"]).tolist()
        [[0.0, 20.0], [0.0, 0.0]]
    """

    names: tuple[str, ...]
    positions: NDArray[np.float64]
    unit: str | None = None
    group: tuple[str, ...] | None = None
    channel: NDArray[np.int64] | None = None
    landmarks: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names, places = tuple(map(str, self.names)), np.asarray(self.positions, np.float64)
        if places.ndim != 2 or places.shape[1] not in (2, 3) or len(names) != len(places) or not len(names):
            raise ValueError(
                f"Layout: positions must be [N, 2] or [N, 3], one row for each of the {len(names)} names, got "
                f"{list(places.shape)}"
            )
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise ValueError(f"Layout: names must differ, {twice[0]!r} came {names.count(twice[0])} times")
        infinite = np.flatnonzero(np.isinf(places).any(1))
        if len(infinite):
            raise ValueError(f"Layout: positions must be finite or NaN, that of {names[infinite[0]]!r} is infinite")
        for what, given in (("group", self.group), ("channel", self.channel)):
            if given is not None and len(given) != len(names):
                raise ValueError(f"Layout: {what} must be [{len(names)}], one entry a channel, got {len(given)}")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "positions", places)

    @property
    def num_channels(self) -> int:
        """Number of channels N."""
        return len(self.names)

    def places_of(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Places ``[M, d]`` of the named channels, in their order; NaN for those that the layout leaves out.

        Names are compared as they are, and where less than half agree, without regard to case, blanks and full stops,
        which amplifiers add (``"Fp1."`` for ``"FP1"``).

        Raises:
            ValueError: If the layout knows none of them.
        """
        row = {name: place for place, name in enumerate(self.names)}
        found = [row.get(str(name)) for name in names]
        if sum(place is not None for place in found) * 2 < len(found):
            loose = {_plain(name): place for place, name in enumerate(self.names)}
            if len(loose) == len(self.names):
                found = [loose.get(_plain(str(name))) for name in names]
        if all(place is None for place in found):
            raise ValueError(
                f"Layout: the layout names other channels ({_some(self.names)}) than the data ({_some(names)}); "
                f"rename one of them, or give positions as an array in the order of the data"
            )
        places = np.full((len(found), self.positions.shape[1]), np.nan)
        known = [k for k, place in enumerate(found) if place is not None]
        places[known] = self.positions[[place for place in found if place is not None]]
        return places

    def __repr__(self) -> str:
        dim, unit = self.positions.shape[1], "" if self.unit is None else f", unit={self.unit!r}"
        groups = "" if self.group is None else f", groups={len(set(self.group))}"
        return f"Layout(channels={self.num_channels}, dim={dim}{unit}{groups})"


def _plain(name: str) -> str:
    return "".join(name.split()).strip(".").lower()


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")

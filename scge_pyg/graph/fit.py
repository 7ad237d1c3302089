"""What a geometry was judged by: how well its map predicts samples that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from torch import Tensor

__all__ = ["Fit"]

_VERDICTS = ("geometry", "no geometry", "undecided")
_VAGUE = 1.0  # error from which on a ratio could as well be 0 as 1


@dataclass(frozen=True, eq=False)
class Fit:
    r"""Held-out gain of a map beside that of the best partners which no map restricts.

    Gains are in nats a node: how much better the nearest nodes predict a node than its own distribution does. Those of
    counts and similarities are in nats a count or pair: how much better places predict it than margins do. The ratio

    .. math::
        \frac{\text{gain} - \text{chance}}{\text{ceiling} - \text{chance}}

    is 1 where the map loses nothing and 0 where it is worth no more than partners drawn at random. It says something
    only where the best partners predict better than random ones by more than its error: see ``ratio_known``.

    Args:
        coupling: The coupling that was chosen.
        gain: Gain of the map.
        ceiling: Gain of the best partners without a map.
        chance: Gain of partners drawn at random.
        ratio: The ratio above.
        error: Standard error of the ratio over blocks of samples.
        verdict: ``"geometry"``, ``"no geometry"`` or ``"undecided"``.
        columns: Columns of the map.
        gain_by_columns: Gains of maps of one column, of two, and so on.
        node_gain: Gain of each node ``[N]``, NaN where it was not judged.
        num_samples: Samples that were used.
        effective_samples: Independent samples that they are worth.
        seconds: Time of each stage.
        factors: Factors without any geometry that explain as much as the map, which is refused for that; else 0.

    Raises:
        ValueError: If the verdict is none of the three.

    Example:
        >>> import torch
        >>> Fit("correlation", 1.5, 1.53, 0.03, 0.98, 0.01, "geometry", 2, (0.9, 1.5), torch.ones(4), 900, 700.0, {})
        Fit('correlation': map 1.500 of 1.530 nats a node, ratio 0.980 +- 0.010, verdict 'geometry')
    """

    coupling: str
    gain: float
    ceiling: float
    chance: float
    ratio: float
    error: float
    verdict: str
    columns: int
    gain_by_columns: tuple[float, ...]
    node_gain: Tensor
    num_samples: int
    effective_samples: float
    seconds: dict[str, float]
    factors: int = 0

    def __post_init__(self) -> None:
        if self.verdict not in _VERDICTS:
            raise ValueError(f"Fit: verdict must be one of {', '.join(map(repr, _VERDICTS))}, got {self.verdict!r}")

    @property
    def ratio_known(self) -> bool:
        """Whether the best partners predict so much better than random ones that the error of the ratio is below 1."""
        told = isfinite(self.ratio) and (self.ratio, self.error) != (0.0, 0.0)
        return told and self.ceiling > self.chance and not self.error >= _VAGUE

    @property
    def unit(self) -> str:
        """What a gain is of, ``"node"`` of samples, ``"count"`` of counts and contacts, ``"pair"`` of similarities."""
        kind = self.coupling.split(",")[0]
        return {"counts": "count", "contacts": "count", "similarities": "pair"}.get(kind, "node")

    def __repr__(self) -> str:
        ratio = f"ratio {self.ratio:.3f} +- {self.error:.3f}"
        if not self.ratio_known:
            ratio = f"ratio not defined beside {self.chance:.3f} by chance"
        return (
            f"{type(self).__name__}({self.coupling!r}: map {self.gain:.3f} of {self.ceiling:.3f} nats a {self.unit}, "
            f"{ratio}, verdict {self.verdict!r})"
        )

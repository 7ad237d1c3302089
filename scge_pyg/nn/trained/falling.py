"""When has an error stopped falling? So long as nobody says how many steps there are, it has to say itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Falling"]

_SMOOTH = 0.02  # share of the latest error in the mean that is watched
_FALLEN = 0.9  # of the least error so far: what counts as falling
_PATIENCE = 0.33  # share of the steps so far in which the error must have fallen
_FEWEST = 200
_CLOSE = 0.2  # spacings: the error of places that only the rate keeps from their own


@dataclass
class Falling:
    """Watches an error, in node spacings, until it is below a fifth of one or has not fallen for a third of all steps.

    Attributes:
        ended: Steps until then; 0 as long as the error falls.
        level: Running mean of the error.
        least: Its least value.
        least_at: When that was.

    Example:
        >>> falling = Falling()
        >>> for step in range(1, 402):
        ...     falling.watch(1.0, step)
        >>> falling.ended  # not fallen since the first step
        201
    """

    ended: int = 0
    level: float = math.inf
    least: float = math.inf
    least_at: int = 0

    def watch(self, error: float, step: int) -> None:
        """Take in the error of a step."""
        if self.ended or not math.isfinite(error):
            return
        self.level = error if math.isinf(self.level) else self.level + _SMOOTH * (error - self.level)
        if self.level < _CLOSE:
            self.ended = step
        elif self.level < _FALLEN * self.least:
            self.least, self.least_at = self.level, step
        elif step - self.least_at >= max(_FEWEST, _PATIENCE * step):
            self.ended = step

    def state(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)

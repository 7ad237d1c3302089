"""Seconds of the stages of a discovery."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """Seconds of each stage, since the one before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

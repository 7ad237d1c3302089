"""Progress bars of the long loops of a discovery, with the time to go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tqdm.auto import tqdm

__all__ = ["showing", "tracked"]

Step = TypeVar("Step")

_AFTER = 1.0  # seconds that a loop must take to get a bar
_hidden: ContextVar[bool | None] = ContextVar("hidden", default=True)


@contextmanager
def showing(hidden: bool | None) -> Iterator[None]:
    """Within it, long loops show a bar each, unless ``hidden``; ``None`` shows bars on terminals only."""
    token = _hidden.set(hidden)
    try:
        yield
    finally:
        _hidden.reset(token)


def tracked(steps: Sequence[Step], stage: str) -> Iterator[Step]:
    """The steps of a loop; after a second a bar says how many are done and how long the others will take.

    Example:
        >>> [step * 2 for step in tracked([1, 2], "doubling")]
        [2, 4]
    """
    bar: tqdm[Step] = tqdm(steps, f"discover: {stage}", leave=False, disable=_hidden.get(), delay=_AFTER)
    yield from bar

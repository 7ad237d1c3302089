"""What to say when a name is unknown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """The nearest known name as a question, or all of them where none is near.

    Example:
        >>> nearest("NodesMLP", ["NodeMLP", "GridCNN"])
        "did you mean 'NodeMLP'?"
        >>> nearest("x", ["NodeMLP", "GridCNN"])
        'known are GridCNN, NodeMLP'
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"

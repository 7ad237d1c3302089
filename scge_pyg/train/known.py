"""What a run knows of the data that it was trained on, so that every later file is read as the first was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from scge_pyg.train.labels import numbered_as
from scge_pyg.train.sources import Source

__all__ = ["KNOWN", "Known", "as_known", "in_order"]

KNOWN = "known"


@dataclass(frozen=True)
class Known:
    """Nodes, classes and units of the samples that a run was trained on.

    Args:
        nodes: Number of nodes N.
        names: One name a node, if they had names.
        classes: Words of the classes by their numbers.
        scale: Mean and deviation ``[C]`` that were taken out.
        mean: Mean of each node ``[N, C]``, which stands where values are missing.
    """

    nodes: int
    names: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    scale: tuple[Tensor, Tensor] | None = None
    mean: Tensor | None = None

    def state(self) -> dict[str, Any]:
        """Plain values and tensors.

        Example:
            >>> Known.of(Known(2, ("a", "b")).state())
            Known(nodes=2, names=('a', 'b'), classes=None, scale=None, mean=None)
        """
        lists = {name: None if words is None else list(words) for name, words in self._words().items()}
        return {**vars(self), **lists}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Known:
        """That of :meth:`state`."""
        words = {name: None if state[name] is None else tuple(state[name]) for name in ("names", "classes")}
        return cls(**{**state, **words})

    @classmethod
    def in_checkpoint(cls, checkpoint: Mapping[str, Any], kinds: Sequence[str] = ("NodesDataModule",)) -> Known | None:
        """What a checkpoint says under the name of the first of these data modules that it has, or None."""
        states = [checkpoint[kind] for kind in kinds if kind in checkpoint]
        return cls.of(states[0][KNOWN]) if states and KNOWN in states[0] else None

    def same(self, other: Known | None) -> bool:
        """Whether data are read the same by both."""
        if other is None or self.nodes != other.nodes or self._words() != other._words():
            return False
        left, right = ([*(one.scale or ()), *([] if one.mean is None else [one.mean])] for one in (self, other))
        return len(left) == len(right) and all(map(torch.equal, left, right))

    def _words(self) -> dict[str, tuple[str, ...] | None]:
        return {"names": self.names, "classes": self.classes}


def as_known(source: Source, known: Known) -> Source:
    """Nodes in the order and classes with the numbers that a run knows.

    Raises:
        ValueError: If nodes or classes are others.
    """
    source = in_order(source, known.names, known.nodes)
    if known.classes is None or source.y is None:
        return source
    classes = known.classes
    test = source.test
    if test is not None and test.y is not None:
        test = replace(test, y=numbered_as(classes, test.y, test.classes or ()), classes=classes)
    return replace(source, y=numbered_as(classes, source.y, source.classes or ()), classes=classes, test=test)


def in_order(source: Source, names: Sequence[str] | None, count: int, whose: str = "the run") -> Source:
    """Nodes in the order of these names, where both have names.

    Raises:
        ValueError: If there are others; the message says which.

    Example:
        >>> source = Source(torch.tensor([[[1.0], [2.0]]]), names=("a", "b"))
        >>> in_order(source, ("b", "a"), 2).x.flatten().tolist()
        [2.0, 1.0]
    """
    here = source.x.shape[1]
    if names is None or source.names is None or tuple(names) == source.names:
        if here != count:
            raise ValueError(f"NodesDataModule: {whose} has {count} nodes, x has {here}")
        return source
    lacking, foreign = (
        [n for n in one if n not in set(two)] for one, two in ((names, source.names), (source.names, names))
    )
    if lacking or foreign or here != count or len(set(names)) < count:
        parts = [f"{whose} has {count} nodes, x has {here}"] if here != count else [f"x has other nodes than {whose}"]
        parts += [f"x lacks {_shown(lacking)}"] if lacking else []
        parts += [f"{whose} doesn't know {_shown(foreign)} of x"] if foreign else []
        raise ValueError(f"NodesDataModule: {'; '.join(parts)}")
    place = {name: number for number, name in enumerate(source.names)}
    order = [place[name] for name in names]
    test = None if source.test is None else replace(source.test, x=source.test.x[:, order], names=tuple(names))
    return replace(source, x=source.x[:, order], names=tuple(names), test=test)


def _shown(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

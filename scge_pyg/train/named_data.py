"""Data sets of the package by the name of their class."""

from __future__ import annotations

from typing import cast

from scge_pyg import datasets
from scge_pyg.datasets import NodeDataset
from scge_pyg.train.naming import nearest
from scge_pyg.train.sources import Source

__all__ = ["named_source"]


def named_source(name: str, root: str, series: bool) -> Source:
    """Samples and classes of a data set; images come with test samples of their own.

    Args:
        name: Class of :mod:`scge_pyg.datasets`.
        root: Folder for raw and processed files.
        series: Whether samples are wanted as the steps of one series.

    Raises:
        ValueError: If there is no such data set, or its samples are no series.

    Example:
        >>> named_source("DigitsNodes", "data", series=False).x.shape
        torch.Size([1797, 64, 1])
    """
    found = getattr(datasets, name, None)
    known = [key for key in datasets.__all__ if key.endswith("Nodes")]
    if name not in known or not isinstance(found, type):
        raise ValueError(f"NodesDataModule: there is no dataset {name!r}; {nearest(name, known)}")
    recorded = issubclass(found, datasets.RecordedNodes)
    if series and not recorded:
        raise ValueError(
            f"NodesDataModule: samples of {name} are no steps of one series, which task='forecasting' needs; there are "
            f"{', '.join(key for key in known if _recorded(key))}"
        )
    if recorded:
        steps = cast(NodeDataset, found(root))
        return Source(steps.x, None, None, steps.names)
    if not issubclass(found, datasets.RawNodeDataset):
        data = cast(NodeDataset, found())
        return Source(data.x, data.y, _classes(data), data.names)
    data, test = found(root, train=True), found(root, train=False)
    classes = _classes(data)
    return Source(data.x, data.y, classes, data.names, Source(test.x, test.y, classes, test.names))


def _classes(data: NodeDataset) -> tuple[str, ...]:
    return tuple(str(number) for number in range(data.num_classes))


def _recorded(name: str) -> bool:
    return issubclass(getattr(datasets, name), datasets.RecordedNodes)

"""What Lightning says at every start and no user can act on."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

_KNOWN = (
    r".*isinstance\(treespec, LeafSpec\).* is deprecated",  # Lightning 2.6 on torch 2.13
    r".*does not have many workers",  # samples are in memory, a batch is one gather
    r"The number of training batches .* is smaller than the logging interval",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Without tips, lists of devices, and warnings about loaders that hold tensors."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for text in _KNOWN:
                warnings.filterwarnings("ignore", message=text)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""What a run is made of, and what it is to run on, refused in words of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lightning.fabric.utilities.exceptions import MisconfigurationException

from scge_pyg.train.node_module import NodeModule
from scge_pyg.train.nodes_data import NodesDataModule

__all__ = ["check_parts", "said_of"]


def check_parts(module: object, data: object, callbacks: object) -> None:
    """Refuse what isn't a module, a data module and a list of callbacks.

    Raises:
        TypeError: The message says which.
    """
    for name, part, kind in (("module", module, NodeModule), ("data", data, NodesDataModule)):
        if not isinstance(part, kind):
            raise TypeError(
                f"Run: {name} must be a {kind.__name__}, got {type(part).__name__}; give module, data and "
                f"callbacks in this order"
            )
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"Run: callbacks must be a list, got {type(callbacks).__name__}; give [{callbacks!r}]")


@contextmanager
def said_of(accelerator: str, devices: int, strategy: str) -> Iterator[None]:
    """A machine that isn't there is an error of the arguments."""
    try:
        yield
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise ValueError(
            f"Run: accelerator={accelerator!r}, devices={devices!r}, strategy={strategy!r} (--run.accelerator, "
            f"--run.devices, --run.strategy) can't be had here: {error}"
        ) from error

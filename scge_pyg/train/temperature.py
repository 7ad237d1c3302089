"""`Temperature`: trained layers begin by hearing widely and end by hearing their nearest."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from scge_pyg.graph.checks import positive_number
from scge_pyg.train.node_module import NodeModule
from scge_pyg.train.trained_places import products_on_places

__all__ = ["Temperature"]


class Temperature(Callback):
    r"""Lets the temperature :math:`\tau` of the scores of places fall geometrically over the steps of the run.

    .. math::
        \tau_t = \tau_0^{1 - t / T} \tau_1^{t / T}

    in every :class:`scge_pyg.SCGEConv` on a :class:`scge_pyg.NodeEmbedding`, t of T steps. Estimators with a schedule
    of their own, such as ``Gumbel``, are advanced one step. The temperature is part of the checkpoint.

    Args:
        start: :math:`\tau_0`, in squared node spacings.
        end: :math:`\tau_1`.

    Raises:
        ValueError: If a number isn't positive, or the model has no layer on trained places.

    Example:
        >>> Temperature(25.0, 1.0)
        Temperature(start=25, end=1)
    """

    def __init__(self, start: float = 25.0, end: float = 1.0) -> None:
        self.start = positive_number("Temperature", "start", start)
        self.end = positive_number("Temperature", "end", end)
        self.now = self.start

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """There must be layers to cool."""
        if not self._products(pl_module):
            raise ValueError(
                "Temperature: the model has no layer on trained places; build it on a NodeEmbedding, for instance with "
                "places=2"
            )

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The temperature of this step."""
        share = min(1.0, trainer.global_step / max(1, int(trainer.estimated_stepping_batches)))
        self.now = self.start ** (1 - share) * self.end**share
        self._set(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Schedules of estimators go on."""
        for product in self._products(pl_module):
            advance = getattr(product.estimator, "step", None)
            if callable(advance):
                advance()

    def _set(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for product in self._products(pl_module):
            product.tau = self.now

    on_validation_start = on_test_start = on_predict_start = _set

    @staticmethod
    def _products(pl_module: LightningModule) -> list[Any]:
        model = pl_module.model if isinstance(pl_module, NodeModule) else pl_module
        return [] if model is None else list(products_on_places(model))

    def state_dict(self) -> dict[str, float]:
        """The temperature."""
        return {"now": self.now}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from it."""
        self.now = float(state_dict["now"])

    def __repr__(self) -> str:
        return f"Temperature(start={self.start:g}, end={self.end:g})"

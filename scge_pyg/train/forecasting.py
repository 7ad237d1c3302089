"""`ForecastingModule`: the next values of a series over a node set, trained as `fit_forecaster` does."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError

from scge_pyg.graph import SharedGraph
from scge_pyg.models import Forecaster
from scge_pyg.train.building import Option
from scge_pyg.train.node_module import Lowered, NodeModule

__all__ = ["ForecastingModule"]


class ForecastingModule(NodeModule):
    r"""Mean squared error of all H steps, in deviations of the series, by AdamW on a one-cycle learning rate.

    With the same seeds, series and epochs the weights are those of :func:`scge_pyg.models.fit_forecaster`, bit for bit.
    Batches are ``(x, y, time)``: windows ``[B, N, W]``, what came ``[B, N, H]`` and the number of the newest step
    ``[B]``. Logged: ``train_loss``; ``val_rmse``, ``val_mae``; ``test_rmse``, ``test_mae``, in units of the series.
    Prediction gives the forecasts.

    Args:
        model: A forecaster, or the name of its class: ``"SCGEForecaster"``, ``"SharedForecaster"``.
        options: Further arguments of that class, for instance ``{"channels": 32, "period": 288}``.
        graph: The modality. Default: found by :class:`DiscoverGraph`.
        places: Columns of a :class:`NodeEmbedding` to build on instead of the graph.
        lr: Largest learning rate.
        weight_decay: Of AdamW.

    Raises:
        TypeError: If the model is no forecaster.

    Example:
        >>> module = ForecastingModule(Forecaster(3, window=4, horizon=2))
        >>> module.predict_step((torch.arange(12.0).view(1, 3, 4), torch.zeros(1, 3, 2), torch.tensor([3])), 0).tolist()
        [[[3.0, 3.0], [7.0, 7.0], [11.0, 11.0]]]
    """

    def __init__(
        self,
        model: torch.nn.Module | str = "SCGEForecaster",
        options: Mapping[str, Option] | None = None,
        *,
        graph: SharedGraph | None = None,
        places: int | None = None,
        lr: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        never: Lowered = "never"
        super().__init__(model, options, graph=graph, places=places, lr=lr, weight_decay=weight_decay, lowered=never)
        self.rmse, self.mae = MeanSquaredError(squared=False), MeanAbsoluteError()
        if self.model is not None:
            _checked(self.model)

    def prepare(self, network: torch.nn.Module) -> None:
        """Take mean and deviation from the part of the series that is trained on."""
        network = _checked(network)
        series = getattr(getattr(self.trainer, "datamodule", None), "training_samples", None)
        if series is not None:
            network.set_scale(series)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Forecasts ``[B, N, H]`` of windows; ``time`` for a model with a clock."""
        network = _checked(self.network)
        y: Tensor = network(x, None if network.period is None else time)
        return y

    def training_loss(self, network: torch.nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Mean squared error in deviations of the series."""
        x, y, time = batch
        network = _checked(network)
        guess = network(x, None if network.period is None else time)
        loss: Tensor = ((guess - y) / network.scale).square().mean()
        return loss

    def _evaluate(self, batch: tuple[Tensor, ...], stage: str) -> None:
        x, y, time = batch
        guess, came = self(x, time).contiguous(), y.contiguous()
        self.rmse.update(guess, came)
        self.mae.update(guess, came)
        self.log(f"{stage}_rmse", self.rmse, on_step=False, on_epoch=True, batch_size=len(x))
        self.log(f"{stage}_mae", self.mae, on_step=False, on_epoch=True, batch_size=len(x))

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Errors on held-out windows."""
        self._evaluate(batch, "val")

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Errors on test windows."""
        self._evaluate(batch, "test")

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        """Forecasts ``[B, N, H]``."""
        forecast: Tensor = self(batch[0], batch[2])
        return forecast


def _checked(network: torch.nn.Module) -> Forecaster:
    if not isinstance(network, Forecaster):
        raise TypeError(f"ForecastingModule: model must be a scge_pyg.models.Forecaster, got {type(network).__name__}")
    return network

"""`AutoencodingModule`: samples to a small code and back, trained as `fit_autoencoder` does."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from scge_pyg.graph import SharedGraph
from scge_pyg.models.autoencoders import AutoEncoder
from scge_pyg.train.building import Option
from scge_pyg.train.node_module import Lowered, NodeModule

__all__ = ["AutoencodingModule"]


class AutoencodingModule(NodeModule):
    r"""The loss of an :class:`~scge_pyg.models.autoencoders.AutoEncoder`, by Adam on a one-cycle learning rate.

    With the same seeds, samples and epochs the weights are those of
    :func:`scge_pyg.models.autoencoders.fit_autoencoder`, bit for bit, where that doesn't diverge: here a loss that
    isn't finite is an error. Batches are tuples whose first entry is ``x``. Logged: ``train_loss``; ``val_error`` and
    ``test_error``, the mean over samples of the summed squared error, in float64. Prediction gives the codes.

    Args:
        model: An autoencoder, or the name of its class: ``"SCGEAutoEncoder"``, ``"MLPAutoEncoder"``, ...
        options: Further arguments of that class, for instance ``{"latent": 16}``.
        graph: The modality. Default: found by :class:`DiscoverGraph`.
        places: Columns of a :class:`NodeEmbedding` to build on instead of the graph.
        lr: Largest learning rate.
        lowered: When layers on a lattice are convolutions: ``"never"``, in ``"evaluation"`` or ``"always"``.

    Raises:
        TypeError: If the model is no autoencoder.

    Example:
        >>> from scge_pyg.models.autoencoders import MLPAutoEncoder
        >>> AutoencodingModule(MLPAutoEncoder(9, 1, 2, hidden=(8,))).predict_step((torch.rand(3, 9, 1),), 0).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        model: torch.nn.Module | str = "SCGEAutoEncoder",
        options: Mapping[str, Option] | None = None,
        *,
        graph: SharedGraph | None = None,
        places: int | None = None,
        lr: float = 2e-3,
        lowered: Lowered = "never",
    ) -> None:
        super().__init__(model, options, graph=graph, places=places, lr=lr, weight_decay=0.0, lowered=lowered)
        self.error = MeanMetric().set_dtype(torch.float64)
        if self.model is not None:
            _checked(self.model)

    def prepare(self, network: torch.nn.Module) -> None:
        """Start the reconstruction around the mean of the training samples."""
        network = _checked(network)
        samples = getattr(getattr(self.trainer, "datamodule", None), "training_samples", None)
        if samples is not None:
            network.initialize(samples)

    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """Adam over the groups that the autoencoder asks for."""
        groups = network.parameter_groups(self.lr) if isinstance(network, AutoEncoder) else network.parameters()
        return torch.optim.Adam(groups, lr=self.lr)

    def training_loss(self, network: torch.nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """What the autoencoder is trained by, its own ``loss``."""
        return _checked(network).loss(batch[0])

    def _evaluate(self, batch: tuple[Tensor, ...], name: str) -> None:
        x = batch[0]
        self.error.update((x - self(x)).double().square().flatten(1).sum(1))
        self.log(name, self.error, on_step=False, on_epoch=True, batch_size=len(x))

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Summed squared error of held-out samples."""
        self._evaluate(batch, "val_error")

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Summed squared error of test samples."""
        self._evaluate(batch, "test_error")

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        """Codes ``[B, latent]``."""
        return _checked(self.network).encode(batch[0])


def _checked(network: torch.nn.Module) -> AutoEncoder:
    if not isinstance(network, AutoEncoder):
        raise TypeError(
            f"AutoencodingModule: model must be a scge_pyg.models.autoencoders.AutoEncoder, "
            f"got {type(network).__name__}"
        )
    return network

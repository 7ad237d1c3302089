"""`ClassificationModule`: logits of samples over a node set, trained as :func:`scge_pyg.models.fit_classifier` does."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics import MeanMetric

from scge_pyg.graph import SharedGraph
from scge_pyg.train.building import Option
from scge_pyg.train.node_module import Lowered, NodeModule

__all__ = ["ClassificationModule"]


class ClassificationModule(NodeModule):
    r"""Cross entropy of a network :math:`[B, N, C] \to` logits, by AdamW on a one-cycle learning rate.

    With the same seeds, samples and epochs the weights are those of :func:`scge_pyg.models.fit_classifier`, bit for
    bit. Batches are pairs ``(x, y)``. Logged: ``train_loss``; ``val_loss``, ``val_accuracy``; ``test_loss``,
    ``test_accuracy``. Prediction gives the probabilities of the classes.

    Args:
        model: A network, or the name of its class: ``"SCGEClassifier"``, ``"StridedClassifier"``, ``"NodeMLP"``,
            ``"GridCNN"``, or a dotted path of your own, for instance one around :class:`scge_pyg.OnSharedGraph`.
        options: Further arguments of that class, for instance ``{"channels": [16, 32]}``.
        graph: The modality. Default: found by :class:`DiscoverGraph`.
        places: Columns of a :class:`NodeEmbedding` to build on instead of the graph.
        lr: Largest learning rate.
        weight_decay: Of AdamW.
        lowered: When layers on a lattice are convolutions: ``"never"``, in ``"evaluation"`` or ``"always"``.

    Example:
        >>> from scge_pyg.models import NodeMLP
        >>> module = ClassificationModule(NodeMLP(1, 2, 9, hidden=(8,)).eval())
        >>> module.predict_step((torch.randn(3, 9, 1), torch.arange(3)), 0).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        model: torch.nn.Module | str = "SCGEClassifier",
        options: Mapping[str, Option] | None = None,
        *,
        graph: SharedGraph | None = None,
        places: int | None = None,
        lr: float = 3e-3,
        weight_decay: float = 1e-2,
        lowered: Lowered = "never",
    ) -> None:
        super().__init__(model, options, graph=graph, places=places, lr=lr, weight_decay=weight_decay, lowered=lowered)
        self.mean_loss, self.accuracy = MeanMetric(), MeanMetric()

    def training_loss(self, network: torch.nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Cross entropy."""
        x, y = batch
        return cross_entropy(network(x), y)

    def _evaluate(self, batch: tuple[Tensor, ...], stage: str) -> None:
        x, y = batch
        logits = self(x)
        self.mean_loss.update(cross_entropy(logits, y, reduction="none"))
        self.accuracy.update((logits.argmax(1) == y).float())
        self.log(f"{stage}_loss", self.mean_loss, on_step=False, on_epoch=True, batch_size=len(y))
        self.log(f"{stage}_accuracy", self.accuracy, on_step=False, on_epoch=True, batch_size=len(y))

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Loss and accuracy of held-out samples."""
        self._evaluate(batch, "val")

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Loss and accuracy of test samples."""
        self._evaluate(batch, "test")

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        """Probabilities ``[B, classes]``."""
        logits: Tensor = self(batch[0])
        return logits.softmax(1)

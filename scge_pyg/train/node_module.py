"""`NodeModule`: what the three tasks share. The model appears once data and graph are known; one recipe trains it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import positive_number
from scge_pyg.nn import NodeEmbedding, lower_to_conv, transfer
from scge_pyg.train.building import DataSizes, Option, build_model, check_model
from scge_pyg.train.graph_state import GRAPH, SIZES, graph_from_state, graph_state, same_graph

__all__ = ["Lowered", "NodeModule"]

Lowered = Literal["never", "evaluation", "always"]


class NodeModule(LightningModule):
    """A network over a node set, trained on a one-cycle learning rate.

    Subclasses give :meth:`training_loss` and the evaluation steps, and may give :meth:`prepare`.

    The model is built in :meth:`configure_model`, after the ``setup`` hooks of the callbacks: by then
    :class:`DiscoverGraph` has set :attr:`graph`, and the data module says how many nodes, channels and classes there
    are. The graph is part of the checkpoint.

    Args:
        model: A network, or the name of its class, in :mod:`scge_pyg.models` or as a dotted path.
        options: Further arguments of that class.
        graph: The modality, for networks that take one. Default: found by :class:`DiscoverGraph`, or none.
        places: Columns of a :class:`NodeEmbedding` that the network is built on instead of the graph. Default: none.
        lr: Largest learning rate.
        weight_decay: Of the optimiser.
        lowered: Whether :func:`scge_pyg.lower_to_conv` makes convolutions of the layers on a lattice: never, for
            validation, test and prediction, or from the start.

    Attributes:
        model: The network; None until it is built.
        graph: The modality; None where there is none.
    """

    def __init__(
        self,
        model: torch.nn.Module | str,
        options: Mapping[str, Option] | None = None,
        *,
        graph: SharedGraph | None = None,
        places: int | None = None,
        lr: float = 3e-3,
        weight_decay: float = 1e-2,
        lowered: Lowered = "never",
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if not isinstance(model, torch.nn.Module | str):
            raise TypeError(f"{name}: model must be a torch.nn.Module or the name of a class, got {_kind(model)}")
        if isinstance(model, torch.nn.Module) and (options or places is not None):
            raise ValueError(
                f"{name}: options and places belong to a model given by name, got a {type(model).__name__} beside "
                f"them; build it with these, or give model={type(model).__name__!r}"
            )
        if graph is not None and not isinstance(graph, SharedGraph):
            raise TypeError(f"{name}: graph must be a SharedGraph, got {type(graph).__name__}; SharedGraph.load reads")
        if lowered not in ("never", "evaluation", "always"):
            raise ValueError(f"{name}: lowered must be 'never', 'evaluation' or 'always', got {lowered!r}")
        if not 0 <= weight_decay < math.inf:
            raise ValueError(f"{name}: weight_decay must be a finite number of at least 0, got {weight_decay!r}")
        self.lr, self.weight_decay = positive_number(name, "lr", lr), float(weight_decay)
        self.graph, self.places, self.lowered = graph, places, lowered
        self.other_graph_allowed = False
        self._name = model if isinstance(model, str) else None
        self._options = dict(options or {})
        if isinstance(model, str):
            check_model(model, self._options, on_places=places is not None)
        self.model: torch.nn.Module | None = None if isinstance(model, str) else model
        self._ready = False
        self._planned: int | None = None
        self._dense: list[torch.nn.Module] = []  # out of reach of parameters() and state_dict()

    @abstractmethod
    def training_loss(self, network: torch.nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """The loss of a batch, as the recipe of the task defines it."""

    def prepare(self, network: torch.nn.Module) -> None:
        """Set what a network takes from the training samples before its first step. Default: nothing."""

    def configure_model(self) -> None:
        """Build the network once data and graph are known, and prepare it; a second call does nothing."""
        if self._ready:
            return
        if self.model is None:
            assert self._name is not None
            sizes = self.data_sizes()
            self._check_names()
            table = None if self.places is None else self._table(sizes.num_nodes)
            self.model = build_model(self._name, self._options, sizes, self.graph, table)
        self.prepare(self.model)
        if self.lowered == "always":
            self.model = lower_to_conv(self.model)
        self._ready = True

    def data_sizes(self) -> DataSizes:
        """What the data module says."""
        sizes = getattr(getattr(self.trainer, "datamodule", None), "sizes", None)
        if not isinstance(sizes, DataSizes):
            raise ValueError(
                f"{type(self).__name__}: a model given by name is built for the data of a NodesDataModule, got none; "
                f"pass datamodule=NodesDataModule(...), or a built model"
            )
        return sizes

    def _check_names(self) -> None:
        """The nodes of the graph are those of the samples, where both have names."""
        names = getattr(getattr(self.trainer, "datamodule", None), "names", None)
        known = None if self.graph is None else self.graph.names
        if names is None or known is None or len(names) != len(known) or tuple(names) == tuple(known):
            return
        node = next(node for node, pair in enumerate(zip(known, names, strict=True)) if pair[0] != pair[1])
        raise ValueError(
            f"{type(self).__name__}: node {node} is {known[node]!r} in the graph and {names[node]!r} in the samples; "
            + ("bring the columns into the order of the graph" if {*names} == {*known} else "these are other nodes")
        )

    def _table(self, num_nodes: int) -> NodeEmbedding:
        assert self.places is not None
        live = None if self.graph is None else self.graph.live
        return NodeEmbedding(num_nodes, self.places, live=live)

    @property
    def network(self) -> torch.nn.Module:
        """The network that answers now: in evaluation the lowered one, if so asked."""
        if self.model is None:
            raise ValueError(
                f"{type(self).__name__}: there is no model yet; it is built when a Trainer has data and graph"
            )
        return self._dense[0] if self._dense and not self.training else self.model

    def forward(self, x: Tensor) -> Tensor:
        """What the network answers to samples ``[B, N, C]``."""
        y: Tensor = self.network(x)
        return y

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        """The loss, checked to be finite, logged at every ``log_every_n_steps``-th step."""
        assert self.model is not None
        loss = self.training_loss(self.model, batch)
        step = self.trainer.global_step + 1
        value = loss.item()
        if not math.isfinite(value):
            raise ValueError(
                f"{type(self).__name__}: the loss is {value} at step {step}; look for NaN or infinite values in the "
                f"samples, or lower lr={self.lr:g}"
            )
        if step % getattr(self.trainer, "log_every_n_steps", 50) == 0:
            self.log("train_loss", value, batch_size=len(batch[0]))
        return loss

    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """The optimiser of the recipe."""
        return torch.optim.AdamW(network.parameters(), lr=self.lr, weight_decay=self.weight_decay)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser on a one-cycle learning rate over all steps of the run."""
        assert self.model is not None
        if not any(parameter.requires_grad for parameter in self.model.parameters()):
            raise ValueError(f"{type(self).__name__}: {type(self.model).__name__} has no parameters to train")
        optimizer = self.optimizer(self.model)
        highest = [group["lr"] for group in optimizer.param_groups]
        total = int(self.trainer.estimated_stepping_batches)
        planned, self._planned = self._planned, None
        if planned not in (None, total):
            raise ValueError(
                f"{type(self).__name__}: the run to go on with was laid out for {planned} steps, its learning "
                f"rate over all of them; these epochs and samples make {total}. Give the epochs and the batch size of "
                f"that run (--run.epochs, --data.batch_size), or another folder (--run.folder) to start anew"
            )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest, total_steps=total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _lower(self) -> None:
        if self.lowered == "evaluation" and self.model is not None:
            self._dense = [lower_to_conv(self.model).eval()]

    def _raise_again(self) -> None:
        self._dense = []

    on_validation_start = on_test_start = on_predict_start = _lower
    on_validation_end = on_test_end = on_predict_end = _raise_again

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the graph beside the weights, and for a network that was built by name the sizes of the data."""
        if self.graph is not None:
            checkpoint[GRAPH] = graph_state(self.graph)
        if self._name is not None:
            checkpoint[SIZES] = dict(vars(self.data_sizes()))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that were trained on another graph, unless ``other_graph_allowed``.

        Raises:
            ValueError: If the graphs differ, or the samples have other sizes than those of the checkpoint.
        """
        if self._name is not None and self._trainer is not None:
            now = vars(self.data_sizes())
            pairs = [(key, old, now.get(key)) for key, old in checkpoint.get(SIZES, {}).items()]
            if other := [f"{key} {old} before, {new} now" for key, old, new in pairs if new not in (None, old)]:
                raise ValueError(f"{type(self).__name__}: the samples aren't like those of the run: {', '.join(other)}")
        if self._trainer is not None and self._trainer.training:
            self._planned = (checkpoint.get("lr_schedulers") or [{}])[0].get("total_steps")
        if GRAPH not in checkpoint:
            return
        saved = graph_from_state(checkpoint[GRAPH])
        if self.graph is None:
            self.graph = saved
        elif not same_graph(saved, self.graph):
            if not self.other_graph_allowed:
                raise ValueError(
                    f"{type(self).__name__}: the checkpoint was trained on another graph, {saved}, than the one given, "
                    f"{self.graph}; leave graph out to take the saved one, or set other_graph_allowed to put the "
                    f"weights on this one"
                )
            assert self.model is not None
            state = {name[6:]: value for name, value in checkpoint["state_dict"].items() if name.startswith("model.")}
            transfer(state, self.model)
            checkpoint["state_dict"] = self.state_dict()

    def __repr__(self) -> str:
        what = type(self.model).__name__ if self.model is not None else repr(self._name)
        return f"{type(self).__name__}(model={what}, graph={self.graph}, lr={self.lr:g}, lowered={self.lowered!r})"


def _kind(model: object) -> str:
    return f"the class {model.__name__}; call it" if isinstance(model, type) else type(model).__name__

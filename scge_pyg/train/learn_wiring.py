"""`LearnWiring`: places first, then places and weights, then weights, by a `WiringSchedule` beside Lightning's loop."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from scge_pyg.nn import HebbianLoss, WiringSchedule
from scge_pyg.train.node_module import NodeModule
from scge_pyg.train.trained_places import table_of

__all__ = ["LearnWiring"]


class LearnWiring(Callback):
    """Takes lessons of :class:`scge_pyg.HebbianLoss` on random batches of the training samples before each step.

    The schedule (:class:`scge_pyg.nn.WiringSchedule`) and what its teacher knows are part of the checkpoint. It is what
    ``fit_classifier(..., wiring=...)`` does, bit for bit.

    Args:
        batch_size: Samples of a lesson.
        lr: Rate of Adam for places, in node spacings.
        lessons: Lessons for each step while places and weights are learned.
        candidates: Candidate partners of a node.
        every: Lessons between refreshes of the coupling.
        seed: Of lessons and teacher.

    Attributes:
        schedule: The schedule; None before training.

    Example:
        >>> LearnWiring(lr=0.5)
        LearnWiring(not started)
    """

    def __init__(
        self,
        *,
        batch_size: int = 128,
        lr: float = 0.5,
        lessons: int = 5,
        candidates: int = 24,
        every: int = 50,
        seed: int = 0,
    ) -> None:
        self.batch_size, self.lr, self.lessons = batch_size, lr, lessons
        self.candidates, self.every, self.seed = candidates, every, seed
        self.schedule: WiringSchedule | None = None
        self._samples: Tensor | None = None
        self._state: dict[str, Any] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make teacher and schedule for the table of the model, or go on with those of the checkpoint."""
        model = pl_module.model if isinstance(pl_module, NodeModule) else None
        samples = getattr(getattr(trainer, "datamodule", None), "training_samples", None)
        if model is None or samples is None:
            raise TypeError(
                f"LearnWiring: it takes a NodeModule and a NodesDataModule, got {type(pl_module).__name__} and "
                f"{type(getattr(trainer, 'datamodule', None)).__name__}"
            )
        table = table_of(model)
        teacher = HebbianLoss(table, candidates=self.candidates, every=self.every, seed=self.seed)
        self._samples = samples.to(table.weight.device)
        self.schedule = WiringSchedule(
            teacher, model, batch_size=self.batch_size, lr=self.lr, lessons=self.lessons, seed=self.seed
        )
        if self._state is not None:
            self.schedule.load_state_dict(self._state)
            self._state = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Lessons, until a step of the task is due."""
        assert self.schedule is not None
        assert self._samples is not None
        self.schedule.advance(self._samples)

    def state_dict(self) -> dict[str, Any]:
        """That of the schedule."""
        return {} if self.schedule is None else {"schedule": self.schedule.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep it until there is a model."""
        self._state = state_dict.get("schedule")

    def __repr__(self) -> str:
        return f"LearnWiring({'not started' if self.schedule is None else self.schedule})"

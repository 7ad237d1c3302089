"""`WiringSchedule`: one schedule for wiring and weights, so that no weight is trained on a wrong wiring."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn.layer.scge_conv import SCGEConv
from scge_pyg.nn.trained.attempts import Attempts
from scge_pyg.nn.trained.falling import Falling
from scge_pyg.nn.trained.hebbian import HebbianLoss
from scge_pyg.nn.trained.node_embedding import NodeEmbedding
from scge_pyg.nn.trained.side_by_side import side_by_side

__all__ = ["WiringSchedule"]

_PHASES = ("places", "both", "weights")
_COUNTS = ("phase", "count", "seconds")
_WARM = 50  # lessons until the rate is whole
_FINE = 0.1  # share of the rate below which places are fine enough for weights to learn on them


class WiringSchedule:
    r"""Places first, then places and weights, then weights on a frozen wiring; the teacher's own error hands over.

    Each call of :meth:`step` takes one lesson of the teacher and says whether a step of the task is due.

    * ``"places"``: lessons alone. The rate is ``lr``, :math:`\eta`, until the teacher's error is below a fifth of a
      spacing or has not fallen for a third of the lessons so far, after T of them; then the rate falls over as many
      lessons again,

      .. math::
          \eta_{T + t} = \frac{\eta}{2} \bigl(1 + \cos \frac{\pi t}{T}\bigr), \qquad 0 \le t < T

    * ``"both"``, once the rate has fallen to a tenth: the table is turned so that its rows lie along the axes, as the
      taps of kernels do, what no partner joins to it is laid beside it (:func:`.side_by_side.side_by_side`), and a
      step of the task is due after every ``lessons`` lessons. Both move the table, the task through the optimiser that
      holds it.
    * ``"weights"``, after 2T lessons: the table and the coarse levels that layers join to it are frozen
      (``requires_grad=False``), ``step`` returns at once.

    A sheet that came out folded or torn, more than one in a hundred of its partners more than two spacings apart, is
    begun anew from other random places before a step of the task is due, at most twice, and the best is kept
    (:mod:`.attempts`). Statistics of the signals stay, so that this costs less than the first start.

    No number of steps is set beforehand: it follows from the error. Layers look for new candidates, and coarse levels
    are placed anew (``model.regroup()``, if the model has it), on every change of phase and every ``regroup_every``
    lessons of ``"both"``.

    Cost: of a lesson, see :class:`HebbianLoss`; :attr:`count` and :attr:`seconds` say what lessons took.

    Args:
        hebbian: The teacher; its embedding is the table that learns.
        model: What holds the layers on that table, as many as you like. Default: none, the table learns alone.
        samples: Samples ``[S, N]`` or ``[S, N, C]`` of the modality that :meth:`advance` draws lessons from, where they
            aren't the task's. Default: the task's.
        batch_size: Samples of a lesson that :meth:`advance` draws.
        lr: Rate of Adam for places, in node spacings.
        lessons: Lessons for each step of the task in ``"both"``.
        regroup_every: Lessons of ``"both"`` between two renewals of coarse levels.
        seed: Seed of the batches that :meth:`advance` draws.

    Attributes:
        phase: ``"places"``, ``"both"`` or ``"weights"``.
        count: Lessons so far.
        seconds: Wall-clock time of the lessons.

    Raises:
        TypeError: If ``hebbian`` is no :class:`HebbianLoss` or ``model`` no module.
        ValueError: If a number is out of range, the table is frozen already, or no layer of ``model`` stands on it.

    Warns:
        UserWarning: If the teacher found partners for less than half of the nodes when the wiring is frozen.

    Example:
        >>> import torch
        >>> from scge_pyg import NodeEmbedding, SCGEConv
        >>> field = torch.randn(2048, 30, 1, generator=torch.Generator().manual_seed(0)).cumsum(1)
        >>> table = NodeEmbedding(30, 2)
        >>> conv = SCGEConv(1, 1, table, neighbors="support")
        >>> schedule = WiringSchedule(HebbianLoss(table, every=20), conv)
        >>> optimizer = torch.optim.Adam(conv.parameters())
        >>> for batch in field.repeat(8, 1, 1).split(16):
        ...     if schedule.step(batch):                           # a step of the task is due
        ...         loss = (conv(batch) - batch).square().mean()
        ...         optimizer.zero_grad()
        ...         loss.backward()
        ...         optimizer.step()
        >>> schedule.phase, table.weight.requires_grad
        ('weights', False)
    """

    def __init__(
        self,
        hebbian: HebbianLoss,
        model: torch.nn.Module | None = None,
        *,
        samples: Tensor | None = None,
        batch_size: int = 128,
        lr: float = 0.5,
        lessons: int = 5,
        regroup_every: int = 100,
        seed: int = 0,
    ) -> None:
        if not isinstance(hebbian, HebbianLoss):
            raise TypeError(f"WiringSchedule: hebbian must be a HebbianLoss, got {type(hebbian).__name__}")
        if model is not None and not isinstance(model, torch.nn.Module):
            raise TypeError(f"WiringSchedule: model must be a torch.nn.Module, got {type(model).__name__}")
        for name, value in (("batch_size", batch_size), ("lessons", lessons), ("regroup_every", regroup_every)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"WiringSchedule: {name} must be a positive integer, got {value!r}")
        if isinstance(lr, bool) or not isinstance(lr, int | float) or not 0 < lr < math.inf:
            raise ValueError(f"WiringSchedule: lr must be a positive number of node spacings, got {lr!r}")
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ValueError(f"WiringSchedule: seed must be an integer, got {seed!r}")
        table = hebbian.embedding.weight
        if not table.requires_grad:
            raise ValueError(
                "WiringSchedule: the embedding of hebbian is frozen; call embedding.weight.requires_grad_(True) first"
            )
        if model is not None and all(table is not other for other in model.parameters()):
            raise ValueError(
                f"WiringSchedule: no layer of {type(model).__name__} stands on the embedding of hebbian; build the "
                f"model on that very table, or leave model out"
            )
        self.hebbian, self.model, self.samples = hebbian, model, samples
        self.batch_size, self.lr, self.lessons, self.regroup_every = batch_size, float(lr), lessons, regroup_every
        self.phase, self.count, self.seconds = _PHASES[0], 0, 0.0
        self._optimizer = torch.optim.Adam([table], lr=self.lr)
        self._generator = torch.Generator().manual_seed(seed)
        self._falling, self._attempts = Falling(), Attempts()

    @property
    def rate(self) -> float:
        """Rate of the next lesson; 0 once the wiring is frozen."""
        if self.phase == "weights":
            return 0.0
        count = self.count - self._attempts.begun
        if not self._falling.ended:
            return self.lr * min(1.0, (count + 1) / _WARM)
        return self.lr * (1 + math.cos(math.pi * (count - self._falling.ended) / self._falling.ended)) / 2

    def step(self, x: Tensor) -> bool:
        """One lesson on activations ``x [B, N]`` or ``[B, N, C]`` of the nodes.

        Returns:
            Whether a step of the task is due, never in ``"places"``, after every ``lessons`` lessons in ``"both"``,
            always in ``"weights"``, where ``x`` is not looked at.
        """
        if self.phase == "weights":
            return True
        if not self.hebbian.training:
            raise ValueError(
                "WiringSchedule.step: the teacher is in evaluation mode and learns nothing; call hebbian.train() first"
            )
        start = time.perf_counter()
        table = self.hebbian.embedding.weight
        (gradient,) = torch.autograd.grad(self.hebbian(x), table)
        self._optimizer.param_groups[0]["lr"] = self.rate
        self._follow(table)
        held, table.grad = table.grad, gradient  # the task's own gradient stays as it was
        self._optimizer.step()
        table.grad = held
        self.count += 1
        self._falling.watch(float(self.hebbian.error), self.count - self._attempts.begun)
        self._turn()
        self.seconds += time.perf_counter() - start
        return self.phase == "weights" or (self.phase == "both" and self.count % self.lessons == 0)

    def _follow(self, table: Tensor) -> None:
        """Moments of the optimiser go where the table was moved to."""
        state = self._optimizer.state.get(table, {})
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == table.shape:
                state[name] = value.to(table)

    def advance(self, samples: Tensor) -> None:
        """Lessons on random batches, until a step of the task is due: once before each of them.

        Args:
            samples: The task's samples ``[S, N]`` or ``[S, N, C]``, unless the schedule has its own.
        """
        source = samples if self.samples is None else self.samples
        if not len(source):
            raise ValueError("WiringSchedule.advance: samples must hold at least one sample, got 0")
        due = self.phase == "weights"
        while not due:
            drawn = torch.randint(len(source), (self.batch_size,), generator=self._generator)
            due = self.step(source[drawn.to(source.device)])

    def _turn(self) -> None:
        """The next phase, when its time has come; renew what hangs by the places."""
        before = self.phase
        if self._falling.ended and self.count - self._attempts.begun >= 2 * self._falling.ended:
            self.phase = "weights"
        elif self._falling.ended and self.rate <= _FINE * self.lr:
            self.phase = "both"
        if before == "places" != self.phase:
            if self._again():
                return
            self._lay_out()
        if self.phase != before or (self.phase == "both" and self.count % self.regroup_every == 0):
            self._renew()
        if self.phase == "weights":
            self._freeze()
            self._warn_if_apart()

    def _warn_if_apart(self) -> None:
        joined = int((self.hebbian.wiring >= 0).any(1).sum())
        nodes = len(self.hebbian.wiring)
        if int(self.hebbian.coupling.refreshes) and 2 * joined < nodes:
            warnings.warn(
                f"WiringSchedule: the teacher found partners for {joined} of {nodes} nodes, most places mean nothing; "
                f"are there enough samples ({self.count} lessons so far), and does anything couple these nodes? "
                f"table.to_graph(samples) judges the places by held-out samples",
                UserWarning,
                stacklevel=4,
            )

    def _again(self) -> bool:
        """Whether places had to be drawn anew."""
        hebbian = self.hebbian
        again = self._attempts.again(hebbian.embedding, hebbian.wiring, hebbian.coupling.length, self.count)
        if again:
            self.phase, self._falling = "places", Falling()
            self._optimizer.state.clear()
            for running in (hebbian.error, hebbian.astray):
                running.fill_(torch.inf)
        return again

    @torch.no_grad()
    def _lay_out(self) -> None:
        table = self.hebbian.embedding.weight
        table.copy_(side_by_side(table, self.hebbian.wiring))
        self._optimizer.state.clear()  # its moments are those of the axes before

    def _freeze(self) -> None:
        for places in self._tables():
            places.requires_grad_(self.phase != "weights")
            places.grad = None

    def _tables(self) -> list[Tensor]:
        """Places of the table and of all node sets that layers join to it."""
        layers = () if self.model is None else self.model.modules()
        pairs = [
            [end.weight for end in (layer.source, layer.target) if isinstance(end, NodeEmbedding)]
            for layer in layers
            if isinstance(layer, SCGEConv)
        ]
        joined: dict[int, Tensor] = {}
        found = [self.hebbian.embedding.weight]
        while found:
            joined |= {id(one): one for one in found}
            ends = [one for pair in pairs if any(id(one) in joined for one in pair) for one in pair]
            found = [one for one in ends if id(one) not in joined]
        return list(joined.values())

    def _renew(self) -> None:
        regroup = getattr(self.model, "regroup", None)
        if regroup is not None:
            regroup()
        elif self.model is not None:
            for layer in self.model.modules():
                if isinstance(layer, SCGEConv):
                    layer.refresh()

    def state_dict(self) -> dict[str, Any]:
        """All that a schedule needs to go on to the same bits: teacher, table, optimiser, counts, random numbers."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {
            "hebbian": self.hebbian.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "falling": self._falling.state(),
            "attempts": self._attempts.state(),
            **counts,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`state_dict` was taken; the model's own state is loaded apart from it."""
        if missing := sorted({*self.state_dict()} - {*state}):
            raise ValueError(f"WiringSchedule: state lacks {', '.join(missing)}; give what state_dict() returned")
        self.hebbian.load_state_dict(state["hebbian"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        for name in _COUNTS:
            setattr(self, name, state[name])
        self._falling, self._attempts = Falling(**state["falling"]), Attempts(**state["attempts"])
        self._freeze()

    def __repr__(self) -> str:
        error = float(self.hebbian.error)
        return f"WiringSchedule(phase={self.phase!r}, lessons={self.count}, error={error:.3g}, rate={self.rate:.3g})"

"""`BatchOrder`: the order of samples as a function of seed and epoch, so that an epoch can be entered anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from scge_pyg.graph.checks import whole_number

__all__ = ["BatchOrder", "ResumableLoader", "in_sequence"]


class BatchOrder(Sampler[list[int]]):
    """Batches of sample numbers: epoch e is cut from the e-th permutation that ``seed`` draws.

    The first permutations are those of :func:`scge_pyg.models.fit_classifier`; the last, smaller batch is left out.
    An iteration begins at :attr:`batch` of :attr:`epoch`, and the next one at the start of an epoch. Nothing is counted
    here: workers draw ahead of what is trained on, so that only the trainer knows how far that is.

    Args:
        count: Number of samples.
        batch_size: Samples of a batch.
        seed: Of the order.
        rank: Which of several processes this is.
        ranks: How many there are. A step's batches of all ranks together are the batch that one process with
            ``ranks * batch_size`` has.

    Raises:
        ValueError: If a number is out of range, or there are fewer samples than a step takes.

    Example:
        >>> order = BatchOrder(7, 2, seed=1)
        >>> whole = list(order)
        >>> order.seek(0, 1)
        >>> list(order) == whole[1:]
        True
        >>> order.seek(0, 0)
        >>> list(order) == whole, len(order)
        (True, 3)
    """

    def __init__(self, count: int, batch_size: int, *, seed: int = 0, rank: int = 0, ranks: int = 1) -> None:
        self.count = whole_number("BatchOrder", "count", count, 1)
        self.batch_size = whole_number("BatchOrder", "batch_size", batch_size, 1)
        self.seed, self.ranks = seed, whole_number("BatchOrder", "ranks", ranks, 1)
        self.rank = whole_number("BatchOrder", "rank", rank, 0)
        if self.rank >= self.ranks:
            raise ValueError(f"BatchOrder: rank must be below ranks={ranks}, got {rank}")
        if self.count < self.batch_size * self.ranks:
            raise ValueError(
                f"BatchOrder: there must be at least batch_size={batch_size} samples"
                f"{f' for each of {ranks} processes' if ranks > 1 else ''}, got {count}; "
                f"pass batch_size={max(1, count // ranks)} or less"
            )
        self.epoch, self.batch = 0, 0
        self._generator = torch.Generator()
        self._drawn = -1
        self._last = torch.empty(0)

    def __len__(self) -> int:
        return self.count // (self.batch_size * self.ranks)

    def permutation(self, epoch: int) -> Tensor:
        """The order of all samples in an epoch ``[count]``."""
        if epoch < self._drawn or self._drawn < 0:
            self._generator.manual_seed(self.seed)
            self._drawn = -1
        while self._drawn < epoch:
            self._last = torch.randperm(self.count, generator=self._generator)
            self._drawn += 1
        return self._last

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch, unless the order is within it."""
        if epoch != self.epoch:
            self.epoch, self.batch = epoch, 0

    def seek(self, epoch: int, batch: int) -> None:
        """Let the next iteration begin at a batch of an epoch."""
        self.epoch, self.batch = epoch, batch

    def __iter__(self) -> Iterator[list[int]]:
        first, self.batch = self.batch, 0  # at the first batch: a loader with workers makes two iterators and uses one
        steps = self.permutation(self.epoch)[: len(self) * self.batch_size * self.ranks]
        mine = steps.view(len(self), self.ranks, self.batch_size)[first:, self.rank]
        for batch in mine:
            yield batch.tolist()

    def state(self, epoch: int, batch: int) -> dict[str, int]:
        """What :meth:`load` goes on from: where, and in which order."""
        return {"epoch": epoch, "batch": batch, **self._kind()}

    def load(self, state: dict[str, Any]) -> None:
        """Begin where :meth:`state` says.

        Raises:
            ValueError: If it is the state of another order.
        """
        here = self._kind()
        if other := {name: state.get(name) for name in here if state.get(name) != here[name]}:
            raise ValueError(
                f"BatchOrder: the checkpoint was written with {other} where this run has "
                f"{ {name: here[name] for name in other} }; the samples would come in another order. Give the data and "
                f"the batch size of that run, or start anew"
            )
        self.seek(int(state["epoch"]), int(state["batch"]))

    def _kind(self) -> dict[str, int]:
        return {"count": self.count, "batch_size": self.batch_size, "seed": self.seed, "ranks": self.ranks}

    def __repr__(self) -> str:
        shared = f", rank={self.rank}, ranks={self.ranks}" if self.ranks > 1 else ""
        return f"BatchOrder({self.count}, {self.batch_size}, seed={self.seed}{shared})"


class ResumableLoader(DataLoader[tuple[Tensor, ...]]):
    """Batches of a data set that is indexed by lists of samples, in the order of a :class:`BatchOrder`.

    Its state is what was *trained on*, whatever workers have drawn. Base seeds of workers come from a generator of its
    own, so that the global random numbers don't depend on how often an epoch is entered.

    Args:
        dataset: ``dataset[[3, 1]]`` is a batch.
        order: Which samples.
        trained: Says epoch and number of batches in it that were trained on. Default: where the order stands.
        workers: Processes that load, 0 for none.
    """

    def __init__(
        self,
        dataset: Dataset[tuple[Tensor, ...]],
        order: BatchOrder,
        *,
        trained: Callable[[], tuple[int, int]] | None = None,
        workers: int = 0,
    ) -> None:
        own = torch.Generator().manual_seed(order.seed)
        super().__init__(dataset, batch_size=None, sampler=order, num_workers=workers, generator=own)
        self.order = order
        self.trained = trained

    def state_dict(self) -> dict[str, int]:
        """Where training stands."""
        epoch, batch = (self.order.epoch, self.order.batch) if self.trained is None else self.trained()
        return self.order.state(epoch, batch)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iteration go on there."""
        self.order.load(state)


def in_sequence(dataset: Sized, batch_size: int, workers: int) -> DataLoader[tuple[Tensor, ...]]:
    """All samples in their order, the last, smaller batch too; the global random numbers don't notice."""
    batches = [chosen.tolist() for chosen in torch.arange(len(dataset)).split(batch_size)]
    own = torch.Generator().manual_seed(0)
    return DataLoader(dataset, batch_size=None, sampler=batches, num_workers=workers, generator=own)  # type: ignore

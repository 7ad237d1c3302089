"""The workers of one discovery: what they tell each other, and that all of them go on or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["Workers", "current", "sharing"]

_SHOWN = 60  # characters of a value that workers disagree in
_KINDS = {"TypeError": TypeError, "ValueError": ValueError}


class Workers:
    """Processes that discover one geometry together; without a group this one alone.

    Tensors are exchanged as they are and all else as JSON: nothing of another process is unpickled. Every exchange is
    an all-gather, whose parts arrive in the order of ranks on all.

    Attributes:
        rank: Place of this process.
        size: Number of processes.
        received: Bytes that came from other processes so far.
    """

    def __init__(self, group: Any = None) -> None:
        self._group = group
        self.rank = 0 if group is None else dist.get_rank(group)
        self.size = 1 if group is None else dist.get_world_size(group)
        self.received = 0

    def gather(self, values: Tensor) -> list[Tensor]:
        """The same tensor of each worker, which must have the shape and dtype of this one."""
        if self.size == 1:
            return [values]
        sent = values.contiguous()
        parts = [torch.empty_like(sent) for _ in range(self.size)]
        dist.all_gather(parts, sent, group=self._group)
        self.received += (self.size - 1) * sent.nbytes
        return parts

    def gather_rows(self, values: Tensor) -> list[Tensor]:
        """``values [n, ...]`` of each worker, n its own on each."""
        if self.size == 1:
            return [values]
        count = [int(part) for part in self.gather(torch.tensor(len(values)))]
        padded = values.new_zeros((max(count), *values.shape[1:]))
        padded[: len(values)] = values
        return [part[:rows] for part, rows in zip(self.gather(padded), count, strict=True)]

    def tell(self, what: Any) -> list[Any]:
        """Something that JSON can hold of each worker."""
        if self.size == 1:
            return [what]
        text = np.frombuffer(json.dumps(what).encode(), dtype=np.uint8)
        return [json.loads(part.numpy().tobytes()) for part in self.gather_rows(torch.from_numpy(text.copy()))]

    @contextmanager
    def agreeing(self) -> Iterator[dict[str, Any]]:
        """Within it each worker fills in what must be the same on all; afterwards all go on, or an error is raised.

        Example:
            >>> with current().agreeing() as facts:
            ...     facts["seed"] = 0

        Raises:
            ValueError: Naming what differs; or the error of another worker, which may be a TypeError too.
        """
        facts: dict[str, Any] = {}
        if self.size == 1:
            yield facts
            return
        failure: Exception | None = None
        try:
            yield facts
        except Exception as error:
            failure = error
        kind = next((name for name, known in _KINDS.items() if isinstance(failure, known)), "RuntimeError")
        own = {name: json.loads(json.dumps(value)) for name, value in facts.items()}
        told = self.tell([kind, str(failure), {}] if failure else [None, "", own])
        if failure is not None:
            raise failure
        for rank, (kind, text, _) in enumerate(told):
            if kind is not None:
                raise _KINDS.get(kind, RuntimeError)(f"worker {rank} of {self.size}: {text}")
        for rank, (_, _, others) in enumerate(told):
            for name, value in told[0][2].items():
                if others.get(name) != value:
                    raise ValueError(
                        f"discover: workers must agree in {name}, got {_shown(value)} on worker 0 and "
                        f"{_shown(others.get(name))} on worker {rank}"
                    )


_ALONE = Workers()
_workers: ContextVar[Workers] = ContextVar("workers", default=_ALONE)


def current() -> Workers:
    """The workers of the discovery that runs; alone outside of :func:`sharing`."""
    return _workers.get()


@contextmanager
def sharing(group: Any) -> Iterator[Workers]:
    """Within it, blocks of work are shared by the processes of a group; ``None`` is no group, ``True`` is all of them.

    Raises:
        TypeError: If ``group`` is neither.
        ValueError: If there is no process group, this process is not in it, or it can't exchange tensors of the CPU.
    """
    token = _workers.set(_ALONE if group is None or group is False else Workers(_checked(group)))
    try:
        yield _workers.get()
    finally:
        _workers.reset(token)


def _checked(group: Any) -> Any:
    if not (dist.is_available() and dist.is_initialized()):
        raise ValueError(
            "discover: group is given, but there is no process group; start the script with torchrun and call "
            "torch.distributed.init_process_group('gloo')"
        )
    found = dist.group.WORLD if group is True else group
    if found == dist.GroupMember.NON_GROUP_MEMBER:
        raise ValueError("discover: this process is not in the group; call discover on its members alone")
    if not isinstance(found, dist.ProcessGroup):
        raise TypeError(
            f"discover: group must be a torch.distributed process group, True for all processes, or None, got "
            f"{type(group).__name__}"
        )
    if dist.get_backend(found) == "nccl":
        raise ValueError(
            "discover: group must exchange tensors of the CPU, got the backend nccl; pass "
            "torch.distributed.new_group(backend='gloo')"
        )
    return found


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

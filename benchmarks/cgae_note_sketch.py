"""The note's sketch of CGAE with global prototypes, made to run, with a switch for each of its faults.

Without faults it is Gibbs sampling of ``exp(-beta |o - sum_h w_k(h)|^2)`` from the same first code in every step, and
the gradient of the marginal likelihood by one sample an image.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from cgae_note_codes import log_marginal
from torch import Tensor

__all__ = ["FAULTS", "PARTS", "PROTOTYPES", "Codes", "Run", "drawn", "learn", "sample", "start"]

PROTOTYPES, PARTS = 10, 3
FAULTS = {
    "draw": "a random number of its own for every prototype, and the first that is at least the cumulative probability",
    "sign": "the residual starts as the negative image",
    "own": "a part is scored without putting its own value back",
    "first": "the first code is put back though it was never taken out",
    "pixels": "mean over pixels in place of the sum",
    "weights": "images weighted by a softmax over the batch",
}
TWICE = "twice"  # of the formula, not of the sketch: each image weighted by q(o|z) itself


class Run(NamedTuple):
    """How prototypes are learned.

    Args:
        faults: Names in ``FAULTS``, or ``"twice"``: images are weighted by q(o|z), as in the note's last formula.
        enumerated: The exact gradient in place of samples.
        begin: Where prototypes start: ``"noise"``, ``"alike"``: the mean image over H with a thousandth of the noise,
            ``"same"``: with none, or ``"images"``: images over H.
        lr: Largest learning rate of Adam.
        beta: Of the energy.
        steps: Of Adam.
        sweeps: Gibbs sweeps of a step.
    """

    faults: frozenset[str] = frozenset()
    enumerated: bool = False
    begin: str = "noise"
    lr: float = 0.03
    beta: float = 1.0
    steps: int = 200
    sweeps: int = 3


class Codes(NamedTuple):
    """Codes that were drawn.

    Args:
        kind: Prototypes ``[B, H]``.
        entropy: Mean entropy of the probabilities that the last sweep drew from, in nats.
    """

    kind: Tensor
    entropy: float


def drawn(p: Tensor, faults: frozenset[str], generator: torch.Generator) -> Tensor:
    """A prototype of each row of probabilities ``[B, K]``."""
    if "draw" in faults:  # `(torch.rand(p.shape) >= cp).max(-1)`
        return (torch.rand(p.shape, generator=generator) >= p.cumsum(-1)).max(-1).indices
    return torch.multinomial(p, 1, generator=generator).squeeze(1)


def sample(x: Tensor, w: Tensor, run: Run, generator: torch.Generator) -> Codes:
    """Codes of images ``[B, N]`` under prototypes ``[K, N]``, one part at a time.

    Of the residual only its products with the prototypes are kept, ``[B, K]``, as nothing else of it enters.
    """
    kind = torch.zeros(len(x), PARTS, dtype=torch.long)
    beta = run.beta / x.shape[1] if "pixels" in run.faults else run.beta
    gram = w @ w.T
    left = (-x if "sign" in run.faults else x) @ w.T
    if "first" not in run.faults:
        left = left - gram[kind].sum(1)
    entropy = 0.0
    for sweep in range(run.sweeps):
        for h in range(PARTS):
            own = gram[kind[:, h]]
            seen = left if "own" in run.faults else left + own
            p = (beta * (2 * seen - gram.diagonal())).softmax(-1)
            kind[:, h] = drawn(p, run.faults, generator)
            left = left + own - gram[kind[:, h]]
            if sweep == run.sweeps - 1:
                entropy += float(torch.special.entr(p).sum(1).mean()) / PARTS
    return Codes(kind, entropy)


def objective(x: Tensor, w: Tensor, kind: Tensor, run: Run) -> Tensor:
    """What the sketch maximises, for codes that were drawn."""
    square = (x - w[kind].sum(1)).square()
    log_q = -run.beta * (square.mean(1) if "pixels" in run.faults else square.sum(1))
    if "weights" in run.faults:
        log_q = log_q.softmax(0).detach() * log_q
    if TWICE in run.faults:
        log_q = log_q.exp().detach() * log_q
    return log_q.mean()


def start(x: Tensor, begin: str, generator: torch.Generator) -> Tensor:
    """Prototypes ``[K, N]`` to start with."""
    noise = 0.1 * torch.randn(PROTOTYPES, x.shape[1], generator=generator)
    if begin == "images":
        return x[torch.randperm(len(x), generator=generator)[:PROTOTYPES]] / PARTS
    if begin == "noise":
        return noise
    return x.mean(0) / PARTS + (1e-3 if begin == "alike" else 0.0) * noise


def learn(x: Tensor, run: Run, seed: int, batch_size: int = 100) -> Tensor:
    """Prototypes ``[K, N]`` learned from images ``[S, N]``."""
    generator = torch.Generator().manual_seed(seed)
    w = start(x, run.begin, generator).requires_grad_()
    optimizer = torch.optim.Adam([w], lr=run.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, run.lr, total_steps=run.steps)
    for _ in range(run.steps):
        batch = x[torch.randint(len(x), (batch_size,), generator=generator)]
        if run.enumerated:
            gain = log_marginal(batch, w, PARTS, run.beta).mean()
        else:
            gain = objective(batch, w, sample(batch, w.detach(), run, generator).kind, run)
        optimizer.zero_grad()
        (-gain).backward()
        optimizer.step()
        schedule.step()
    return w.detach()

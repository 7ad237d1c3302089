"""Orthogonal matching pursuit for many images at once, over free atoms or over filters at every place."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

__all__ = ["Atoms", "Dictionary", "Filters", "learn", "pursuit"]

_RIDGE = 1e-6  # two shifts of one filter may nearly agree


class Dictionary(nn.Module, ABC):
    """A atoms of N pixels, shared by all images; ``weight [K, ...]`` is what they are made of."""

    weight: nn.Parameter
    num_atoms: int

    @abstractmethod
    def correlate(self, x: Tensor) -> Tensor:
        """Inner products ``[S, A]`` of images ``[S, N]`` with all atoms."""

    @abstractmethod
    def atoms(self, index: Tensor) -> Tensor:
        """The atoms ``[S, n, N]`` of numbers ``[S, n]``."""

    @abstractmethod
    def norms(self) -> Tensor:
        """Euclidean norms ``[A]``."""

    @torch.no_grad()
    def normalize(self) -> None:
        """Give every row of ``weight`` norm 1, in place."""
        self.weight /= self.weight.flatten(1).norm(dim=1).view(-1, *[1] * (self.weight.dim() - 1)).clamp_min(1e-12)


class Atoms(Dictionary):
    """Free atoms ``weight [A, N]``."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight, self.num_atoms = nn.Parameter(weight.clone()), len(weight)
        self.normalize()

    def correlate(self, x: Tensor) -> Tensor:
        return x @ self.weight.T

    def atoms(self, index: Tensor) -> Tensor:
        return self.weight[index]

    def norms(self) -> Tensor:
        return self.weight.norm(dim=1)


class Filters(Dictionary):
    """Filters ``weight [K, R, R]``, R odd, centred at each of the H W pixels and cut at the border: A = K H W."""

    source: Tensor

    def __init__(self, weight: Tensor, shape: tuple[int, int]) -> None:
        super().__init__()
        size, (height, width) = weight.shape[-1], shape
        self.weight, self.shape, self.num_atoms = nn.Parameter(weight.clone()), shape, len(weight) * height * width
        row, column = (torch.arange(n)[None] - torch.arange(n)[:, None] + size // 2 for n in shape)
        inside = [(0 <= offset) & (offset < size) for offset in (row, column)]
        flat = row[:, None, :, None] * size + column[None, :, None, :]
        outside = ~(inside[0][:, None, :, None] & inside[1][None, :, None, :])
        self.register_buffer("source", flat.masked_fill(outside, size * size).view(height * width, -1))
        self.normalize()

    def correlate(self, x: Tensor) -> Tensor:
        return F.conv2d(x.view(-1, 1, *self.shape), self.weight[:, None], padding="same").flatten(1)

    def atoms(self, index: Tensor) -> Tensor:
        padded = F.pad(self.weight.flatten(1), (0, 1))  # the last value is what lies outside the filter
        kind, place = index // len(self.source), index % len(self.source)
        return padded[kind[..., None], self.source[place]]

    def norms(self) -> Tensor:
        ones = torch.ones(1, 1, *self.shape)
        return F.conv2d(ones, self.weight.square()[:, None], padding="same").flatten().sqrt()


@torch.no_grad()
def pursuit(dictionary: Dictionary, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad, 1993).

    The next atom is the one most correlated with the residual; then all amplitudes are fitted anew.

    Args:
        dictionary: The atoms.
        x: Images ``[S, N]``.
        count: Number n of atoms of an image.

    Returns:
        Numbers of the atoms in the order of their choice ``[S, n]``, and amplitudes ``[S, n, n]``: row m - 1 are those
        of the first m atoms, then zeros.
    """
    index = torch.empty(len(x), 0, dtype=torch.int64)
    amplitude = x.new_zeros(len(x), count, count)
    chosen, residual = x.new_empty(len(x), 0, x.shape[1]), x
    norms = dictionary.norms().clamp_min(1e-6)
    for n in range(1, count + 1):
        score = (dictionary.correlate(residual) / norms).abs().scatter_(1, index, -1.0)
        index = torch.cat([index, score.argmax(1, keepdim=True)], 1)
        chosen = torch.cat([chosen, dictionary.atoms(index[:, -1:])], 1)
        gram = chosen @ chosen.mT + _RIDGE * torch.eye(n)
        fitted = torch.linalg.solve(gram, chosen @ x[:, :, None])
        amplitude[:, n - 1, :n] = fitted[:, :, 0]
        residual = x - (fitted.mT @ chosen)[:, 0]
    return index, amplitude


def learn(dictionary: Dictionary, x: Tensor, count: int, *, epochs: int, lr: float = 0.01, seed: int = 0) -> None:
    """Fit the atoms in place: pursuit for a batch, then a step of Adam on the error with the amplitudes held."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam([dictionary.weight], lr)
    batches = -(-len(x) // 100)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * batches)
    for _ in tqdm(range(epochs), desc=type(dictionary).__name__, leave=False):
        for part in torch.randperm(len(x), generator=generator).chunk(batches):
            index, amplitude = pursuit(dictionary, x[part], count)
            rebuilt = (amplitude[:, -1:] @ dictionary.atoms(index))[:, 0]
            optimizer.zero_grad()
            (x[part] - rebuilt).square().sum(1).mean().backward()
            optimizer.step()
            schedule.step()
            dictionary.normalize()

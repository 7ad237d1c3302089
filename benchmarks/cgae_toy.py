"""A toy of the particle code whose codes can be enumerated: what each gradient estimator aims at, exactly.

B images of D pixels, H parts with n values each, so n^H codes. The proposal draws each part from logits that are linear
in the image, the decoder is Gaussian around a sum of one prototype a part, and the images are made by it. Parameters
have a leading axis of R copies, so that one backward pass gives R independent estimates.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

__all__ = ["Toy", "gibbs", "slopes"]


@dataclass
class Toy:
    """Parameters and images of a toy, and its enumeration.

    Args:
        seed: Of parameters and images.
        noise: Standard deviation of the decoder, and of the images around what was decoded.
        num_images: B.
        pixels: D.
        num_parts: H.
        num_values: n.
    """

    seed: int
    noise: float = 2.0
    num_images: int = 3
    pixels: int = 6
    num_parts: int = 3
    num_values: int = 4

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(self.seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        table = (self.num_parts, self.num_values, self.pixels)
        self.encoder, self.decoder = normal(*table) / self.pixels**0.5, normal(*table) / self.num_parts**0.5
        values = torch.tensor(list(itertools.product(range(self.num_values), repeat=self.num_parts)))
        self.codes = values.unsqueeze(1).expand(-1, self.num_images, -1)
        true = torch.randint(self.num_values, (1, self.num_images, self.num_parts), generator=generator)
        decoded = self.decoded(self.decoder.unsqueeze(0), true)[0]
        self.images = decoded + self.noise * normal(self.num_images, self.pixels)

    def leaves(self, copies: int = 1) -> list[Tensor]:
        """Encoder and decoder ``[R, H, n, D]`` as leaves."""
        return [p.expand(copies, *p.shape).clone().requires_grad_() for p in (self.encoder, self.decoder)]

    def logits(self, encoder: Tensor) -> Tensor:
        """Of the proposal ``[R * B, H, n]``."""
        return torch.einsum("rhnd,bd->rbhn", encoder, self.images).flatten(0, 1)

    def decoded(self, decoder: Tensor, code: Tensor) -> Tensor:
        """What codes ``[K, R * B, H]``, or points between them ``[K, R * B, H, n]``, decode to: ``[K, R * B, D]``."""
        if not code.is_floating_point():
            code = one_hot(code, self.num_values).to(decoder.dtype)
        copies = code.unflatten(1, (len(decoder), -1)).flatten(-2).transpose(0, 1)
        return torch.einsum("rkbz,rzd->krbd", copies, decoder.flatten(1, 2)).flatten(1, 2)

    def log_likelihood(self, mean: Tensor) -> Tensor:
        """Of the images given what was decoded ``[K, R * B, D]``: ``[K, R * B]`` in nats."""
        images = self.images.repeat(mean.shape[1] // self.num_images, 1)
        constant = self.pixels * math.log(self.noise * math.sqrt(2 * math.pi))
        return -(images - mean).square().sum(-1) / (2 * self.noise**2) - constant

    def log_proposal(self, encoder: Tensor, code: Tensor) -> Tensor:
        """Of codes ``[K, R * B, H]``: ``[K, R * B]`` in nats."""
        every = self.logits(encoder).log_softmax(-1).expand(len(code), -1, -1, -1)
        return every.gather(-1, code.unsqueeze(-1)).sum((-1, -2))

    def enumerated(self, leaves: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Log-probability under the proposal and log-likelihood of all codes, ``[n^H, B]`` each."""
        encoder, decoder = leaves
        return self.log_proposal(encoder, self.codes), self.log_likelihood(self.decoded(decoder, self.codes))


def slopes(objective: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    """Gradients of encoder and decoder, flat: ``[R, parameters]`` each. The graph is kept."""
    found = torch.autograd.grad(objective, leaves, retain_graph=True, materialize_grads=True)
    return [g.flatten(1) for g in found]


def gibbs(table: Tensor, code: Tensor, num_values: int, sweeps: int, generator: torch.Generator) -> Tensor:
    """Codes ``[K, B, H]`` after some sweeps over the parts, by the log-joint ``table [n^H, B]`` of all codes."""
    code, parts = code.clone(), code.shape[-1]
    step = num_values ** torch.arange(parts - 1, -1, -1)
    columns = torch.arange(table.shape[1]).unsqueeze(1)
    for part in list(range(parts)) * sweeps:
        rest = ((code * step).sum(-1) - code[..., part] * step[part]).unsqueeze(-1)
        chance = table[rest + step[part] * torch.arange(num_values), columns].softmax(-1)
        drawn = torch.multinomial(chance.flatten(0, 1), 1, generator=generator)
        code[..., part] = drawn.view(code.shape[:2])
    return code

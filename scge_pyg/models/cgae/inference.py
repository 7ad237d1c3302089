"""Search for the code of an image: greedy pursuit, Gibbs sampling, annealing, parallel tempering."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.decoders import Decoder
from scge_pyg.models.cgae.draws import drawing

__all__ = ["METHODS", "Posterior", "searched"]

METHODS = {"pursuit": 2, "gibbs": 20, "annealed": 20, "tempering": 20}  # sweeps
_ANNEALING = (4.0, 1 / 4)  # times the temperature, from and to
_TEMPERATURES = (1.0, 2.0, 4.0, 8.0)  # times the temperature


class Posterior:
    r"""The codes of B images under a decoder, :math:`p_T(z \mid o) \propto e^{-E(o, z) / T}` with

    .. math:: E(o, z) = \tfrac1{2\sigma^2} \lVert o - \hat o(z) \rVert^2 + \tfrac12 \lVert b \rVert^2
        + \mathrm{price} \cdot \mathrm{parts\ used}.

    Args:
        decoder: From codes to images.
        x: Images ``[B, C, N]``.
        noise: :math:`\sigma`.
        price: Nats of a part; None: every part is used.
        num_parts: H.
        generator: Of the random numbers.
    """

    def __init__(
        self,
        decoder: Decoder,
        x: Tensor,
        *,
        noise: Tensor,
        price: float | None,
        num_parts: int,
        generator: torch.Generator | None = None,
    ) -> None:
        self.decoder, self.x, self.noise, self.price = decoder, x, noise, price
        self.num_parts, self.generator = num_parts, generator

    def empty(self) -> State:
        """No part at all."""
        shape, device = (len(self.x), self.num_parts), self.x.device
        place = torch.zeros(shape, dtype=torch.long, device=device)
        return State(place, place - 1, self.x.new_zeros(*shape, self.decoder.num_linear))

    def energy(self, state: State) -> Tensor:
        """``[B]``, in nats."""
        used = state.kind >= 0
        cost = 0.5 * state.b.square().sum((1, 2)) + (self.price or 0.0) * used.sum(1)
        return 0.5 * self.residual(state).square().sum((1, 2)) * self.noise**-2 + cost

    def residual(self, state: State) -> Tensor:
        """What the codes leave of the images ``[B, C, N]``, 0 at pixels that don't count."""
        return (self.x - self.decoder(state)) * self.decoder.canvas.observed

    def sweep(self, state: State, temperature: float | Tensor) -> State:
        """Draw every part once, each given the others."""
        return self.decoder.sweep(self.x, state, self.noise, drawing(self.price, temperature, self.generator))

    def pursuit(self, refine: int = 2) -> State:
        """Matching pursuit: the best part for what is left, H times; then ``refine`` rounds in which each part is
        chosen anew given all others, and all linear codes at once (the orthogonal form).
        """
        state = self.sweep(self.empty(), 0.0)
        for _ in range(refine):
            state = self.sweep(state, 0.0)
        return self.solved(state)

    def solved(self, state: State) -> State:
        """The linear codes of least energy for these places and prototypes: one system of H q equations an image."""
        if not self.decoder.num_linear:
            return state
        tangent = self.decoder.tangent(state) * self.decoder.canvas.observed
        tangent = tangent.flatten(3).flatten(1, 2)
        left = self.residual(state._replace(b=torch.zeros_like(state.b))).flatten(1)
        gram = tangent @ tangent.mT * self.noise**-2
        gram = gram + torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        b = torch.linalg.solve(gram, (tangent @ left.unsqueeze(2)) * self.noise**-2)
        return state._replace(b=b.view(state.b.shape))

    def annealed(self, temperatures: Sequence[float], state: State | None = None) -> State:
        """Gibbs sampling with falling temperatures, then a greedy end; the best state that was seen."""
        state = self.pursuit() if state is None else state
        best, least = state, self.energy(state)
        for temperature in (*temperatures, 0.0, 0.0):
            state = self.sweep(state, temperature)
            best, least = self._better(best, least, state)
        return self._better(best, least, self.solved(state))[0]

    def tempered(self, temperatures: Sequence[float], sweeps: int) -> tuple[State, State]:
        r"""Parallel tempering: one chain a temperature, neighbours in temperature exchange their states.

        States with :math:`E_1, E_2` and :math:`n_1, n_2` linear codes in use at :math:`T_1, T_2` are exchanged with
        probability :math:`\min(1, e^\Delta)`,

        .. math:: \Delta = (E_1 - E_2)(1 / T_1 - 1 / T_2) + \tfrac12 (n_1 - n_2) \log(T_1 / T_2),

        where the second term comes from the units :math:`(2 \pi T)^{n/2}` of the linear codes' densities.

        Returns:
            The state of the first temperature after the last sweep, and the best that any chain has seen.
        """
        chains, count = len(temperatures), len(self.x)
        heat = self.x.new_tensor(temperatures).repeat_interleave(count)
        wide = Posterior(
            self.decoder,
            self.x.repeat(chains, 1, 1),
            noise=self.noise,
            price=self.price,
            num_parts=self.num_parts,
            generator=self.generator,
        )
        start = self.pursuit()
        state = State(*(part.repeat(chains, *[1] * (part.dim() - 1)) for part in start))
        best, least = start, self.energy(start)
        order = torch.arange(chains * count, device=self.x.device).view(chains, count)
        for number in range(sweeps):
            state = wide.sweep(state, heat)
            energy = wide.energy(state).view(chains, count)
            lowest = energy.argmin(0)
            best, least = self._better(best, least, state.of(order[lowest, torch.arange(count, device=order.device)]))
            codes = ((state.kind >= 0).sum(1) * state.b.shape[2]).view(chains, count)
            state = state.of(self._exchanged(order, energy, codes, heat.view(chains, count), number % 2))
        return state.of(slice(count)), best

    def _exchanged(self, order: Tensor, energy: Tensor, codes: Tensor, heat: Tensor, first: int) -> Tensor:
        """Which state each chain goes on with ``[chains * B]``, after exchanges between every second pair."""
        low, high = slice(first, len(order) - 1, 2), slice(first + 1, len(order), 2)
        gain = (energy[low] - energy[high]) * (1 / heat[low] - 1 / heat[high])
        gain = gain + 0.5 * (codes[low] - codes[high]) * (heat[low] / heat[high]).log()
        u = torch.rand(gain.shape, generator=self.generator, dtype=gain.dtype, device=gain.device)
        swap = u.log() < gain
        taken = order.clone()
        taken[low] = torch.where(swap, order[high], order[low])
        taken[high] = torch.where(swap, order[low], order[high])
        return taken.flatten()

    def _better(self, best: State, least: Tensor, state: State) -> tuple[State, Tensor]:
        energy = self.energy(state)
        won = energy < least
        new = [torch.where(won.view(-1, *[1] * (a.dim() - 1)), a, b) for a, b in zip(state, best, strict=True)]
        return State(*new), torch.where(won, energy, least)


def searched(posterior: Posterior, method: str, temperature: float, sweeps: int) -> State:
    """The codes that one of ``METHODS`` finds in so many sweeps."""
    if method == "pursuit":
        return posterior.pursuit(sweeps)
    if method == "annealed":
        high, low = _ANNEALING
        ratios = np.geomspace(high, low, sweeps) if sweeps > 1 else [1.0] * sweeps
        return posterior.annealed([temperature * float(ratio) for ratio in ratios])
    if method == "tempering":
        return posterior.tempered([temperature * ratio for ratio in _TEMPERATURES], sweeps)[1]
    state = posterior.pursuit()
    for _ in range(sweeps):
        state = posterior.sweep(state, temperature)
    return state

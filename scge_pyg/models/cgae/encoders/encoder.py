"""What encoders have in common: a code is proposed part by part, each a place and then a prototype at it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from scge_pyg.graph.checks import whole_number
from scge_pyg.models.cgae.code import Code, State
from scge_pyg.models.cgae.decoding.decoders import joined
from scge_pyg.models.cgae.model import CGAE

__all__ = ["Encoder"]

_LOG_2 = math.log(2)
_TAKEN = 1e4  # off the logits of places that are taken; finite, so that all may be


class Encoder(nn.Module, ABC):
    r"""A proposal :math:`q_e(z \mid o) = \prod_h q(p_h \mid z_{<h}, o)\, q(k_h \mid p_h, z_{<h}, o)` with the mean of
    the linear code at each :math:`(p, k)`; a model with a price has one more place, that of no part.

    It is trained by :func:`fit_encoder`, and its ``state_dict`` holds the model's too.

    Args:
        model: The model whose codes are proposed.

    Attributes:
        scale: By which pixels are divided before they are looked at; :func:`fit_encoder` sets it.
    """

    scale: Tensor

    def __init__(self, model: CGAE) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("scale", model.noise.new_ones(()))

    @abstractmethod
    def begin(self, pixels: Tensor) -> Any:
        """What is remembered of images ``[B, C, N]`` before the first part."""

    @abstractmethod
    def places(self, memory: Any) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Logits ``[B, P]`` of the next part's place and ``[B, 1]`` of no part, if there is a price; which places may
        be had, ``[B, P]`` bool. Default: all.
        """

    @abstractmethod
    def kinds(self, memory: Any, place: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[B, K]`` of prototypes at ``place [B]``, and linear codes ``[B, K, q]``."""

    @abstractmethod
    def after(self, memory: Any, parts: State) -> Any:
        """What is remembered after the last of ``parts``."""

    def forward(self, x: Tensor) -> Code:
        """:meth:`encode` without a refinement."""
        return self.encode(x)

    @torch.no_grad()
    def encode(self, x: Tensor, refine: int = 0, *, batch_size: int = 256) -> Code:
        """The codes of images: the likeliest place, then the likeliest prototype there, one part after the other.

        Args:
            x: Images, as for :meth:`CGAE.encode`.
            refine: Rounds in which each part is chosen anew given all others, as in the pursuit of
                :meth:`CGAE.encode`; the linear codes of least energy end them.
            batch_size: Images at a time.

        Raises:
            TypeError: If ``x`` is no tensor or array of real numbers.
            ValueError: If ``x`` has another shape than the model, or is NaN or infinite somewhere.
        """
        refine = whole_number("Encoder", "refine", refine, 0)
        size = whole_number("Encoder", "batch_size", batch_size, 1)
        pixels = self.model.read(x)
        states, energies = [], []
        for batch in pixels.split(size):
            posterior = self.model.posterior(batch)
            state = self.propose(batch)[0]
            for _ in range(refine):
                state = posterior.sweep(state, 0.0)
            if refine:
                state = posterior.solved(state)
            states.append(state)
            energies.append(posterior.energy(state))
        return self.model.handed_out(State(*map(torch.cat, zip(*states, strict=True))), torch.cat(energies))

    def propose(
        self, pixels: Tensor, *, given: State | None = None, generator: torch.Generator | None = None
    ) -> tuple[State, Tensor]:
        r"""A code and :math:`\log q_e(z \mid o)` of its places and prototypes ``[B]``, which has the gradient.

        Args:
            pixels: ``[B, C, N]``.
            given: Follow this code; parts that may not be had count nothing. The linear codes are the encoder's own.
            generator: Draw the code with it. Default: the likeliest choice, part by part.
        """
        memory, log_q = self.begin(pixels), pixels.new_zeros(len(pixels))
        parts = State(*(part[:, :0] for part in self.model.posterior(pixels).empty()))
        for h in range(self.model.num_parts):
            wanted = None if given is None else State(*(part[:, h] for part in given))
            part, log_p = self._next(memory, wanted, generator)
            parts, log_q = joined([parts, part]), log_q + log_p
            memory = self.after(memory, parts)
        return parts, log_q

    def _next(self, memory: Any, wanted: State | None, generator: torch.Generator | None) -> tuple[State, Tensor]:
        """One part ``[B, 1]`` and its log-probability."""
        logits, none, free = self.places(memory)
        if free is not None:
            logits = torch.where(free, logits, logits - _TAKEN)
        log_p = (logits if none is None else torch.cat([logits, none], 1)).log_softmax(1)
        places = logits.shape[1]
        if wanted is not None:
            place = torch.where(wanted.kind >= 0, wanted.place, places)
        elif generator is not None:
            place = torch.multinomial(log_p.exp(), 1, generator=generator).squeeze(1)
        else:
            place = log_p[:, :places].argmax(1)
            if none is not None:
                place = torch.where(log_p[:, places] > -_LOG_2, places, place)
        used = place < places
        log_place, place = log_p.gather(1, place[:, None]).squeeze(1), place * used
        scores, b = self.kinds(memory, place)
        log_k = scores.log_softmax(1)
        if wanted is not None:
            kind = wanted.kind.clamp_min(0)
        elif generator is not None:
            kind = torch.multinomial(log_k.exp(), 1, generator=generator).squeeze(1)
        else:
            kind = log_k.argmax(1)
        row = torch.arange(len(kind), device=kind.device)
        log_q = log_place + log_k[row, kind] * used
        if wanted is not None and free is not None:
            log_q = log_q * (free[row, place] | ~used)
        part = State(place, torch.where(used, kind, -1), b[row, kind] * used[:, None])
        return State(*(value.unsqueeze(1) for value in part)), log_q

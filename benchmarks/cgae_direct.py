"""A Gibbs sweep in the note's own form: every part at every place is painted, and compared with the whole image."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from scge_pyg.models.cgae import CGAE
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.decoders import Terms
from scge_pyg.models.cgae.draws import log_weights


def painted(model: CGAE) -> Tensor:
    """All placements ``[N, K P]``, as the note's ``wijk``."""
    canvas, kinds, places = model.decoder.canvas, model.num_prototypes, model.num_places
    place = torch.arange(places).repeat(kinds)[None]
    kind = torch.arange(kinds).repeat_interleave(places)[None]
    bank = canvas.bank(model.decoder.weight.unsqueeze(1))
    return canvas.paint(canvas.pick(bank, kind, place), place)[0, :, 0, 0].T.contiguous()


def direct_sweep(
    all_parts: Tensor, x: Tensor, chosen: Tensor, noise: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """New choices ``[B, H]`` and the log probabilities of the last part ``[B, K P]``; images one by one, as the
    differences ``[B, N, K P]`` of a batch take 3 GB."""
    chosen, last = chosen.clone(), []
    for n, image in enumerate(x):
        left = image - all_parts[:, chosen[n]].sum(1)
        for h in range(chosen.shape[1]):
            left = left + all_parts[:, chosen[n, h]]
            log_p = (-(left[:, None] - all_parts).square().sum(0) / (2 * noise**2)).log_softmax(0)
            chosen[n, h] = torch.multinomial(log_p.exp(), 1, generator=generator)
            left = left - all_parts[:, chosen[n, h]]
        last.append(log_p)
    return chosen, torch.stack(last)


def compared(seed: int, repeats: int, images: int = 64) -> dict[str, float]:
    """Ratio of times of one sweep, and the largest difference of a conditional probability."""
    generator = torch.Generator().manual_seed(seed)
    model = CGAE((28, 28), 20, 8, 7).requires_grad_(False)
    model.decoder.weight.normal_(generator=generator)
    model.noise.fill_(3.0)
    x = torch.randn(images, 28, 28, generator=generator) * 3
    posterior = model.posterior(model.read(x), generator)
    state = posterior.sweep(posterior.empty(), 1.0)
    all_parts = painted(model)
    chosen = state.kind * model.num_places + state.place
    seen: list[Tensor] = []

    def watch(terms: Terms) -> State:
        seen.append(log_weights(terms, None, torch.ones(images)).flatten(1).log_softmax(1))
        h = len(seen) - 1
        return State(*(part[:, h : h + 1] for part in state))

    model.decoder.sweep(posterior.x, state, model.noise, watch)
    pixels = x.flatten(1)
    off = 0.0
    for n in range(images):
        left = pixels[n] - all_parts[:, chosen[n]].sum(1)
        for h in range(8):
            own = left + all_parts[:, chosen[n, h]]
            log_p = (-(own[:, None] - all_parts).square().sum(0) / 18).log_softmax(0)
            off = max(off, float((log_p.exp() - seen[h][n].exp()).abs().max()))
    times: dict[str, list[float]] = {"ours": [], "direct": []}
    for _ in range(repeats):
        start = time.perf_counter()
        state = posterior.sweep(state, 1.0)
        times["ours"].append(time.perf_counter() - start)
        start = time.perf_counter()
        chosen, _ = direct_sweep(all_parts, pixels, chosen, 3.0, generator)
        times["direct"].append(time.perf_counter() - start)
    ratios = torch.tensor(times["direct"]) / torch.tensor(times["ours"])
    return {"ratio": float(ratios.median()), "ours": float(torch.tensor(times["ours"]).median()),
            "direct": float(torch.tensor(times["direct"]).median()), "off": off}  # fmt: skip

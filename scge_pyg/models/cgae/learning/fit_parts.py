"""Learning of parts: stochastic EM with one chain an image, and what keeps prototypes from collapsing."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.occluding import OccludingDecoder
from scge_pyg.models.cgae.draws import checked_temperature
from scge_pyg.models.cgae.learning.collapse import most_alike, usage_entropy
from scge_pyg.models.cgae.learning.joining import join
from scge_pyg.models.cgae.learning.patches import clustered
from scge_pyg.models.cgae.learning.recentring import recentre
from scge_pyg.models.cgae.learning.upkeep import crowding, opacity_of, revive_unused

if TYPE_CHECKING:
    from scge_pyg.models.cgae.model import CGAE

__all__ = ["PartsFit", "fit_parts"]

_REVIVALS, _SETTLED = 20, 0.7  # rounds of revival, all in this part of the steps
_LEAST_NOISE = 1e-3  # of the standard deviation of pixels
_AVERAGED = 0.05  # of a batch in the running noise
_BLOCK = 256  # images at a time, before the first step


@dataclass(repr=False)
class PartsFit:
    """What a run of learning did, epoch by epoch.

    Args:
        errors: Squared error of an image, summed over pixels, of the codes that were learned from.
        explained: Share of the variance of pixels that these explain, against the mean image.
        entropies: Entropy of the usage of prototypes in nats, at most log K.
        alike: Cosine of the two prototypes most alike, after the best shift.
        revived: Prototypes that were started anew.
        seconds: Wall-clock time.
    """

    errors: list[float] = field(default_factory=list)
    explained: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    alike: list[float] = field(default_factory=list)
    revived: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def __repr__(self) -> str:
        if not self.errors:
            return "PartsFit(0 epochs)"
        return (
            f"PartsFit({len(self.errors)} epochs, error {self.errors[-1]:.4g} an image, explained "
            f"{self.explained[-1]:.3f}, usage {self.entropies[-1]:.3f} nats, alike {self.alike[-1]:.3f}, "
            f"{sum(self.revived)} revived, {self.seconds:.1f} s)"
        )


def fit_parts(
    model: CGAE,
    x: Tensor,
    *,
    epochs: int = 5,
    batch_size: int = 128,
    lr: float = 0.03,
    sweeps: int = 1,
    temperature: float = 1.0,
    upkeep: bool = True,
    restart: bool = True,
    seed: int = 0,
    progress: str | None = None,
) -> PartsFit:
    r"""Learn prototypes in place by the gradient of the marginal likelihood, :math:`\partial \log p(o) =
    E_{p(z \mid o)}[\partial \log p(o, z)]`, one posterior sample an image and step.

    Parts are put on a background of 0. Each image keeps its code: the first is found by pursuit, each later one
    ``sweeps`` Gibbs sweeps later. Prototypes start as k-means of pieces of the images, and are kept apart: the energy
    is multiplied by 1 plus the sum over pairs of what their cosine, after the best shift, is above 0.85. One that is
    hardly used, or the twin (:math:`\cos > 0.95`) of one used more, starts anew as a use of another prototype that is
    explained badly, and one of which most uses lie in one and the same way on those of another takes it in, in the
    first 7 of 10 steps.

    Args:
        model: The model.
        x: Images.
        epochs: Passes over them; the last, smaller batch of each is left out.
        batch_size: Images of a step.
        lr: Largest learning rate of Adam in standard deviations of a pixel; it rises and falls once.
        sweeps: Gibbs sweeps of a step.
        temperature: Of the samples; 0 learns from the best part given the others (hard EM).
        upkeep: Whether prototypes are kept apart, moved into their windows, joined and started anew.
        restart: Whether all prototypes start from the images; or else learning goes on from those of the model.
        seed: Of start, order and samples.
        progress: Title of a progress bar. Default: no bar.

    Raises:
        ValueError: If ``x`` has another shape than the model, is NaN or infinite somewhere, blank, of values too small
            or large for their type, fewer images than a batch, or fewer pieces than prototypes.
        ModuleNotFoundError: If all prototypes start from the images and scikit-learn is missing (extra ``demo``).

    Warns:
        UserWarning: If parts that were learned from the start explain less than the mean image.

    Cost: as ``sweeps`` sweeps of :meth:`CGAE.encode` an image and epoch; memory for the codes of all images.
    """
    epochs, sweeps = whole_number("CGAE.fit", "epochs", epochs, 1), whole_number("CGAE.fit", "sweeps", sweeps, 1)
    batch_size, lr = whole_number("CGAE.fit", "batch_size", batch_size, 1), positive_number("CGAE.fit", "lr", lr)
    temperature = checked_temperature("CGAE.fit", temperature)
    seed = whole_number("CGAE.fit", "seed", seed, 0, 2**63 - 1)
    pixels = model.read(x)
    if len(pixels) < batch_size:
        raise ValueError(f"CGAE.fit: x must hold at least batch_size={batch_size} images, got {len(pixels)}")
    total = float((pixels - pixels.mean(0)).square().sum((1, 2)).mean())
    if total == 0:
        raise ValueError(
            "CGAE.fit: x must differ between images, got the same image throughout; there is nothing to learn"
        )
    size, limits = float(pixels.abs().max()), torch.finfo(pixels.dtype)
    low, high = 10 * limits.tiny**0.5, 0.1 * limits.max**0.25
    if not low <= size <= high:
        raise ValueError(
            f"CGAE.fit: x must have its largest value between {low:.2g} and {high:.2g}, got {size:.3g}: squares of "
            f"pixels and of their sums leave {pixels.dtype}; divide x by its standard deviation first"
        )
    start = time.perf_counter()
    generator = torch.Generator(pixels.device).manual_seed(seed)
    least = _LEAST_NOISE * float(pixels.std())
    counted = int(model.decoder.canvas.observed.sum()) * pixels.shape[1]
    codes, first = _begin(model, pixels, generator, restart)
    model.noise.fill_(max((first / counted) ** 0.5, least))
    steps = len(pixels) // batch_size
    groups = _groups(model, lr, float(pixels.std()))
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [g["lr"] for g in groups], total_steps=steps * epochs)
    every = max(1, int(_SETTLED * steps * epochs / _REVIVALS))
    fit = PartsFit()
    with tqdm(total=steps * epochs, desc=progress, disable=progress is None, leave=False) as bar:
        for epoch in range(epochs):
            order = torch.randperm(len(pixels), generator=generator, device=pixels.device)[: steps * batch_size]
            errors, revived = [], 0
            for number, chosen in enumerate(order.split(batch_size), epoch * steps):
                batch = pixels[chosen]
                posterior = model.posterior(batch, generator)
                with torch.no_grad():
                    state = codes.of(chosen)
                    for _ in range(sweeps):
                        state = posterior.sweep(state, temperature)
                gone = posterior.residual(state)
                error = gone.square().sum((1, 2)).mean()
                optimizer.zero_grad()
                energy = 0.5 * error / model.noise**2
                if upkeep:
                    energy = energy + energy.detach() * crowding(model.decoder.weight)
                energy.backward()
                optimizer.step()
                schedule.step()
                for kept, new in zip(codes, state, strict=True):
                    kept[chosen] = new
                errors.append(error.detach())
                square = error.detach() / counted
                model.noise.copy_(((1 - _AVERAGED) * model.noise**2 + _AVERAGED * square).sqrt().clamp_min(least))
                if upkeep and number % every == every - 1 and number < _SETTLED * steps * epochs:
                    new = recentre(model.decoder, gone.detach(), state, codes) | join(model, codes, state)
                    dead = revive_unused(model, gone.detach(), state, codes.kind, generator)
                    revived += int(dead.sum())
                    _forget(optimizer, new | dead)
                bar.update()
            fit.errors.append(float(torch.stack(errors).mean()))
            fit.explained.append(1 - fit.errors[-1] / total)
            fit.entropies.append(usage_entropy(codes.kind, model.num_prototypes))
            fit.alike.append(float(most_alike(model.decoder.weight.detach()).max()))
            fit.revived.append(revived)
            bar.set_postfix(error=f"{fit.errors[-1]:.3f}")
    model.noise.fill_(max((fit.errors[-1] / counted) ** 0.5, least))
    fit.seconds = time.perf_counter() - start
    if restart and fit.explained[-1] < 0:
        warnings.warn(
            f"CGAE.fit: the parts explain less than the mean image does ({fit.explained[-1]:.2f} of the variance); "
            f"they are put on a background of 0, so subtract yours from x, and pass 1 - x for dark on white",
            UserWarning,
            stacklevel=3,
        )
    return fit


@torch.no_grad()
def _begin(model: CGAE, pixels: Tensor, generator: torch.Generator, restart: bool) -> tuple[State, float]:
    """Prototypes from pieces of the images, the codes of all images under them, and the mean error that is left."""
    decoder = model.decoder
    if restart:
        weight, basis = clustered(decoder.canvas, pixels, model.num_prototypes, model.num_linear, generator)
        decoder.weight.copy_(weight)
        decoder.basis.copy_(basis)
        if isinstance(decoder, OccludingDecoder):
            decoder.opacity.copy_(opacity_of(weight))
        model.noise.copy_(pixels.std())
    states, error = [], 0.0
    for batch in pixels.split(_BLOCK):
        posterior = model.posterior(batch, generator)
        states.append(posterior.pursuit(0))
        error += float(posterior.residual(states[-1]).square().sum())
    return State(*map(torch.cat, zip(*states, strict=True))), error / len(pixels)


def _groups(model: CGAE, lr: float, unit: float) -> list[dict[str, Any]]:
    """Values are learned in the pixels' unit, the logits of opacities in their own."""
    logits = [p for name, p in model.decoder.named_parameters() if name == "opacity"]
    values = [p for name, p in model.decoder.named_parameters() if name != "opacity"]
    return [{"params": values, "lr": lr * unit}, *([{"params": logits, "lr": lr}] if logits else [])]


def _forget(optimizer: torch.optim.Adam, prototypes: Tensor) -> None:
    """Adam's moments of prototypes ``[K]`` bool that were replaced."""
    for moments in optimizer.state.values():
        for name in ("exp_avg", "exp_avg_sq"):
            moments[name][prototypes] = 0

# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Why convolution? What an autoencoder knows about its data
#
# Squeeze an image through a code of 16 numbers and look at what comes back. A network that knows nothing about images
# has to learn from examples that a stroke may stand anywhere; a convolutional one is built that way. In this tutorial,
# you train thirteen autoencoders whose only difference is what they are told about the pixels, and look at the decoder:
#
# 1. how large the error is at the same size of code,
# 2. what lies between two images, and how fast the image changes on the way: the norm of the **Jacobian**,
# 3. how fast single images are learned,
# 4. **Lemma 1**, which ties the distance of two images to the Jacobian between their codes,
# 5. what the code does while an image moves across the frame.
#
# `python tutorials/why_convolution.py` takes the digits 0 and 1 of MNIST, from the folder that `SCGE_DATA` names or
# downloaded, and about half an hour on one core. `SCGE_QUICK=1` draws its own rings and bars, on 12x12 pixels, in
# two minutes. `SCGE_PICTURE=why.png` saves the pictures `why-strips.png`, `why-jacobian.png` and `why-examples.png`.

# %%
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from scge_pyg import HebbianLoss, NodeEmbedding, SharedGraph, discover, lower_to_conv
from scge_pyg.analysis import (
    frobenius_norm,
    hutchinson,
    jacobian_along,
    lemma1,
    path_shape,
    shift_images,
    straight,
    translation_path,
)
from scge_pyg.datasets import MNISTNodes
from scge_pyg.models.autoencoders import (
    AutoEncoder,
    ConvAutoEncoder,
    LocallyConnectedAutoEncoder,
    LocallyLinearAutoEncoder,
    MLPAutoEncoder,
    PCAAutoEncoder,
    SCGEAutoEncoder,
    SecondOrderAutoEncoder,
    fit_autoencoder,
    reconstruction_error,
)
from scge_pyg.nn import WiringSchedule
from scge_pyg.transforms import ShuffleNodes

QUICK = os.environ.get("SCGE_QUICK") == "1"
PICTURE = os.environ.get("SCGE_PICTURE")
torch.set_num_threads(1)
SEED, BATCH = 0, 32
KINDS = ("a ring", "a bar") if QUICK else ("a 0", "a 1")
SHAPE, LATENT, EPOCHS = ((12, 12), 8, 8) if QUICK else ((28, 28), 16, 4)

# %% [markdown]
# ## The data, and the same data shuffled
#
# Half of the models get the images with all pixels shuffled by one permutation, which nobody tells them.


# %%
def draw(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Rings (0) and bars (1) of any size, direction and place: images ``[count, 144, 1]`` and their kinds."""
    place, size, angle = (torch.rand(count, n, generator=generator) for n in (2, 2, 1))
    kind = torch.randint(0, 2, (count,), generator=generator)
    at = torch.cartesian_prod(torch.arange(12.0), torch.arange(12.0)) - (3 + 5 * place).unsqueeze(1)
    turn = torch.stack([(angle * torch.pi).cos(), (angle * torch.pi).sin()], 2)
    along, across = (at * turn).sum(2), (at * turn.flip(2) * torch.tensor([1.0, -1.0])).sum(2)
    radius, length = 1.2 + 1.5 * size[:, :1], 1.5 + 1.5 * size[:, 1:]
    ring = (along.square() + 1.5 * across.square()).sqrt() - radius
    bar = torch.hypot((along.abs() - length).clamp_min(0), across)
    return torch.exp(-torch.where(kind.unsqueeze(1) == 0, ring, bar).square()).unsqueeze(2), kind


def load() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Training images ``[S, N, 1]``, test images, the digits of the test images, and all images of the modality."""
    if QUICK:
        generator = torch.Generator().manual_seed(SEED)
        x, _ = draw(3000, generator)
        return x, *draw(500, generator), x
    train, test = MNISTNodes("mnist"), MNISTNodes("mnist", train=False)
    return train.x[train.y < 2], test.x[test.y < 2], test.y[test.y < 2], train.x


x, test, digit, modality = load()
shuffle = ShuffleNodes(SEED)
shuffled_modality = shuffle(modality)
PIXELS = x.shape[1]

# %% [markdown]
# ## Thirteen models
#
# The first three know nothing of neighbours: PCA, and two networks whose decoders are the simplest after a linear one,
# patches of linear maps and a map of second order. The dense ones follow. `locally connected` and `convolutional`
# are told the grid: the first has the windows of a convolution but a kernel of its own in every place, so that it is
# *sparse* and shares nothing. `conv. shuffled` *shares*, with the wrong neighbours.
#
# The SCGE models get shuffled images too, and have to find the grid. A geometry belongs to the modality, so it may come
# from all training images of it, whatever they show: the digits 0 and 1 alone leave too many pixels in doubt.
# `discover` reads it off; on a lattice the model is lowered to dense convolutions. `never snapped` keeps the
# coordinates as found. `learned` starts from random places and is taught by the reconstruction and, beside it, by
# `HebbianLoss`: what fires together is wired together. `random places` keeps its random start.

# %%
graph, free = discover(shuffled_modality), discover(shuffled_modality, snap=False)
print(graph)


def lattice_model() -> AutoEncoder:
    model = SCGEAutoEncoder(graph, 1, LATENT)
    return lower_to_conv(model, strict=True) if graph.lattice is not None else model


def random_places() -> SharedGraph:
    return SharedGraph.from_pos(NodeEmbedding(PIXELS, 2, seed=SEED)().detach())


varying = (shuffled_modality.amax(0) > shuffled_modality.amin(0)).any(1)
SHUFFLED = {"conv. shuffled", "SCGE", "SCGE never snapped", "SCGE learned", "SCGE content", "SCGE random places"}
MODELS: dict[str, tuple[Callable[[], AutoEncoder], float]] = {  # how to build it, and its largest learning rate
    "PCA": (lambda: PCAAutoEncoder(PIXELS, 1, LATENT), 0.0),
    "locally linear": (lambda: LocallyLinearAutoEncoder(PIXELS, 1, LATENT), 3e-3),
    "second order": (lambda: SecondOrderAutoEncoder(PIXELS, 1, LATENT), 1.5e-3),
    "MLP": (lambda: MLPAutoEncoder(PIXELS, 1, LATENT), 1.5e-3),
    "MLP, batch norm": (lambda: MLPAutoEncoder(PIXELS, 1, LATENT, batch_norm=True), 3e-3),
    "locally connected": (lambda: LocallyConnectedAutoEncoder(SharedGraph.from_grid(SHAPE), 1, LATENT), 3e-3),
    "convolutional": (lambda: ConvAutoEncoder(SHAPE, 1, LATENT), 3e-3),
    "conv. shuffled": (lambda: ConvAutoEncoder(SHAPE, 1, LATENT), 3e-3),
    "SCGE": (lattice_model, 3e-3),
    "SCGE never snapped": (lambda: SCGEAutoEncoder(free, 1, LATENT), 3e-3),
    "SCGE learned": (lambda: SCGEAutoEncoder(NodeEmbedding(PIXELS, 2, live=varying, seed=SEED), 1, LATENT), 3e-3),
    "SCGE content": (lambda: SCGEAutoEncoder(free, 1, LATENT, content="dot"), 3e-3),
    "SCGE random places": (lambda: SCGEAutoEncoder(random_places(), 1, LATENT), 1.5e-3),
}


def schedule(model: SCGEAutoEncoder) -> WiringSchedule:
    """Places are learned first, then beside the weights, from images of all digits."""
    teacher = HebbianLoss(model.nodes, memory=1024 if QUICK else 4096, seed=SEED)
    return WiringSchedule(teacher, model, samples=shuffled_modality, seed=SEED)


# %% [markdown]
# All are trained by one recipe: Adam, one cycle of the learning rate, batches of 32. Three test images, a 0, a 1 and
# the one that PCA does worst, are watched on the way.


# %%
def inputs(name: str, images: torch.Tensor) -> torch.Tensor:
    """Images in the order the model gets."""
    return shuffle(images) if name in SHUFFLED else images


def outputs(name: str, images: torch.Tensor) -> torch.Tensor:
    """Images of a model in true order, for our eyes."""
    return shuffle.inverse(images) if name in SHUFFLED else images


pca = PCAAutoEncoder(PIXELS, 1, LATENT)
pca.fit(x)
WATCHED = torch.tensor(
    [
        int((digit == 0).nonzero()[0]),
        int((digit == 1).nonzero()[0]),
        int((test - pca(test)).square().sum((1, 2)).argmax()),
    ]
)
steps = EPOCHS * (len(x) // BATCH)
EVERY = max(1, steps // 60)


def train(name: str) -> tuple[AutoEncoder, list[list[float]], float]:
    """The trained model, the errors of the watched images on the way, and seconds."""
    torch.manual_seed(SEED)
    build, rate = MODELS[name]
    model, watched = build(), inputs(name, test[WATCHED])
    history: list[list[float]] = []
    if isinstance(model, PCAAutoEncoder):
        start = time.perf_counter()
        return model.fit(inputs(name, x)).eval(), history, time.perf_counter() - start
    wiring = schedule(model) if name == "SCGE learned" else None

    def after_step(batch: torch.Tensor, step: int) -> None:
        if step % EVERY == 0 or step == steps - 1:
            model.eval()
            with torch.no_grad():
                history.append((model(watched) - watched).square().sum((1, 2)).tolist())
            model.train()

    options = {"epochs": EPOCHS, "batch_size": BATCH, "lr": rate, "seed": SEED}
    fit = fit_autoencoder(model, inputs(name, x), after_step=after_step, wiring=wiring, **options)
    return model.eval(), history, fit.seconds


models: dict[str, AutoEncoder] = {}
histories: dict[str, list[list[float]]] = {}
results: dict[tuple[str, str], float] = {}  # (model, measure) -> value
for name in MODELS:
    models[name], histories[name], results[name, "seconds"] = train(name)
    results[name, "error"] = reconstruction_error(models[name], inputs(name, test))
    results[name, "parameters"] = sum(p.numel() for p in models[name].parameters())
    print(f"{name:<20} error {results[name, 'error']:7.3f}  {results[name, 'seconds']:4.0f} s", flush=True)

# %% [markdown]
# ## Between two images
#
# A code has no units: multiply it by ten and let the first layer of the decoder divide by ten, and nothing has changed.
# So before decoders are compared, codes are measured in their own standard deviations: `Whitened` moves and
# turns them so that the training codes have mean zero and the identity as covariance. A Jacobian then says how
# the image changes for a step of one standard deviation.


# %%
class Whitened:
    """Encoder and decoder of a model in codes of mean zero and unit covariance."""

    def __init__(self, name: str) -> None:
        self.model = models[name]
        with torch.no_grad():
            codes = torch.cat([self.model.encode(part) for part in inputs(name, x).split(500)]).double()
        self.mean = codes.mean(0).float()
        # a little on the diagonal keeps codes apart that never vary
        little = (1e-9 * codes.var(0).mean()).clamp_min(1e-12) * torch.eye(LATENT, dtype=torch.float64)
        factor = torch.linalg.cholesky(torch.cov(codes.T) + little)
        self.factor, self.inverse = factor.T.float(), torch.linalg.inv(factor).T.float()

    @torch.no_grad()
    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return (self.model.encode(images) - self.mean) @ self.inverse

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        return self.model.decode(self.mean + code @ self.factor)


whitened = {name: Whitened(name) for name in models}
PAIRS = 16 if QUICK else 64
zeros, ones = ((digit == kind).nonzero().flatten()[:PAIRS] for kind in (0, 1))
POINTS = 17
norms: dict[str, torch.Tensor] = {}
for name, code in whitened.items():
    ends = (code.encode(inputs(name, test[chosen])) for chosen in (zeros, ones))
    path = straight(*ends, POINTS)
    norms[name] = jacobian_along(code.decode, path)
    with torch.no_grad():
        shapes = [path_shape(code.decode(one)) for one in path]
    along = norms[name]
    results[name, "Jacobian"] = float(along.mean())
    results[name, "unevenness of the Jacobian"] = float((along.std(1, correction=0) / along.mean(1)).mean())
    results[name, "straightness"] = float(torch.stack([shape.straightness for shape in shapes]).mean())
    results[name, "unevenness"] = float(torch.stack([shape.evenness for shape in shapes]).mean())

# %% [markdown]
# `straightness` is the distance between the two ends over the length of the way that the image takes, 1 for the
# shortest one; `unevenness` is the coefficient of variation of its steps, 0 if all are equal. PCA is straight and even
# by construction: it fades one image out and the other in. The question is who gets below PCA's error, and how it then
# moves.


# %%
def show(*measures: str) -> None:
    """A table in Markdown."""
    print("\n| model | " + " | ".join(measures) + " |")
    print("| --- |" + " --- |" * len(measures))
    for name in MODELS:
        values = (results[name, measure] for measure in measures)
        print(f"| {name} | " + " | ".join(f"{v:,.0f}" if v > 1000 else f"{v:.3f}" for v in values) + " |")


show("parameters", "error", "Jacobian", "unevenness of the Jacobian", "straightness", "unevenness")

# %% [markdown]
# ## Lemma 1 on a thousand pairs
#
# For any path of length L between two codes, $\|r(z_2) - r(z_1)\|^2 \le L^2 \cdot \text{mean of } \|J\|_F^2$. The notes
# that this package grew out of drop $L^2$; without it the lemma is false. `lemma1` integrates the right-hand side and
# says how far the quadrature may be off. `bound used` is the left-hand side over the right-hand one. A decoder that
# answers alike to all directions of its code would use 1 / latents of it.

# %%
generator = torch.Generator().manual_seed(SEED)
drawn = torch.randint(len(test), (2, 100 if QUICK else 1000), generator=generator)
drawn[1] = (drawn[1] + (drawn[0] == drawn[1])) % len(test)  # never one image twice
for name, code in whitened.items():
    ends = [code.encode(inputs(name, test[chosen])) for chosen in drawn]
    checked = lemma1(code.decode, straight(*ends, 2), subdivisions=2)
    results[name, "pairs that break it"] = int((~checked.holds).sum())
    results[name, "bound used"] = float((checked.left / checked.right).median())
    results[name, "slack"] = float(checked.slack.median())
    results[name, "quadrature error"] = float(checked.quadrature_error.median())
show("pairs that break it", "bound used", "slack", "quadrature error")

# %% [markdown]
# The norms above are exact. Where code and sample are both large, Hutchinson's estimate needs a few products with
# random vectors instead. Its mean over many codes should differ from the exact one by no more than its standard error
# says:

# %%
for name in ("MLP", "convolutional", "SCGE never snapped"):
    code = whitened[name]
    z = code.encode(inputs(name, test[:100]))
    exact = frobenius_norm(code.decode, z, squared=True)
    estimate = hutchinson(code.decode, z, probes=16, generator=torch.Generator().manual_seed(SEED))
    off = (estimate.value - exact).mean() / (estimate.variance.sum() / 16).sqrt() * len(z)
    results[name, "Hutchinson"] = float(off)
    print(f"Hutchinson, {name}: {float(off):+.2f} standard errors off")

# %% [markdown]
# ## Moving an image
#
# Shift a test image pixel by pixel. In the data it moves by even steps along a curve that is far from straight. A code
# that knows about translation should move as evenly.

# %%
REACH = 3 if QUICK else 4
shifts = [(0, across) for across in range(-REACH, REACH + 1)]
for name, code in whitened.items():
    found = [
        translation_path(
            code.encode, code.decode, inputs(name, shift_images(image.T.view(1, *SHAPE), shifts).flatten(2).mT)
        )
        for image in test[:PAIRS]
    ]
    for part in ("latent", "reconstruction"):
        for measure in ("straightness", "evenness"):
            values = torch.stack([getattr(getattr(one, part), measure) for one in found])
            results[name, f"{measure} of {part}"] = float(values.mean())
show(*(f"{measure} of {part}" for part in ("latent", "reconstruction") for measure in ("straightness", "evenness")))
data = torch.stack([torch.stack([one.data.straightness, one.data.evenness]) for one in found]).mean(0)
print(f"\nthe images themselves: straightness {data[0]:.3f}, evenness {data[1]:.3f} (0 is even)")

# %% [markdown]
# ## Pictures
#
# One row a model: two test images, and what lies between their codes.

# %%
if PICTURE:
    from matplotlib.figure import Figure

    from scge_pyg.plot import plot_samples

    target = Path(PICTURE)
    first, last = test[zeros[:1]], test[ones[:1]]
    rows = {}
    for name, code in whitened.items():
        with torch.no_grad():
            path = straight(*(code.encode(inputs(name, image))[0] for image in (first, last)), 9)
            between = outputs(name, code.decode(path))
        rows[name] = torch.cat([first, between, last]).clamp(0, 1).view(-1, *SHAPE)
    strips = plot_samples(rows, count=11, title="A test image, nine points between the two codes, the other test image")
    strips.savefig(target.with_stem(f"{target.stem}-strips"), dpi=110)

    COLORS = ["#222222", "#8c8c8c", "#b5a642", "#d9822b", "#f0b27a", "#8e5ea2", "#1f4e9e", "#d62728"]
    COLORS += ["#0a7f5a", "#2ca02c", "#7fcf5f", "#17becf", "#e377c2"]
    style = {name: {"color": color, "linewidth": 1.6} for name, color in zip(MODELS, COLORS, strict=True)}

    figure = Figure(figsize=(8.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    place = torch.linspace(0, 1, POINTS)
    for name, along in norms.items():
        axes.plot(place, along.mean(0), label=name, **style[name])
    axes.set_xlabel(f"place on the way from {KINDS[0]} to {KINDS[1]} (straight in the code)")
    axes.set_ylabel(r"$\|J\|_F$ per standard deviation of the code")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"Norm of the decoder's Jacobian, mean of {PAIRS} pairs")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    figure.savefig(target.with_stem(f"{target.stem}-jacobian"), dpi=130)

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    at = [step for step in range(steps) if step % EVERY == 0 or step == steps - 1]
    for axes, what, column in zip(panels, (*KINDS, "the worst one for PCA"), range(3), strict=True):
        for name, history in histories.items():
            if history:
                axes.plot(at, [errors[column] for errors in history], label=name, **style[name])
        axes.set_yscale("log")
        axes.set_xlabel("training step")
        axes.set_title(what)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("squared error of the test image")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)
    figure.savefig(target.with_stem(f"{target.stem}-examples"), dpi=130)

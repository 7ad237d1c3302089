"""Mean-field predictions against wide random networks, and Hutchinson's estimate against the exact norm.

The first table: squared singular values of the input-output Jacobian of random fully connected networks (300 wide),
mean and variance over the spectrum, with the standard error over networks, beside
`scge_pyg.analysis.spectrum_moments`. The second: Hutchinson's estimate of ||J||_F^2 with 16 probes for a decoder from
16 latents to 784 outputs: the bias over 500 samples in standard errors, and the spread of one estimate relative to the
exact value.

    python benchmarks/isometry.py
"""

from __future__ import annotations

import argparse
import math

import torch
from report import markdown_table
from torch import Tensor
from tqdm import tqdm

from scge_pyg.analysis import (
    MeanField,
    frobenius_norm,
    hutchinson,
    initialize_,
    mean_field,
    singular_values,
    spectrum_moments,
)

_WIDTH = 300
_SETTINGS = (
    ("tanh", 0.9, 0.1),
    ("tanh", 1.0526, 0.02),
    ("tanh", 1.5, 0.0),
    ("relu", math.sqrt(2), 0.0),
)


def random_network(
    activation: str, sigma_w: float, sigma_b: float, depth: int, weights: str, generator: torch.Generator
) -> torch.nn.Sequential:
    """A fully connected network in float64."""
    layers: list[torch.nn.Module] = []
    for _ in range(depth):
        layers += [torch.nn.Linear(_WIDTH, _WIDTH), torch.nn.Tanh() if activation == "tanh" else torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers).double()
    initialize_(model, gain=sigma_w, generator=generator)
    with torch.no_grad():
        for layer in model[::2]:
            layer.bias.normal_(0, sigma_b, generator=generator)
            if weights == "gaussian":
                layer.weight.normal_(0, sigma_w / _WIDTH**0.5, generator=generator)
    return model


def measured(
    activation: str, sigma_w: float, sigma_b: float, depth: int, weights: str, networks: int, field: MeanField
) -> tuple[Tensor, Tensor]:
    """Mean and variance of the squared singular values, and the standard errors."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(networks):
        model = random_network(activation, sigma_w, sigma_b, depth, weights, generator)
        x = torch.randn(1, _WIDTH, generator=generator, dtype=torch.float64)
        # the input starts the network at its fixed point
        x *= math.sqrt((field.q - sigma_b**2) / sigma_w**2) / x.square().mean().sqrt()
        square = singular_values(model, x).square()
        found.append(torch.stack([square.mean(), square.var(correction=0)]))
    every = torch.stack(found)
    return every.mean(0), every.std(0) / networks**0.5


def spectra(networks: int) -> str:
    """Table of all settings, depths and weights."""
    rows = []
    cases = [
        (setting, depth, weights)
        for setting in _SETTINGS
        for depth in (4, 16)
        for weights in ("orthogonal", "gaussian")
    ]
    for (activation, sigma_w, sigma_b), depth, weights in tqdm(cases, desc="spectra"):
        free = activation == "relu" and sigma_w**2 >= 2
        field = mean_field(activation, sigma_w, sigma_b, q=1.0 if free else None)
        mean, error = measured(activation, sigma_w, sigma_b, depth, weights, networks, field)
        expected = spectrum_moments(field, depth, weights)
        rows.append(
            [
                activation, f"{sigma_w:.3f}", f"{sigma_b:g}", f"{field.chi:.3f}", str(depth), weights,
                f"{expected.mean:.3g}", f"{mean[0]:.3g} ± {error[0]:.1g}",
                f"{expected.variance:.3g}", f"{mean[1]:.3g} ± {error[1]:.1g}",
            ]
        )  # fmt: skip
    names = ["activation", "sigma_w", "sigma_b", "chi", "depth", "weights"]
    return markdown_table(
        [*names, "mean, predicted", "mean, measured", "variance, predicted", "variance, measured"], rows
    )


def probes() -> str:
    """Table of Hutchinson's estimates."""
    torch.manual_seed(0)
    decoder = torch.nn.Sequential(
        torch.nn.Linear(16, 256), torch.nn.ReLU(), torch.nn.Linear(256, 784), torch.nn.Sigmoid()
    ).double()
    z = torch.randn(500, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = frobenius_norm(decoder, z, squared=True)
    rows = []
    for side in ("input", "output"):
        for distribution in ("rademacher", "normal"):
            found = hutchinson(decoder, z, 16, torch.Generator().manual_seed(1), distribution, side)
            bias = (found.value / exact - 1).mean() / ((found.value / exact).std() / len(z) ** 0.5)
            spread = (found.standard_error / exact).square().mean().sqrt()
            rows.append([side, distribution, f"{bias:+.2f}", f"{spread:.3f}"])
    return markdown_table(["side", "probes", "bias / standard error", "relative standard error"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=20, help="random networks for each row (default: 20)")
    networks = parser.parse_args().networks
    print(spectra(networks))
    print()
    print(probes())


if __name__ == "__main__":
    main()

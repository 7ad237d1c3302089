"""Sums of a kernel against loops over pairs, their derivatives against differences."""

import numpy as np
import pytest

from scge_pyg.discovery.counts.dense import DenseSums
from scge_pyg.discovery.counts.kernels import Kernel
from scge_pyg.discovery.counts.mesh import MeshSums

KERNELS = [Kernel("gaussian"), Kernel("exponential", 1.5), Kernel("power", 1.0)]
RNG = np.random.default_rng(3801)


def _contact(name: str, onset: float, distance: float) -> float:
    """The three kernels by their closed forms."""
    if name == "gaussian":
        return np.exp(-(distance**2) / 2)
    if name == "exponential":
        return np.exp(-onset * (np.sqrt(1 + distance**2 / onset) - 1))
    return (1 + distance**2 / onset) ** (-onset / 2)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("method", "columns"), [(DenseSums, 4), (MeshSums, 1), (MeshSums, 2), (MeshSums, 3)])
def test_sums_are_those_of_a_loop(method, columns, kernel, shared):
    z = 6 * RNG.random((40, columns))
    y = z if shared else 6 * RNG.random((30, columns))
    weight = RNG.random(len(y)) + 0.5
    expected = [
        sum(
            weight[m] * _contact(kernel.name, kernel.onset, float(np.linalg.norm(z[n] - y[m])))
            for m in range(len(y))
            if not (shared and m == n)
        )
        for n in range(len(z))
    ]
    found = method(z, y, weight, kernel, shared).total
    accuracy = 1e-12 if method is DenseSums else 2e-3
    assert np.abs(found - expected).max() < accuracy * max(expected)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("columns", "tolerance"), [(1, 0.03), (2, 0.03), (3, 0.03)])
def test_derivatives_on_the_mesh_are_those_of_all_pairs(columns, tolerance, kernel, shared):
    z = 6 * RNG.random((60, columns))
    y = z if shared else 6 * RNG.random((50, columns))
    weight, rows = RNG.random(len(y)) + 0.5, RNG.random(len(z))
    exact, mesh = (method(z, y, weight, kernel, shared) for method in (DenseSums, MeshSums))
    for one, other in zip(exact.derivatives(rows), mesh.derivatives(rows), strict=True):
        assert np.abs(one - other).max() < tolerance * np.abs(one).max()
    assert mesh.by_onset(rows) == pytest.approx(exact.by_onset(rows), rel=0.01, abs=1e-9)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_derivatives_of_all_pairs_are_differences(kernel):
    z, y = 3 * RNG.random((5, 2)), 3 * RNG.random((4, 2))
    weight, rows, step = RNG.random(4) + 0.5, RNG.random(5), 1e-6

    def value(z=z, y=y, weight=weight, kernel=kernel) -> float:
        return float(rows @ np.log(DenseSums(z, y, weight, kernel, False).total))

    by_z, by_y, by_weight = DenseSums(z, y, weight, kernel, False).derivatives(rows)
    for of, slope, name in ((z, by_z, "z"), (y, by_y, "y")):
        moved = of.copy()
        moved[2, 1] += step
        assert (value(**{name: moved}) - value()) / step == pytest.approx(slope[2, 1], rel=1e-4, abs=1e-7)
    heavier = weight.copy()
    heavier[1] *= np.exp(step)
    assert (value(weight=heavier) - value()) / step == pytest.approx(by_weight[1], rel=1e-4)
    later = Kernel(kernel.name, kernel.onset * np.exp(step))
    assert (value(kernel=later) - value()) / step == pytest.approx(
        DenseSums(z, y, weight, kernel, False).by_onset(rows), rel=1e-3, abs=1e-7
    )

"""The extrinsic Dirac operator: the sphere's spectrum, what lies between, rigid motions, flat sheets and walls."""

import math

import numpy as np
import pytest
import torch
from scipy.special import jn_zeros

from scge_pyg.zoo.meshes import TriangleMesh, icosphere, sheet
from scge_pyg.zoo.operators import DiracOperator, potential_well

SPHERE = icosphere(3)


def of_the_sphere(value):
    """Sorted values of a function of (eigenvalue of D, eigenvalue of the Laplacian) with their multiplicities."""
    positive = [value(l, l * (l + 1)) for l in range(8) for _ in range(4 * (l + 1))]  # noqa: E741
    negative = [value(-l - 1, l * (l + 1)) for l in range(1, 8) for _ in range(4 * l)]  # noqa: E741
    return torch.tensor(sorted(positive + negative), dtype=torch.double)


@pytest.mark.parametrize("relative", [False, True])
def test_the_squared_spectrum_of_the_sphere_and_its_multiplicities(relative):
    expected = of_the_sphere(lambda d, _: d**2)[:28]
    assert expected.tolist() == [0.0] * 4 + [1.0] * 8 + [4.0] * 16
    coarse, fine = (DiracOperator(icosphere(n), relative=relative).squared_spectrum(28) for n in (2, 3))
    assert torch.allclose(fine, expected, atol=0.02)
    assert float((fine - expected).abs().max()) < 0.35 * float((coarse - expected).abs().max())


def test_the_laplacian_of_the_sphere():
    operator = DiracOperator(SPHERE)
    values, functions = operator.spectrum(operator.laplacian(), 36)
    assert torch.allclose(values, of_the_sphere(lambda _, delta: delta)[:36], rtol=0.01, atol=1e-6)
    gram = np.einsum("avc,v,bvc->ab", functions, SPHERE.vertex_area, functions)
    assert np.allclose(gram, np.eye(36), atol=1e-6)


@pytest.mark.parametrize("tau", [0.2, 0.6])
def test_between_laplacian_and_dirac(tau):
    operator = DiracOperator(SPHERE)
    values, _ = operator.spectrum(operator.between(tau), 28)
    expected = of_the_sphere(lambda d, delta: (1 - tau) * delta + tau * d)[:28]
    assert torch.allclose(values, expected, atol=0.05)


def test_both_forms_are_symmetric_and_act_alike_on_smooth_functions():
    operator = DiracOperator(SPHERE)
    for matrix in (operator.squared(), operator.averaged(), operator.laplacian()):
        assert abs(matrix - matrix.T).max() < 1e-12
    _, functions = operator.spectrum(operator.between(0.3), 16)  # eigenfunctions of D, each with its own eigenvalue
    mass = operator.mass.diagonal()
    flat = functions.flatten(1).numpy()
    once = ((flat @ operator.averaged()) * flat).sum(1)
    twice = ((flat @ operator.squared()) * flat).sum(1)
    assert np.allclose(once**2, twice, atol=0.05)
    assert sorted({round(float(value)) for value in once}) == [-2, 0, 1]
    assert mass.sum() == pytest.approx(4 * float(SPHERE.area.sum()))


def test_the_gradient_by_quaternions():
    """One triangle, by the definition, with an algebra of its own."""

    def times(p, q):
        a, u, b, v = p[0], p[1:], q[0], q[1:]
        return np.concatenate([[a * b - u @ v], a * v + b * u + np.cross(u, v)])

    rng = np.random.default_rng(630)
    operator = DiracOperator(SPHERE)
    psi = rng.standard_normal((len(SPHERE.pos), 4))
    found = (operator.gradient @ psi.ravel()).reshape(-1, 4)
    for number in (0, 77):
        corners = SPHERE.face[:, number].tolist()
        total = np.zeros(4)
        for p in range(3):
            across = SPHERE.pos[corners[(p + 2) % 3]] - SPHERE.pos[corners[(p + 1) % 3]]
            total += times(np.concatenate([[0.0], across.numpy()]), psi[corners[p]])
        assert np.allclose(found[number], -total / (2 * float(SPHERE.area[number])))


def test_rigid_motions_and_scale():
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(631), dtype=torch.double))[0]
    turn = turn * torch.linalg.det(turn)
    stretched = SPHERE.pos * torch.tensor([1.0, 1.3, 0.7], dtype=torch.double)
    values = DiracOperator(TriangleMesh(stretched, SPHERE.face)).squared_spectrum(12)
    moved = DiracOperator(TriangleMesh(stretched @ turn.T + 5, SPHERE.face)).squared_spectrum(12)
    larger = DiracOperator(TriangleMesh(3 * stretched, SPHERE.face)).squared_spectrum(12)
    assert torch.allclose(values, moved, atol=1e-8)
    assert torch.allclose(larger, values / 9, atol=1e-8)
    assert float((values - DiracOperator(SPHERE).squared_spectrum(12)).abs().max()) > 0.05


def test_the_relative_operator_sees_bending_alone():
    flat = DiracOperator(sheet(6, 6), relative=True)
    assert abs(flat.gradient).max() < 1e-12
    pos = sheet(6, 6).pos.clone()
    pos[:, 2] = pos[:, 0] ** 2
    assert abs(DiracOperator(TriangleMesh(pos, sheet(6, 6).face), relative=True).gradient).max() > 0.1


def test_a_wall_makes_a_drum():
    mesh = sheet(45, 45, 2.0, 2.0)
    operator = DiracOperator(mesh)
    wall = potential_well(mesh.pos, 0.8, steepness=2000.0)
    values, functions = operator.spectrum(operator.laplacian(), 12, wall)
    expected = sorted([jn_zeros(0, 1)[0] ** 2] * 4 + [jn_zeros(1, 1)[0] ** 2] * 8)
    assert np.allclose(values * 0.64, expected, rtol=0.06)
    outside = (mesh.pos - mesh.pos.mean(0)).norm(dim=1) > 0.9
    density = functions.square().sum(2) * mesh.vertex_area
    assert float((density[:, outside].sum(1) / density.sum(1)).max()) < 1e-3
    assert float(potential_well(mesh.pos, 0.8, 7.0)[~outside].min()) < 1e-6
    assert math.isclose(float(potential_well(mesh.pos, 0.8, 7.0)[outside].max()), 7.0, rel_tol=1e-3)


def test_refused():
    with pytest.raises(TypeError, match="mesh must be a TriangleMesh"):
        DiracOperator(SPHERE.pos)
    operator = DiracOperator(icosphere(1))
    with pytest.raises(ValueError, match="tau must lie in"):
        operator.between(1.5)
    with pytest.raises(ValueError, match="count must be"):
        operator.squared_spectrum(0)
    with pytest.raises(ValueError, match=r"potential must be finite \[42\]"):
        operator.spectrum(operator.laplacian(), 2, torch.zeros(41))
    with pytest.raises(ValueError, match="radius must be"):
        potential_well(SPHERE.pos, 0.0)
    assert repr(operator).startswith("DiracOperator(TriangleMesh(vertices=42")

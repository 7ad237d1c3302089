"""Multiple eigenvalues, each as often as it is there."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp

from scge_pyg.zoo.operators.lowest_eigenpairs import lowest_eigenpairs


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("copies", [1, 4, 9])
def test_every_copy_is_found(seed, copies):
    path = sp.diags([-np.ones(29), np.r_[1.0, 2 * np.ones(28), 1.0], -np.ones(29)], [-1, 0, 1])
    matrix = sp.kron(path, sp.identity(copies), format="csr")
    mass = sp.kron(sp.diags(np.linspace(1, 2, 30)), sp.identity(copies), format="csr")
    values, vectors = lowest_eigenpairs(matrix, mass, 2 * copies + 3, seed)
    expected = scipy.linalg.eigh(matrix.toarray(), mass.toarray(), eigvals_only=True)[: 2 * copies + 3]
    assert np.allclose(values, expected, atol=1e-9)
    assert np.allclose(vectors.T @ mass @ vectors, np.eye(len(values)), atol=1e-8)
    assert np.allclose(matrix @ vectors, mass @ vectors * values, atol=1e-7)


def test_negative_ones_too():
    values, _ = lowest_eigenpairs(
        sp.diags(np.r_[[-50.0] * 3, np.arange(1, 28)]).tocsr(), sp.identity(30, format="csr"), 5
    )
    assert np.allclose(values, [-50, -50, -50, 1, 2])

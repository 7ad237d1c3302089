import numpy as np
import pytest
import scipy.sparse as sp
import torch

from scge_pyg.discovery.counts.reading import read_matrix

ROW, COL = np.array([0, 0, 1, 2]), np.array([1, 1, 0, 2])


def as_coo(value):
    return sp.coo_matrix((value, (ROW, COL)), (3, 3))


def as_torch(value):
    return torch.sparse_coo_tensor(np.stack([ROW, COL]), torch.from_numpy(value), (3, 3), check_invariants=True)


@pytest.mark.parametrize("make", [as_coo, as_torch])
@pytest.mark.parametrize(("dtype", "large"), [(np.uint8, 200), (np.int16, 30_000), (bool, 1)])
def test_repeated_entries_are_summed_beyond_their_type(make, dtype, large):
    value = np.array([large, large, 1, 1]).astype(dtype)
    expected = np.zeros((3, 3))
    np.add.at(expected, (ROW, COL), value.astype(float))
    found, names = read_matrix("counts", make(value))
    assert np.array_equal(found.toarray(), expected)
    assert names is None

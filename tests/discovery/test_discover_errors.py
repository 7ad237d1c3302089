import warnings

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from scge_pyg import discover


def test_fewer_than_three_distinct_signals():
    x = torch.randn(100, 1, generator=torch.Generator().manual_seed(0)).expand(100, 8)
    with pytest.raises(ValueError, match="at least 3 nodes must vary and differ in their signal, got 1 distinct"):
        discover(x)


def test_infinite_values_name_nodes_and_samples():
    x = torch.randn(50, 10, generator=torch.Generator().manual_seed(0))
    x[3, 2], x[3, 7], x[9, 7] = -torch.inf, torch.inf, torch.inf
    with pytest.raises(ValueError, match=r"infinite values at 2 nodes \(2, 7\) in 2 samples"):
        discover(x)


def test_all_values_missing():
    with pytest.raises(ValueError, match=r"every value of x is missing \(NaN\) in all 50 samples"):
        discover(torch.full((50, 10), torch.nan))


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match="seed must be an integer of at least 0"):
        discover(torch.rand(50, 10), seed=seed)


def test_nothing_but_constants():
    with pytest.raises(ValueError, match="all 9 nodes of x are constant, its 50 samples are the same"):
        discover(torch.ones(50, 9))


@pytest.mark.parametrize("live", [1, 2])
def test_fewer_than_three_live_nodes(live):
    x = torch.ones(50, 9)
    x[:, :live] = torch.randn(50, live, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=f"at least 3 nodes must vary and differ in their signal, got {live} distinct"):
        discover(x)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_samples(count):
    with pytest.raises(ValueError, match=f"at least 2 different samples are needed, got {count}"):
        discover(torch.rand(count, 5))


@pytest.mark.parametrize("count", [4, 10, 99])
def test_few_samples_warn_with_the_number_advised(count):
    walk = torch.randn(count, 25, generator=torch.Generator().manual_seed(0)).cumsum(1)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        graph = discover(walk)
    few = [warning for warning in record if "samples are few" in str(warning.message)]
    assert len(few) == 1
    assert issubclass(few[0].category, UserWarning)
    assert f"{count} samples are few for 25 live nodes; about 100 are advised" in str(few[0].message)
    assert few[0].filename == __file__
    assert graph.num_nodes == 25


@pytest.mark.parametrize("shape", [(10,), (4, 3, 8, 8), ()])
def test_wrong_rank(shape):
    with pytest.raises(ValueError, match=r"must be \[S, N\] or \[S, N, C\]"):
        discover(torch.zeros(shape))


@pytest.mark.parametrize("second", [(20, 8), (20, 9, 2)])
def test_batches_that_disagree(second):
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(20, 9, generator=generator), torch.randn(second, generator=generator)]
    with pytest.raises(ValueError, match="batches must share N and C"):
        discover(batches)


def test_samples_of_unequal_size_in_a_pyg_batch():
    samples = [Data(x=torch.rand(5, 1)), Data(x=torch.rand(6, 1))]
    with pytest.raises(ValueError, match="samples of equal size"):
        discover(DataLoader(samples, batch_size=2))


@pytest.mark.parametrize("dim", [0, 5, -1, 2.0, "2", True])
def test_dim_out_of_range(dim):
    with pytest.raises(ValueError, match="dim must be an integer from 1 to 4"):
        discover(torch.rand(50, 10), dim=dim)


@pytest.mark.parametrize("x", ["text", 3, {"x": torch.rand(5, 5)}, Data(x=torch.rand(5, 1)), ["a"], [None]])
def test_wrong_type(x):
    with pytest.raises(TypeError, match=r"discover: ((x|a batch) must be a tensor, an array|exactly one of x)"):
        discover(x)


def test_nothing_to_discover_from():
    with pytest.raises(TypeError, match=r"exactly one of x \(samples\), affinity and counts must be given, got none"):
        discover(None)


@pytest.mark.parametrize("x", [torch.zeros(9, 5, dtype=torch.complex64), np.zeros((9, 5), dtype=complex)])
def test_complex_samples(x):
    with pytest.raises(TypeError, match="complex"):
        discover(x)


def test_text_in_an_array():
    with pytest.raises(TypeError, match="numeric"):
        discover(np.array([["a", "b"], ["c", "d"]]))


def test_empty_iterable():
    with pytest.raises(ValueError, match="holds no batch"):
        discover([])
    used = iter([torch.rand(50, 5)])
    next(used)
    with pytest.raises(ValueError, match="holds no batch"):
        discover(used)

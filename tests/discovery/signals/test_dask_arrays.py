import threading

import numpy as np
import pytest
import torch

from scge_pyg import discover
from scge_pyg.discovery import Numbered
from scge_pyg.discovery.signals import samples as samples_module
from scge_pyg.discovery.signals.samples import read

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")


class Counting:
    """An array that dask must not copy, and that counts how often each value was read."""

    def __init__(self, x):
        self.x, self.shape, self.dtype, self.ndim = x, x.shape, x.dtype, x.ndim
        self.times = np.zeros(x.shape, dtype=int)
        self.lock = threading.Lock()

    def __getitem__(self, key):
        with self.lock:
            self.times[key] += 1
        return self.x[key]


def lazy(x, chunks):
    return da.from_array(x, chunks=chunks, asarray=False, name=False)


@pytest.fixture
def x():
    walk = np.random.default_rng(0).standard_normal((3000, 30)).cumsum(1).astype(np.float32)
    walk[walk > 12] = np.nan
    return walk[:, np.random.default_rng(1).permutation(30)]


@pytest.fixture
def little_room(monkeypatch):
    monkeypatch.setattr(samples_module, "_KEPT_BYTES", 4 * 30 * 1000)
    monkeypatch.setattr(samples_module, "_FEW", 0)


def assert_same_samples(found, expected):
    torch.testing.assert_close(found.values, expected.values, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(found.number, expected.number)
    assert torch.equal(found.live, expected.live)
    assert (found.count, found.names) == (expected.count, expected.names)


@pytest.mark.parametrize("chunks", [(700, 7), (3000, 30), (100, -1), ((1, 2999), (29, 1))])
@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_each_block_is_read_once(x, chunks, scheduler, little_room):
    counting = Counting(x)
    with dask.config.set(scheduler=scheduler):
        found = read(lazy(counting, chunks))
    assert (counting.times == 1).all()
    assert len(found.values) < 1000
    assert_same_samples(found, read(x))


def test_tasks_return_what_is_kept_alone(x, little_room, monkeypatch):
    from scge_pyg.discovery.signals import dask_arrays

    returned, keep = [], dask_arrays._keep
    monkeypatch.setattr(dask_arrays, "_keep", lambda *given: returned.append(keep(*given)) or returned[-1])
    with dask.config.set(scheduler="sync"):
        found = read(lazy(x, (100, -1)))
    assert sum(len(part.values) for part in returned) == len(found.values) < 1000


def test_the_graph_is_that_of_the_plain_array(x, assert_same):
    assert_same(discover(lazy(x, (500, 9))), discover(x))


def test_a_cluster(x, little_room):
    expected = read(x)
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        assert_same_samples(read(da.from_array(x, chunks=(700, 10))), expected)


@pytest.mark.parametrize("dtype", ["int16", "int64", "uint8", "float64", ">f4", "bool"])
def test_other_numbers(x, dtype):
    values = np.nan_to_num(x).astype(dtype)
    values[17] = 2**24 + 1 if dtype == "int64" else 1
    assert_same_samples(read(lazy(values, (300, 8)), missing_value=1), read(values, missing_value=1))


def test_masked_values_and_channels(x):
    values = np.ma.masked_greater(np.nan_to_num(x), 5).reshape(3000, 15, 2)
    found = read(da.from_array(values, chunks=(300, 4, 1)))
    assert_same_samples(found, read(values))
    assert found.values.isnan().any()


def test_numbered(x, little_room):
    order = np.random.default_rng(2).permutation(3000)
    assert_same_samples(read(Numbered(lazy(x[order], (500, 30)), order)), read(x))
    assert_same_samples(read(Numbered(lazy(x, (500, 30)), 77)), read(Numbered(x, 77)))


def test_columns_of_a_frame_are_names(x, little_room):
    pandas, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    frame = pandas.DataFrame(x, columns=[f"s{node}" for node in range(30)])
    frame["s3"] = pandas.array(np.arange(3000) // 2, dtype="Int64")
    frame.loc[4:9, "s3"] = pandas.NA
    assert_same_samples(read(dd.from_pandas(frame, npartitions=4)), read(frame))
    frame["s3"] = "a"
    with pytest.raises(TypeError, match="columns that hold no numbers: 's3'"):
        read(dd.from_pandas(frame, npartitions=4))


def test_what_is_refused(x):
    unknown = lazy(x, (500, 30))
    unknown = unknown[unknown[:, 0] < 1]
    with pytest.raises(ValueError, match=r"unknown sizes, \(nan, 30\); find them, x.compute_chunk_sizes\(\)"):
        read(unknown)
    x[2001, 7] = np.inf
    with pytest.raises(ValueError, match=r"infinite values at 1 nodes \(7\) in 1 samples \(2001\)"):
        read(lazy(x, (500, 10)))
    with pytest.raises(TypeError, match="complex"):
        read(lazy(x + 1j, (500, 10)))
    with pytest.raises(ValueError, match=r"must be \[S, N\] or \[S, N, C\], got \[3000\]"):
        read(lazy(x, (500, 10))[:, 0])
    with pytest.raises(TypeError, match="an array or a frame of dask, got its Bag"):
        read(pytest.importorskip("dask.bag").from_sequence([1, 2]))

import numpy as np
import pytest
import torch

from scge_pyg.discovery import Numbered
from scge_pyg.discovery.signals import samples as samples_module
from scge_pyg.discovery.signals.reading import blocks
from scge_pyg.discovery.signals.samples import read


@pytest.fixture
def x():
    x = torch.randn(3000, 6, generator=torch.Generator().manual_seed(0))
    x[x > 2] = torch.nan
    return x


@pytest.mark.parametrize("kind", [torch.Tensor, np.ndarray])
def test_any_order_reads_the_same(x, kind, monkeypatch):
    monkeypatch.setattr(samples_module, "_KEPT_BYTES", 4 * 6 * 1000)
    monkeypatch.setattr(samples_module, "_FEW", 300)
    whole = read(x)
    assert len(whole.values) < 1000
    order = torch.randperm(3000, generator=torch.Generator().manual_seed(3))
    convert = np.asarray if kind is np.ndarray else torch.clone
    found = read(Numbered(convert(x[some]), convert(some)) for some in order.split(128))
    torch.testing.assert_close(found.values, whole.values, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(found.number, whole.number)
    assert torch.equal(found.live, whole.live)
    assert found.count == 3000


def test_an_integer_numbers_contiguous_samples(x):
    found = read([Numbered(x[1000:], 1000), Numbered(x[:1000], np.int64(0))])
    torch.testing.assert_close(found.values.squeeze(2), x, rtol=0, atol=0, equal_nan=True)
    assert read(Numbered(x[:5], 7)).number.tolist() == [7, 8, 9, 10, 11]


def test_a_large_batch_keeps_its_numbers_in_pieces(x, monkeypatch):
    monkeypatch.setattr("scge_pyg.discovery.signals.reading._BLOCK_BYTES", 8 * 6 * 700)
    pieces = list(blocks(Numbered(x, torch.arange(3000).flip(0))))
    assert [len(piece.values) for piece in pieces] == [700, 700, 700, 700, 200]
    assert torch.cat([piece.number for piece in pieces]).tolist() == list(range(2999, -1, -1))


def test_infinite_values_are_named_by_their_number():
    x = torch.zeros(4, 3)
    x[2, 1] = torch.inf
    with pytest.raises(ValueError, match=r"at 1 nodes \(1\) in 1 samples \(90\)"):
        read(Numbered(x, torch.tensor([5, 7, 90, 2])))


@pytest.mark.parametrize(
    ("number", "error", "match"),
    [
        (torch.arange(2), ValueError, r"one for each of the 3 samples, got \(2,\)"),
        (torch.tensor([0, 1, 1]), ValueError, "sample 1 is there 2 times"),
        (torch.tensor([0, -1, 1]), ValueError, "count from 0, got -1"),
        (-1, ValueError, "count from 0, got -1"),
        (torch.tensor([0.0, 1.0, 2.0]), TypeError, "integers .* got float32"),
        (True, TypeError, "got bool"),
        (0.0, TypeError, "got float"),
        (None, TypeError, "got NoneType"),
        ("first", TypeError, "got str"),
    ],
)
def test_numbers_that_are_none(number, error, match):
    with pytest.raises(error, match=match):
        read(Numbered(torch.zeros(3, 4), number))


def test_all_batches_have_numbers_or_none(x):
    for first, second in ((x, Numbered(x, 3000)), (Numbered(x, 0), x)):
        with pytest.raises(ValueError, match="all batches must be Numbered or none, batch 1 of x differs"):
            read([first, second])

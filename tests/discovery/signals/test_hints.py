from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from scge_pyg.discovery import discover
from scge_pyg.discovery.signals import axes
from scge_pyg.discovery.signals.axes import _scaled as scaled
from scge_pyg.discovery.signals.hints import hint
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.transforms import ImageToNodes


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def smooth(*shape, sd):
    return torch.from_numpy(gaussian_filter(np.random.default_rng(0).standard_normal(shape), sd)).float()


def only(x, **kwargs):
    (text,) = hint(read(x, **kwargs))
    assert text.startswith("discover: ")
    return text


# Counters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "step"),
    [(torch.arange(500), "1"), (3 + torch.arange(500) / 128, "0.007812"), (-5e4 + 300 * torch.arange(500), "300")],
)
def test_a_first_column_that_counts(column, step):
    x = torch.cat([column[:, None], noise(500, 8)], 1)
    text = only(x)
    assert f"grows by a constant {step} from sample to sample" in text
    assert "discover(x[:, 1:])" in text
    assert "--time-column" in text
    assert hint(read(x[:, 1:])) == []


def test_a_counter_in_a_sampled_stream_and_with_a_name():
    samples = read(torch.cat([torch.arange(1000.0)[:, None], noise(1000, 2)], 1))
    kept = torch.cat([torch.arange(256), torch.arange(512, 768)])
    samples = replace(samples, values=samples.values[kept], number=kept, names=("row", "a", "b"))
    assert "discover(x.drop(columns=['row']))" in hint(samples)[0]


@pytest.mark.parametrize(
    "column",
    [torch.ones(500), -torch.arange(500.0), torch.arange(500) % 100, torch.arange(500) + 0.01 * noise(500), noise(500)],
)
def test_other_first_columns(column):
    assert not any("grows by" in text for text in hint(read(torch.cat([column[:, None], noise(500, 8)], 1))))


def test_a_counter_elsewhere_is_none():
    x = torch.cat([noise(500, 8), torch.arange(500.0)[:, None]], 1)
    assert hint(read(x)) == []
    (text,) = hint(replace(read(x), names=tuple("abcdefghi")))  # tables have columns of other kinds
    assert "the column i grows by a constant 1 from sample to sample" in text
    assert "discover(x.drop(columns=['i']))" in text
    x[3, 8] = torch.nan
    assert hint(replace(read(x), names=tuple("abcdefghi"))) == []


# Transposed ---------------------------------------------------------------------------------------------------


def test_transposed_series():
    x = smooth(4000, 20, sd=(3, 0))
    text = only(x.T)
    assert "20 samples of 4000 nodes" in text
    assert "discover(x.T)" in text
    assert hint(read(x)) == []
    gaps = x.T.clone()
    gaps[noise(20, 4000) > 2] = torch.nan
    assert "discover(x.T)" in only(gaps)
    assert "discover(x.T)" in only(x.T.double() * 1e306)


def test_a_stretch_of_many_nodes_says_that_they_are_transposed(monkeypatch):
    x = noise(6000, 20).cumsum(0)
    seen = []
    monkeypatch.setattr(axes, "_VALUES", 20 * 400)
    monkeypatch.setattr(axes, "_scaled", lambda values: seen.append(values) or scaled(values))
    assert "discover(x.T)" in only(x.T)
    assert torch.equal(seen[0], x.T[:, 2800:3200])


@pytest.mark.parametrize(
    "x",
    [
        noise(20, 4000),  # genes
        noise(20, 4000) + 5 * noise(4000),  # genes, each at a level of its own
        smooth(20, 4000, sd=(2, 2)),  # a slow field in space and time
        smooth(500, 4000, sd=(0, 2)),  # enough samples of a chain
        noise(5, 60).cumsum(1),
    ],
)
def test_many_nodes_are_no_evidence_alone(x):
    assert hint(read(x)) == []


# Images -------------------------------------------------------------------------------------------------------


def test_images_read_as_channels():
    x = smooth(400, 12, 16, sd=(0, 1, 1))
    text = only(x)
    assert "12 nodes of 16 channels" in text
    assert "transforms.ImageToNodes()(torch.as_tensor(x)[:, None])" in text
    assert hint(read(ImageToNodes()(torch.as_tensor(x)[:, None]))) == []


def test_digits():
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    assert "ImageToNodes" in only(digits.images)
    assert hint(read(digits.data)) == []
    assert hint(read(digits.data.astype(int))) == []


def test_channels_are_no_images():
    field = smooth(400, 30, 8, sd=(0, 1, 0))
    colours = field[..., :1] + 0.1 * noise(400, 30, 8)
    windows = smooth(600, 20, sd=(3, 0)).unfold(0, 12, 1)
    shuffled = smooth(400, 12, 16, sd=(0, 1, 1))[:, torch.randperm(12, generator=torch.Generator().manual_seed(3))]
    for x in (
        field,
        colours,
        colours[..., :3],
        noise(400, 12, 16),
        windows,
        windows.transpose(1, 2)[:, :, :4],
        shuffled,
    ):
        assert hint(read(x)) == []


# Missing values and what stands in for them -------------------------------------------------------------------


def test_a_node_that_misses_much():
    x = noise(1000, 6)
    x[:300, 3] = torch.nan
    x[:190, 1] = torch.nan
    text = only(x)
    assert "node 3 (30%) misses more than 20% of the values" in text
    assert "discover(numpy.delete(x, [3], axis=1))" in text
    samples = replace(read(x), names=tuple("abcdef"))
    assert "node d (30%)" in hint(samples)[0]
    assert "discover(x.drop(columns=['d']))" in hint(samples)[0]
    x[:400, :3] = torch.nan
    assert "4 nodes, 0 (40%), 1 (40%), 2 (40%), 3 (30%), miss more" in only(x)
    assert only(x).endswith("missing at random")  # without them no three nodes were left


def test_samples_that_miss_every_node_are_told_once():
    x = noise(1000, 30)
    x[::2] = torch.nan
    assert "500 of 1000 samples (50%) miss every node" in only(x)
    x[1::10, 4] = torch.nan
    assert "500 of 1000 samples" in only(x)
    x[1::4, 4] = torch.nan
    rows, nodes = hint(read(x))
    assert "500 of 1000 samples" in rows
    assert "node 4 (60%) misses" in nodes
    x[:, 1:] = torch.nan_to_num(x[:, 1:])
    assert "node 0 (50%) misses" in hint(read(x))[0]
    rare = noise(1000, 30)
    rare[::10] = torch.nan
    assert hint(read(rare)) == []


def test_nodes_without_a_signal_are_named():
    x = noise(1000, 30)
    x[:, 3], x[:, 7], x[40:, 12] = 1.5, torch.nan, torch.nan
    assert only(x) == (
        "discover: 3 nodes carry no signal and are left out (graph.live is False): 3 (constant), "
        "7 (fewer than 50 values), 12 (fewer than 50 values)"
    )
    assert sorted(set(range(30)) - set(prepare(read(x)).order.tolist())) == [3, 7, 12]
    names = tuple(f"s{node}" for node in range(30))
    x[:, 12] = noise(1000, seed=1)
    assert "s3 (constant), s7 (fewer" in hint(replace(read(x), names=names))[0]
    assert hint(read(x), names)[0] == hint(replace(read(x), names=names))[0]
    with pytest.warns(UserWarning, match="discover: ") as told:
        discover(x[:, :8], names=names[:8], progress=False)
    assert any("s3 (constant), s7 (fewer" in str(one.message) for one in told)
    x[:, 7] = noise(1000, seed=2)
    assert only(x).startswith("discover: 1 node carries no signal and is left out (graph.live is False): 3 (constant)")
    x[:, 10:25] = 0
    assert only(x).endswith(", ".join(f"{node} (constant)" for node in (3, *range(10, 17))) + " and 8 more")


def test_pixels_that_are_never_lit_are_no_mistake():
    x = (noise(1000, 30) - 1).clamp_min(0)
    x[:, :6] = 0
    assert hint(read(x)) == []
    x[:, 2] = 3
    assert "1 node carries no signal and is left out (graph.live is False): 2 (constant)" in only(x)
    assert "6 nodes carry no signal" in only(torch.cat([x[:, :7], noise(1000, 23)], 1))


def test_a_value_that_stands_in_for_missing_ones():
    x = 60 + 8 * noise(1000, 6)
    x[::20, [1, 4]] = 0
    text = only(x)
    assert "2 nodes, 1 (5.0%), 4 (5.0%), are often exactly 0 and otherwise never near it" in text
    assert "discover(x, missing_value=0)" in text
    assert hint(read(x, missing_value=0)) == []
    x[::50, 2] = -999.9
    texts = hint(read(x))
    assert len(texts) == 2
    assert "node 2 (2.0%) is often exactly -999.9 " in texts[1]
    assert "discover(x, missing_value=-999.9)" in texts[1]
    assert hint(replace(read(x), names=tuple("abcdef")))[1].startswith("discover: node c (2.0%)")


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_few_samples_say_nothing(count):
    assert hint(read(torch.arange(count * 4.0).reshape(count, 4))) == []
    assert hint(read(torch.zeros(count, 4, 6))) == []


def test_a_stream_without_a_value():
    assert hint(read(torch.full((50, 6), torch.nan))) == []
    assert hint(read(torch.full((3, 600), torch.nan))) == []
    assert hint(read(torch.zeros(50, 6, 6))) == []

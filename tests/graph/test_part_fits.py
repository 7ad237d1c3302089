"""A chain of four beside one of three and a pair, each judged by itself or not at all."""

from dataclasses import replace

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.graph import Fit

HALF = torch.tensor([[8, 6, 1, 0, 3, 2], [6, 1, 5, 3, 7, 4]])  # 5-1-6-8, 0-3-7, 2-4
WHOLE = Fit("correlation", 1.0, 1.25, 0.0, 0.8, 0.1, "geometry", 1, (1.0,), torch.arange(9.0), 90, 80.0, {"map": 1.0})


def own(values, **other):
    return replace(WHOLE, node_gain=torch.tensor(values), **other)


def graph(**options):
    return SharedGraph(torch.rand(9, 1), torch.cat([HALF, HALF.flip(0)], 1), **options)


def assert_fit(fit, gains, **figures):
    assert fit.node_gain.tolist() == gains
    for name in set(vars(WHOLE)) - {"node_gain"}:
        assert getattr(fit, name) == figures.get(name, getattr(WHOLE, name))


def test_each_part_takes_its_own_along(tmp_path):
    second = own([0.5, 0.25, 0.125], ratio=0.5, verdict="no geometry")
    whole = graph(fit=WHOLE, part_fit=[own([1.0, 2.0, 3.0, 4.0]), second, None])
    whole.save(tmp_path / "g")
    for same in (whole, whole.to("cpu"), SharedGraph.load(tmp_path / "g")):
        assert_fit(same.fit, list(range(9)))
        first, other, pair = same.parts()
        assert_fit(first.fit, [1.0, 2.0, 3.0, 4.0])
        assert_fit(other.fit, [0.5, 0.25, 0.125], ratio=0.5, verdict="no geometry")
        assert_fit(other.parts()[0].fit, [0.5, 0.25, 0.125], ratio=0.5, verdict="no geometry")
        assert pair.fit is None


def test_a_fit_alone_is_that_of_the_largest_part():
    first, other, pair = graph(fit=WHOLE).parts()
    assert_fit(first.fit, [1.0, 5.0, 6.0, 8.0])
    assert (other.fit, pair.fit) == (None, None)
    assert graph().part_fit == (None, None, None)
    assert SharedGraph(torch.rand(9, 1), HALF[:, :0], fit=WHOLE).part_fit == ()


def test_fits_of_other_nodes_are_refused():
    for wrong in (3, [1, 2, 3], "abc"):
        with pytest.raises(TypeError, match="part_fit must be a sequence of Fit or None, one a part, got"):
            graph(part_fit=wrong)
    with pytest.raises(ValueError, match=r"an entry for each of the 3 parts of at least two nodes.* got 2"):
        graph(part_fit=[None, None])
    with pytest.raises(ValueError, match=r"part_fit\[1\].node_gain must be \[3\], one entry a node, got \[9\]"):
        graph(part_fit=[None, WHOLE, None])

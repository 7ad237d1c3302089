import pytest
import torch

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import NodeBatchNorm


def test_equals_batchnorm2d_on_a_full_grid():
    norm, dense = NodeBatchNorm(3, SharedGraph.from_grid((4, 5))), torch.nn.BatchNorm2d(3)
    for training in (True, True, False):
        norm.train(training)
        dense.train(training)
        x = torch.randn(2, 20, 3) * 2 + 1
        torch.testing.assert_close(norm(x).mT, dense(x.mT.unflatten(2, (4, 5))).flatten(2))
    torch.testing.assert_close(norm.running_var, dense.running_var)


@pytest.mark.parametrize(
    "options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}], ids=str
)
def test_inactive_nodes_do_not_count(make_lattice_graph, options):
    graph = make_lattice_graph((4, 5), missing=2, dead=3, unplaced=2)
    norm, reference = NodeBatchNorm(3, graph, **options).double(), torch.nn.BatchNorm1d(3, **options).double()
    for training in (True, True, False):
        norm.train(training)
        reference.train(training)
        x = torch.randn(4, 18, 3, dtype=torch.float64) + 5
        y = norm(x)
        torch.testing.assert_close(y[:, 5:].flatten(0, 1), reference(x[:, 5:].flatten(0, 1)))
        x[:, :5] += 100
        norm.eval()
        assert not torch.equal(norm(x)[:, :5], y[:, :5])
    for name, value in reference.state_dict().items():
        torch.testing.assert_close(norm.state_dict()[name], value)


def test_layouts():
    norm = NodeBatchNorm(3, SharedGraph.from_grid((4, 5)))
    x = torch.randn(2, 20, 3)
    torch.testing.assert_close(norm(x.flatten(0, 1)), norm(x).flatten(0, 1))
    assert norm(x[0]).shape == (20, 3)
    with pytest.raises(ValueError, match=r"NodeBatchNorm: x must be \[B, 20, 3\]"):
        norm(torch.zeros(2, 20, 4))


def test_a_single_value_has_no_variance(make_lattice_graph):
    norm = NodeBatchNorm(1, make_lattice_graph((1, 3), dead=2))
    with pytest.raises(ValueError, match="at least 2 values"):
        norm(torch.zeros(1, 3, 1))
    assert torch.isfinite(norm.eval()(torch.zeros(1, 3, 1))).all()

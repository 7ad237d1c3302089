import pytest
import torch

from scge_pyg.models.autoencoders import MLPAutoEncoder
from scge_pyg.testing import assert_gradients_reach_all


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("hidden", [(9, 5), (7,), ()])
def test_widths_mirror(hidden, batch_norm):
    model = MLPAutoEncoder(6, 2, 3, hidden=hidden, batch_norm=batch_norm)
    sizes = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert sizes == [(b, a) for a, b in reversed(sizes)]
    assert sizes[0][0] == 12
    assert sizes[len(hidden)][1] == 3
    assert len(sizes) == 2 * (len(hidden) + 1)
    norms = sum(isinstance(m, torch.nn.BatchNorm1d) for m in model.modules())
    assert norms == (2 * len(hidden) if batch_norm else 0)
    assert_gradients_reach_all(model, torch.rand(8, 6, 2))


def test_without_hidden_layers_it_is_linear():
    model = MLPAutoEncoder(6, 1, 3, hidden=()).double()
    x = torch.rand(4, 6, 1, dtype=torch.float64)
    z = x.flatten(1) @ model.down[0].weight.T + model.down[0].bias
    torch.testing.assert_close(model(x).flatten(1), z @ model.up[0].weight.T + model.up[0].bias)

import pytest
import torch

from scge_pyg import SCGEConv, SharedGraph
from scge_pyg.analysis import filter_direction, filter_norms, loss_slice, top_eigenvalue
from scge_pyg.nn import NodeEmbedding


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def classification(model):
    x = torch.randn(8, 9, 2, generator=generator(), dtype=torch.float64)
    y = torch.randint(0, 3, (8,), generator=generator())
    return lambda: torch.nn.functional.cross_entropy(model(x).mean(1), y)


def model_of(name):
    torch.manual_seed(0)
    if name == "dense":
        return torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)).double()
    nodes = SharedGraph.from_grid((3, 3)) if name == "lattice" else NodeEmbedding(9, 2)
    content = "dot" if name == "content" else None
    layers = [SCGEConv(2, 1, nodes, content=content, k=None if name == "lattice" else 4), torch.nn.Linear(1, 3)]
    return torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1]).double()


def full_hessian(loss, parameters, step=1e-5):
    """Column by column, by central differences of the gradient."""
    columns = []
    for parameter in parameters:
        for entry in range(parameter.numel()):
            slopes = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.view(-1)[entry] += sign * step
                found = torch.autograd.grad(loss(), parameters)
                slopes.append(torch.cat([g.flatten() for g in found]))
                with torch.no_grad():
                    parameter.view(-1)[entry] -= sign * step
            columns.append((slopes[0] - slopes[1]) / (2 * step))
    return torch.stack(columns)


@pytest.mark.parametrize("name", ["dense", "lattice", "trainable", "content"])
def test_top_eigenvalue_is_that_of_the_full_hessian(name):
    model = model_of(name).eval()
    loss, parameters = classification(model), list(model.parameters())
    expected = torch.linalg.eigvalsh(full_hessian(loss, parameters))[-1]
    found = top_eigenvalue(loss, parameters, tolerance=1e-6, generator=generator())
    assert found.value == pytest.approx(float(expected), rel=1e-5)
    assert found.residual <= 1e-6 * found.value
    assert found.products < sum(p.numel() for p in parameters)


def test_units_scale_the_coordinates():
    model = model_of("dense")
    loss, parameters = classification(model), list(model.parameters())
    norms = filter_norms(parameters)
    scale = torch.cat([n.expand_as(p).flatten() for n, p in zip(norms, parameters, strict=True)])
    expected = torch.linalg.eigvalsh(scale[:, None] * full_hessian(loss, parameters) * scale)[-1]
    found = top_eigenvalue(loss, parameters, norms, tolerance=1e-6, generator=generator())
    assert found.value == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("diagonal", [[1.0, 5.0, -9.0], [-1.0, -2.0, -3.0], [4.0, 4.0, 4.0], [0.0, 0.0, 0.0]])
def test_top_is_the_largest_in_value_not_in_magnitude(diagonal):
    weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
    curvature = torch.tensor(diagonal, dtype=torch.float64)
    found = top_eigenvalue(lambda: (curvature * weight.square()).sum() / 2, [weight], generator=generator())
    assert found.value == pytest.approx(max(diagonal), abs=1e-9)


def test_what_units_of_0_keep_still_is_not_looked_at():
    weight = torch.ones(6, dtype=torch.float64, requires_grad=True)
    curvature = torch.tensor([-3.0, -2.0, -1.0, 5.0, 6.0, 7.0], dtype=torch.float64)
    units = torch.tensor([1.0, 1, 2, 0, 0, 0])
    found = top_eigenvalue(lambda: (curvature * weight.square()).sum() / 2, [weight], [units], generator=generator())
    assert found.value == pytest.approx(-2)


def test_a_wide_spectrum_is_found_by_a_basis_that_stays_orthogonal():
    weight = torch.zeros(300, requires_grad=True)
    curvature = torch.cat([torch.tensor([1.0, 0.999]), torch.logspace(-6, -0.5, 298)])
    found = top_eigenvalue(
        lambda: (curvature * weight.square()).sum() / 2, [weight], products=40, tolerance=0, generator=generator()
    )
    assert found.value == pytest.approx(1, rel=1e-5)
    assert found.residual < 1e-4


def test_a_loss_without_curvature_has_none():
    weight = torch.ones(3, requires_grad=True)
    assert top_eigenvalue(lambda: weight.sum(), [weight]).value == 0


def test_few_products_stay_below_the_eigenvalue_and_say_how_far_off_they_are():
    weight = torch.zeros(200, dtype=torch.float64, requires_grad=True)
    curvature = torch.linspace(0, 1, 200, dtype=torch.float64)

    def loss():
        return (curvature * weight.square()).sum() / 2

    found = top_eigenvalue(loss, [weight], products=8, generator=generator())
    assert found.products == 8
    assert found.value <= 1
    assert (curvature - found.value).abs().min() <= found.residual
    assert found.residual > 1e-3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_top_eigenvalue_is_that_of_curvlinops():
    curvlinops = pytest.importorskip("curvlinops")
    model = model_of("dense").float()
    x, y = torch.randn(20, 2, generator=generator()), torch.randint(0, 3, (20,), generator=generator())
    criterion, parameters = torch.nn.CrossEntropyLoss(), list(model.parameters())
    operator = curvlinops.HessianLinearOperator(model, criterion, parameters, [(x, y)])
    expected = torch.linalg.eigvalsh(operator @ torch.eye(operator.shape[1]))[-1]
    found = top_eigenvalue(lambda: criterion(model(x), y), parameters, generator=generator())
    assert found.value == pytest.approx(float(expected), rel=1e-3)


def test_slices_and_curvature_in_filter_units_ignore_how_layers_share_a_factor():
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 5, bias=False), torch.nn.ReLU(), torch.nn.Linear(5, 3, bias=False)
    ).double()
    loss, parameters = classification(model), list(model.parameters())

    def seen():
        way = filter_direction(parameters, generator=generator(1))
        raw = top_eigenvalue(loss, parameters, generator=generator()).value
        relative = top_eigenvalue(loss, parameters, filter_norms(parameters), generator=generator()).value
        return loss_slice(loss, parameters, way, [-0.5, 0, 0.7]), relative, raw

    before = seen()
    with torch.no_grad():
        model[0].weight *= 4
        model[2].weight /= 4
    after = seen()
    torch.testing.assert_close(before[0], after[0])
    assert before[1] == pytest.approx(after[1], rel=1e-3)
    assert before[2] != pytest.approx(after[2], rel=0.5)


def test_filters_are_the_outputs_of_the_named_axis_and_biases_stand_still():
    conv, linear, grid = SCGEConv(2, 4, SharedGraph.from_grid((3, 3))), torch.nn.Linear(3, 5), torch.nn.Conv2d(2, 6, 3)
    parameters, axes = [conv.weight, linear.weight, linear.bias, grid.weight], (-1, 0, 0, 0)
    norms = filter_norms(parameters, axes)
    assert [list(n.shape) for n in norms] == [[1, 1, 4], [5, 1], [5], [6, 1, 1, 1]]
    way = filter_direction(parameters, axes, generator())
    torch.testing.assert_close(way[3].flatten(1).norm(dim=1), grid.weight.detach().flatten(1).norm(dim=1))
    torch.testing.assert_close(way[0].flatten(0, 1).norm(dim=0), conv.weight.detach().flatten(0, 1).norm(dim=0))
    torch.testing.assert_close(way[1].norm(dim=1), linear.weight.detach().norm(dim=1))
    assert not way[2].any()


def test_a_slice_of_a_parabola_is_one_and_the_parameters_return():
    weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0]]))
    way = torch.tensor([[2.0, 1.0]])
    steps = torch.linspace(-1, 1, 5)
    found = loss_slice(lambda: weight.square().sum(), [weight], [way], steps.tolist())
    torch.testing.assert_close(found, 5 + 5 * steps.square())
    assert weight.tolist() == [[1.0, -2.0]]


def test_parameters_return_when_the_loss_raises():
    weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0]]))

    def loss():
        raise RuntimeError("no loss")

    with pytest.raises(RuntimeError, match="no loss"):
        loss_slice(loss, [weight], [torch.ones(1, 2)], [1.0])
    assert weight.tolist() == [[1.0, -2.0]]


def test_bad_input():
    weight = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(ValueError, match=r"holds no tensor"):
        top_eigenvalue(lambda: weight.sum(), [])
    with pytest.raises(ValueError, match=r"must return a scalar tensor, got \[2, 2\]"):
        top_eigenvalue(lambda: weight * 2, [weight])
    with pytest.raises(ValueError, match=r"loss\(\) holds NaN"):
        top_eigenvalue(lambda: weight.sum() * torch.nan, [weight])
    with pytest.raises(ValueError, match="doesn't depend on the parameters"):
        top_eigenvalue(lambda: weight.detach().sum(), [weight])
    still, bias = torch.ones(2), torch.zeros(3, requires_grad=True)
    with pytest.raises(ValueError, match=r"parameters \[1\] of 2 require no gradients.*requires_grad_\(\)"):
        top_eigenvalue(lambda: weight.sum() + still.sum(), [weight, still])
    with pytest.raises(ValueError, match=r"units are 0 for every parameter.*biases"):
        top_eigenvalue(lambda: bias.square().sum(), [bias], filter_norms([bias]))
    with pytest.raises(ValueError, match="units holds NaN"):
        top_eigenvalue(lambda: weight.square().sum(), [weight], [torch.full((2, 2), torch.nan)])
    with pytest.raises(ValueError, match=r"no finite second derivative.*smooth the loss"):
        top_eigenvalue(lambda: bias.abs().pow(1.5).sum(), [bias])
    with pytest.raises(ValueError, match="steps must hold at least one number"):
        loss_slice(lambda: weight.sum(), [weight], [torch.ones(2, 2)], [])
    with pytest.raises(ValueError, match="products must be a positive integer, got 0"):
        top_eigenvalue(lambda: weight.sum(), [weight], products=0)
    with pytest.raises(ValueError, match="tolerance must be at least 0"):
        top_eigenvalue(lambda: weight.sum(), [weight], tolerance=2)
    with pytest.raises(ValueError, match="units must be one tensor for each of 1 parameters, got 0"):
        top_eigenvalue(lambda: weight.sum(), [weight], [])
    with pytest.raises(ValueError, match="direction must broadcast to the parameters"):
        loss_slice(lambda: weight.sum(), [weight], [torch.ones(3)], [0.0])
    with pytest.raises(ValueError, match="axes must be one number or 1 of them, got 2"):
        filter_norms([weight], (0, 1))

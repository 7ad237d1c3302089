import pytest
import torch

from scge_pyg.analysis.derivatives import SampleFunction, check_chunk_size, check_finite, evaluate


class Plain(torch.autograd.Function):
    """tanh as torch.func refuses it; differentiable twice."""

    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * (1 - y * y)


class Once(Plain):
    """The same without a second derivative."""

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return Plain.backward(ctx, grad)


class Wrong(Plain):
    """A backward pass whose own derivative is silently wrong: half of it is hidden from autograd."""

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return (0.5 * grad + 0.5 * grad.detach()) * (1 - y * y)


WEIGHT = torch.randn(3, 7, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def function(kind):
    return {
        "torch": lambda z: torch.tanh(z @ WEIGHT),
        "plain": lambda z: Plain.apply(z @ WEIGHT),
        "once": lambda z: Once.apply(z @ WEIGHT),
        "wrong": lambda z: Wrong.apply(z @ WEIGHT),
    }[kind]


def truth(z):
    return (1 - torch.tanh(z @ WEIGHT).square()).unsqueeze(2) * WEIGHT.T


Z = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("kind", "forwards", "backwards"),
    [
        ("torch", "_forward_mode", "_reverse_mode"),
        ("plain", "_double_backward", "_backward_passes"),
        ("once", None, "_backward_passes"),
        ("wrong", None, "_backward_passes"),
    ],
)
def test_the_best_mode_that_works_is_taken(kind, forwards, backwards):
    samples = SampleFunction("test", function(kind), Z)
    found = samples.forwards()
    assert (None if found is None else found[0].__name__) == forwards
    assert samples.backwards()[0].__name__ == backwards


@pytest.mark.parametrize("kind", ["torch", "plain", "once", "wrong"])
@pytest.mark.parametrize("chunk_size", [1, 2, 7, 1000])
@pytest.mark.parametrize("mode", ["auto", "reverse"])
def test_blocks_hold_every_entry_once(kind, chunk_size, mode):
    columns, blocks = SampleFunction("test", function(kind), Z).jacobian_blocks(mode, chunk_size)
    found = torch.full((5, 7, 3), torch.nan, dtype=torch.float64)
    for rows, directions, values in blocks:
        assert values.shape[0] * values.shape[1] <= chunk_size
        part = found[rows, :, directions] if columns else found[rows, directions].transpose(1, 2)
        assert part.isnan().all()
        if columns:
            found[rows, :, directions] = values.permute(1, 2, 0)
        else:
            found[rows, directions] = values.transpose(0, 1)
    torch.testing.assert_close(found, truth(Z))


@pytest.mark.parametrize("kind", ["once", "wrong"])
def test_forward_mode_that_is_asked_for_must_exist(kind):
    with pytest.raises(ValueError, match="neither forward mode nor second derivatives"):
        SampleFunction("test", function(kind), Z).jacobian_blocks("forward", 10)


def test_bad_functions_are_named():
    with pytest.raises(ValueError, match=r"test: the function 'zeros_like' has no gradient"):
        SampleFunction("test", torch.zeros_like, Z)
    weight = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ValueError, match="no gradient with respect to z"):
        SampleFunction("test", lambda z: z.detach() @ weight, Z)
    with pytest.raises(ValueError, match="mixes samples"):
        SampleFunction("test", lambda z: z - z.mean(0), Z)
    with pytest.raises(ValueError, match=r"must map \[2, ...\] to \[2, ...\], but gave \[3, 2\]"):
        SampleFunction("test", lambda z: z.T, Z)
    with pytest.raises(ValueError, match="but gave tuple"):
        SampleFunction("test", lambda z: (z, z), Z)


def test_modules_in_training_mode_are_refused():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).double()
    for function in (model, model.forward):
        with pytest.raises(ValueError, match=r"BatchNorm1d '1' is in training mode.*call eval\(\)"):
            SampleFunction("test", function, Z)
        with pytest.raises(ValueError, match="call eval"):
            evaluate("test", function, Z, 10)
    assert int(model[1].num_batches_tracked) == 0
    with pytest.raises(ValueError, match="Dropout"):
        SampleFunction("test", torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout()).double(), Z)
    SampleFunction("test", model.eval(), Z)


@pytest.mark.parametrize("z", [torch.zeros(3), torch.zeros(0, 3), torch.zeros(2, 0), torch.tensor(1.0)])
def test_samples_need_a_batch(z):
    with pytest.raises(ValueError, match=r"z must be \[B, ...\]"):
        SampleFunction("test", lambda z: z, z)


def test_numbers_are_checked():
    with pytest.raises(ValueError, match="z holds NaN or infinity"):
        check_finite("test", "z", torch.tensor([0.0, torch.nan]))
    with pytest.raises(ValueError, match=r"floating-point tensor, got torch.int64 \[2\]"):
        check_finite("test", "z", torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="got list"):
        check_finite("test", "z", [0.0])
    for size in (0, 1.5, True):
        with pytest.raises(ValueError, match="chunk_size must be a positive integer"):
            check_chunk_size("test", size)


def test_evaluate_takes_samples_in_parts_and_no_gradient():
    seen = []

    def double(z):
        seen.append(len(z))
        return 2 * z.unsqueeze(2)

    found = evaluate("test", double, Z.clone().requires_grad_(), 2)
    assert torch.equal(found, 2 * Z)
    assert not found.requires_grad
    assert seen == [2, 2, 1]

import pytest
import torch

from scge_pyg.models.autoencoders import (
    MLPAutoEncoder,
    PCAAutoEncoder,
    fit_autoencoder,
    reconstruction_error,
    summed_squared_error,
)


def low_rank(samples=256, nodes=10, rank=2):
    generator = torch.Generator().manual_seed(0)
    codes, axes = torch.randn(samples, rank, generator=generator), torch.randn(rank, nodes, generator=generator)
    return (codes @ axes).unsqueeze(-1)


def make():
    torch.manual_seed(0)
    return MLPAutoEncoder(10, 1, 2, hidden=())


def test_error_is_the_mean_of_the_squared_distances():
    model, x = make(), low_rank()
    y = model(x).detach()
    loop = sum(float(((a - b) ** 2).sum()) for a, b in zip(x, y, strict=True)) / len(x)
    assert reconstruction_error(model, x, batch_size=50) == pytest.approx(loop, rel=1e-5)
    assert float(summed_squared_error(x, y)) == pytest.approx(loop, rel=1e-5)


def test_error_is_taken_in_evaluation_mode():
    model = MLPAutoEncoder(10, 1, 2, hidden=(6,), batch_norm=True)
    model(low_rank())
    model.train()
    error = reconstruction_error(model, low_rank())
    assert model.training
    assert error == pytest.approx(reconstruction_error(model.eval(), low_rank(), batch_size=7), rel=1e-5)
    assert int(model.down[1].num_batches_tracked) == 1


def test_it_learns_what_can_be_learned():
    model, x = make(), low_rank()
    before = reconstruction_error(model, x)
    fit = fit_autoencoder(model, x, epochs=150, batch_size=32, lr=2e-2)
    assert reconstruction_error(model, x) < 1e-3 * before
    assert len(fit.losses) == 150
    assert fit.losses[-1] < 1e-3 * fit.losses[0]
    assert not fit.diverged


def test_same_seed_same_bits():
    states = []
    for seed in (1, 1, 2):
        model = make()
        fit_autoencoder(model, low_rank(), epochs=2, batch_size=32, seed=seed)
        states.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_a_diverging_run_keeps_the_last_good_state():
    model, x = make(), low_rank()
    states = []

    def blow_up(batch, step):
        if step % 8 == 7:
            states.append({k: v.clone() for k, v in model.state_dict().items()})
        if step == 17:
            model.up[-1].weight.data.fill_(torch.nan)

    with pytest.warns(UserWarning, match=r"the loss of epoch 3 is nan.*parameters of epoch 2"):
        fit = fit_autoencoder(model, x, epochs=4, batch_size=32, after_step=blow_up)
    assert fit.diverged
    assert len(fit.losses) == 2
    assert all(torch.equal(v, states[1][k]) for k, v in model.state_dict().items())


def test_divergence_in_the_first_epoch_goes_back_to_the_start():
    model, x = make(), low_rank()
    model.initialize(x)
    start = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.warns(UserWarning, match="parameters of the start"):
        fit = fit_autoencoder(model, x, epochs=1, batch_size=32, lr=1e4)
    assert fit.diverged
    assert fit.losses == []
    assert all(torch.equal(v, start[k]) for k, v in model.state_dict().items())


def test_initialize_is_called_with_the_samples():
    class Started(MLPAutoEncoder):
        def initialize(self, x):
            self.seen = x.clone()

    model, x = Started(10, 1, 2, hidden=()), low_rank()
    fit_autoencoder(model, x, epochs=1, batch_size=32)
    assert torch.equal(model.seen, x)


def test_groups_have_their_own_rates():
    model = make()
    model.initialize(low_rank())
    still = [p.clone() for p in model.up.parameters()]
    groups = [{"params": model.down.parameters(), "lr": 1e-2}, {"params": model.up.parameters(), "lr": 0.0}]
    before = model.down[0].weight.clone()
    fit_autoencoder(model, low_rank(), epochs=1, batch_size=32, parameters=groups)
    assert all(torch.equal(a, b) for a, b in zip(still, model.up.parameters(), strict=True))
    assert not torch.equal(model.down[0].weight, before)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_samples_must_be_finite(value):
    x = low_rank()
    x[3, 2] = value
    with pytest.raises(ValueError, match="x holds 1 NaN or infinite"):
        fit_autoencoder(make(), x)


def test_too_few_samples():
    with pytest.raises(ValueError, match="at least batch_size=128 samples, got 5"):
        fit_autoencoder(make(), low_rank()[:5])


def test_nothing_to_train():
    with pytest.raises(ValueError, match=r"got PCAAutoEncoder without any.*fit\(x\)"):
        fit_autoencoder(PCAAutoEncoder(10, 1, 2), low_rank())

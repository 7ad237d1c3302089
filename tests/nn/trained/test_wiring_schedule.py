import copy

import pytest
import torch

from scge_pyg import HebbianLoss, NodeEmbedding, SCGEConv
from scge_pyg.graph import knn
from scge_pyg.models import NodeMLP, StridedClassifier, fit_classifier
from scge_pyg.models.autoencoders import SCGEAutoEncoder, fit_autoencoder
from scge_pyg.nn import WiringSchedule
from scge_pyg.nn.trained import attempts


@pytest.fixture(scope="module")
def walk():
    """Samples of a chain of nodes."""
    return torch.randn(512, 24, 1, generator=torch.Generator().manual_seed(0)).cumsum(1)


def teacher(nodes=24, **options):
    return HebbianLoss(NodeEmbedding(nodes, 2), **{"every": 10, "memory": 256, "reach": 5, **options})


class Scripted(HebbianLoss):
    """A teacher whose error is told beforehand, and who wants every place one further to the right at each lesson."""

    def __init__(self, error=lambda n: 1.0, nodes=24):
        super().__init__(NodeEmbedding(nodes, 2))
        self.told = error

    def forward(self, x):
        self.error.fill_(self.told(int(self.step)))
        self.step += 1
        return -self.embedding.weight[:, 0].sum()


def test_the_error_hands_over(walk):
    """It falls for 400 lessons, which the running mean follows; then not for a third of all."""
    schedule = WiringSchedule(Scripted(lambda n: max(1.0, 10 - 9 * n / 400)), lr=0.1)
    phases, due, rates, right = [], [], [], []
    while schedule.phase != "weights":
        phases.append(schedule.phase)
        rates.append(schedule.rate)
        due.append(schedule.step(walk[:2]))
        right.append(schedule.hebbian.embedding.weight[0, 0].item())
    searched = schedule.count // 2
    assert 700 < searched < 900
    assert max(rates[:searched]) == rates[searched] == pytest.approx(0.1)
    half = rates[searched + searched // 2]
    assert half == pytest.approx(0.05, rel=0.01)
    assert rates[-1] < 1e-5
    both = phases.index("both")
    steps = torch.tensor(right[: both - 1]).diff()  # then rows are turned along the axes
    torch.testing.assert_close(steps, torch.tensor(rates[1 : both - 1]), atol=2e-5, rtol=0.01)  # Adam's are its rate
    assert rates[both - 1] > 0.01 >= rates[both]
    assert not any(due[: both - 1])
    assert 0.15 < sum(due) / len(due[both:]) < 0.25  # one task step after every fifth lesson
    assert due[-1]
    assert not schedule.hebbian.embedding.weight.requires_grad
    assert schedule.step(walk) is True
    assert schedule.count == len(due)
    assert schedule.rate == 0


def test_however_long_it_falls(walk):
    lengths = []
    for until in (0, 3000):
        schedule = WiringSchedule(Scripted(lambda n, until=until: 1e4 * 2.0 ** (-min(n, until) / 300)))
        while schedule.phase != "weights":
            schedule.step(walk[:2])
        lengths.append(schedule.count)
    assert lengths[0] == 2 * 201
    assert 2 * 4400 < lengths[1] < 2 * 5000


def test_it_does_not_search_on_once_the_error_is_small(walk):
    schedule = WiringSchedule(Scripted(lambda n: max(0.1, 5 - n / 20)))
    while schedule.phase != "weights":
        schedule.step(walk[:2])
    assert 2 * 96 < schedule.count < 2 * 300


def test_it_finds_a_chain_without_a_task(walk):
    schedule = WiringSchedule(teacher(), seed=1)
    schedule.advance(walk)
    assert schedule.phase == "both"
    while schedule.phase != "weights":
        schedule.advance(walk)
    place = schedule.hebbian.embedding.weight.detach()
    nearest = knn(place, place, 2, exclude_self=True)[1]
    assert all({i - 1, i + 1} == set(nearest[i].tolist()) for i in range(1, 23))
    assert schedule.seconds > 0
    assert "phase='weights'" in repr(schedule)


def test_layers_share_the_table_and_coarse_levels_follow(walk):
    hebbian = Scripted()
    model = StridedClassifier(1, 2, hebbian.embedding, channels=(2, 2))
    beside = SCGEConv(1, 1, hebbian.embedding, k=3)
    other = SCGEConv(1, 1, NodeEmbedding(24, 2), k=3)
    model.extra = torch.nn.ModuleList([beside, other])
    schedule = WiringSchedule(hebbian, model)
    with torch.no_grad():
        hebbian.embedding.weight.copy_(hebbian.embedding.weight.flip(0))
    while schedule.phase != "weights":
        schedule.advance(walk)
    coarse = hebbian.embedding.coarsen(6).weight
    assert torch.cdist(model.levels[1].weight, coarse).amin(1).max() < 1e-5
    place = hebbian.embedding.weight.detach()
    assert (beside.product.table.index[:, :3].sort().values == knn(place, place, 3)[1].sort().values).all()
    frozen = [level.weight.requires_grad for level in model.levels]
    assert frozen == [False, False, False]
    assert other.source.weight.requires_grad
    assert model.body[0].product.tabulated() is not None


def test_nodes_without_partners_are_laid_beside_the_others(walk):
    """No layer may take them for neighbours of those among which they happen to lie."""
    schedule = WiringSchedule(Scripted(lambda n: 0.1), lr=1e-3)
    hebbian = schedule.hebbian
    with torch.no_grad():
        hebbian.embedding.weight.copy_(torch.stack([torch.arange(24.0) % 20, torch.zeros(24)], 1))
    hebbian.wiring[:20, 0] = torch.arange(20).add(1).clamp(max=19)
    before = hebbian.embedding.weight.detach().clone()
    while schedule.phase == "places":
        torch.testing.assert_close(hebbian.embedding.weight.detach().diff(dim=0), before.diff(dim=0), atol=0.2, rtol=0)
        schedule.step(walk[:2])
    place = hebbian.embedding.weight.detach()
    assert torch.cdist(place[20:], place[:20]).min() > 7
    torch.testing.assert_close(place[:20].diff(dim=0), before[:20].diff(dim=0), atol=0.2, rtol=0)


def test_a_lesson_leaves_the_gradient_of_the_task_alone(walk):
    schedule = WiringSchedule(teacher())
    weight = schedule.hebbian.embedding.weight
    weight.grad = torch.ones_like(weight)
    for _ in range(20):
        schedule.step(walk[:16])
    assert (weight.grad == 1).all()


@pytest.mark.parametrize(("make", "pause"), [(teacher, 30), (Scripted, 10), (Scripted, 250), (Scripted, 385)])
def test_it_goes_on_to_the_same_bits(walk, make, pause):
    def run(steps, state=None):
        schedule = WiringSchedule(make(), seed=3, batch_size=16)
        if state is not None:
            schedule.load_state_dict(state)
        for _ in range(steps):
            drawn = torch.randint(len(walk), (16,), generator=schedule._generator)
            schedule.step(walk[drawn])
        return schedule

    whole = run(pause + 30)
    resumed = run(30, copy.deepcopy(run(pause).state_dict()))
    assert torch.equal(resumed.hebbian.embedding.weight, whole.hebbian.embedding.weight)
    assert repr(resumed) == repr(whole)


@pytest.mark.parametrize("pause", [150, 420, 700])
def test_with_three_starts_it_goes_on_to_the_same_bits(walk, monkeypatch, pause):
    monkeypatch.setattr(attempts, "_FEW", -1.0)

    def run(steps, state=None):
        schedule = WiringSchedule(Scripted(), seed=3)
        if state is not None:
            schedule.load_state_dict(state)
        for _ in range(steps):
            schedule.step(walk[:2])
        return schedule

    whole, resumed = run(1400), run(1400 - pause, copy.deepcopy(run(pause).state_dict()))
    assert whole.phase == resumed.phase == "weights"
    assert whole._attempts.number == resumed._attempts.number == 2
    assert torch.equal(resumed.hebbian.embedding.weight, whole.hebbian.embedding.weight)


def test_a_new_start_is_one(walk, monkeypatch):
    """Rate, error and moments of the optimiser are those of a schedule that has just begun."""
    monkeypatch.setattr(attempts, "_FEW", -1.0)
    schedule, fresh = WiringSchedule(Scripted(lambda n: 1.0), seed=3), WiringSchedule(Scripted(), seed=3)
    while not schedule._attempts.number:
        schedule.step(walk[:2])
    first = schedule.count
    assert schedule.phase == "places"
    assert schedule.rate == fresh.rate
    assert torch.isinf(schedule.hebbian.error)
    assert not schedule._optimizer.state
    while schedule._attempts.number < 2:
        schedule.step(walk[:2])
    assert schedule.count == 2 * first  # as long as the first one


def test_a_finished_schedule_is_loaded_as_finished(walk):
    schedule = WiringSchedule(Scripted())
    while schedule.phase != "weights":
        schedule.step(walk[:2])
    other = WiringSchedule(Scripted())
    other.load_state_dict(schedule.state_dict())
    assert other.step(walk) is True
    assert not other.hebbian.embedding.weight.requires_grad


def test_an_incomplete_state_is_named():
    schedule = WiringSchedule(Scripted())
    state = schedule.state_dict()
    del state["generator"]
    with pytest.raises(ValueError, match="state lacks generator"):
        schedule.load_state_dict(state)


@pytest.mark.parametrize("kind", ["autoencoder", "classifier"])
def test_fits_train_no_weight_on_a_wrong_wiring(walk, kind):
    """The first task step comes with the second phase, and there are as many as without a schedule."""
    torch.manual_seed(0)
    hebbian = Scripted()
    if kind == "autoencoder":
        model = SCGEAutoEncoder(hebbian.embedding, 1, 2, channels=(2,), hidden=4)
    else:
        model = StridedClassifier(1, 2, hebbian.embedding, channels=(2,))
    schedule = WiringSchedule(hebbian, model, batch_size=32)
    seen = []
    model.register_forward_pre_hook(lambda *_: seen.append(schedule.phase))
    if kind == "autoencoder":
        fit = fit_autoencoder(model, walk, epochs=5, batch_size=32, wiring=schedule)
    else:
        fit = fit_classifier(model, walk, (walk[:, -1, 0] > 0).long(), epochs=5, batch_size=32, wiring=schedule)
    assert len(seen) == 5 * 512 // 32
    assert seen[0] == "both"
    assert seen[-1] == "weights"
    assert fit.seconds > schedule.seconds > 0


def test_rows_lie_along_the_axes_before_weights_learn(walk):
    schedule = WiringSchedule(Scripted(nodes=30))
    table = schedule.hebbian.embedding.weight
    cells = torch.cartesian_prod(torch.arange(5.0), torch.arange(6.0))
    with torch.no_grad():
        table.copy_(cells @ torch.tensor([[0.6, -0.8], [0.8, 0.6]]))
    schedule.advance(walk)
    found = (table - table[0]).detach()
    torch.testing.assert_close(found, found.round(), atol=1e-3, rtol=0)


def test_lessons_come_from_samples_of_its_own(walk):
    hebbian = Scripted()
    heard = []
    hebbian.register_forward_pre_hook(lambda _, args: heard.append(args[0]))
    WiringSchedule(hebbian, samples=walk, batch_size=16).advance(torch.rand(100, 3, 1))
    assert {tuple(x.shape) for x in heard} == {(16, 24, 1)}


def test_bad_arguments():
    hebbian = teacher()
    for value, match in ((torch.nn.Linear(2, 2), "must be a HebbianLoss"), (None, "must be a HebbianLoss")):
        with pytest.raises(TypeError, match=match):
            WiringSchedule(value)
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got str"):
        WiringSchedule(hebbian, "model")
    with pytest.raises(ValueError, match=r"seed must be an integer, got 1\.5"):
        WiringSchedule(hebbian, seed=1.5)
    for options in ({"lr": 0.0}, {"lr": "a"}, {"lessons": 0}, {"batch_size": 1.5}, {"regroup_every": True}):
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be a positive"):
            WiringSchedule(hebbian, **options)
    with pytest.raises(ValueError, match="no layer of NodeMLP stands on the embedding"):
        WiringSchedule(hebbian, NodeMLP(1, 2, 24))
    hebbian.embedding.weight.requires_grad_(False)
    with pytest.raises(ValueError, match="is frozen"):
        WiringSchedule(hebbian)


def test_a_teacher_in_evaluation_mode_is_refused():
    schedule = WiringSchedule(HebbianLoss(NodeEmbedding(20)))
    schedule.hebbian.eval()
    with pytest.raises(ValueError, match=r"evaluation mode.*hebbian.train\(\)"):
        schedule.advance(torch.randn(400, 20))


def test_lessons_without_samples_are_refused():
    schedule = WiringSchedule(HebbianLoss(NodeEmbedding(20)))
    with pytest.raises(ValueError, match="samples must hold at least one sample, got 0"):
        schedule.advance(torch.randn(0, 20))


def test_a_wiring_of_noise_is_told():
    x = torch.randn(2000, 30, generator=torch.Generator().manual_seed(0))
    schedule = WiringSchedule(HebbianLoss(NodeEmbedding(30)), samples=x)

    def finish():
        while schedule.phase != "weights":
            schedule.advance(x)

    with pytest.warns(UserWarning, match="found partners for [0-9]+ of 30 nodes"):
        finish()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_table_that_is_moved_midway_goes_on(dtype):
    x = torch.randn(400, 20, generator=torch.Generator().manual_seed(0)).cumsum(1)
    table = NodeEmbedding(20)
    schedule = WiringSchedule(HebbianLoss(table, every=5), samples=x)
    for _ in range(12):
        schedule.step(x[:64])
    schedule.hebbian.to(dtype)
    before = table.weight.detach().clone()
    for _ in range(3):
        schedule.step(x[:64].to(dtype))
    assert table.weight.dtype == dtype
    assert not torch.equal(table.weight, before)

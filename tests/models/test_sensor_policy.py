import math
from itertools import pairwise

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from scge_pyg.models import ActionTraces, PlaceTraces, PolicyState, SensorCell, SensorPolicy

CELLS = {"actions": lambda: ActionTraces(3), "places": lambda: PlaceTraces(3)}


def policy_of(name, sensors=7, seed=0):
    torch.manual_seed(seed)
    return SensorPolicy(sensors, 4, 3, CELLS[name](), targets=2, channels=5).double()


def episode(steps=12, batch=3, sensors=7, seed=0):
    """Values, and last actions with rewards."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(steps, batch, sensors, generator=generator, dtype=torch.float64).round()
    action = torch.randint(3, (steps, batch), generator=generator)
    reward = torch.randint(-1, 2, (steps, batch, 1), generator=generator)
    told = torch.cat([torch.nn.functional.one_hot(action, 3), reward], 2).double()
    return x, told


def played(policy, x, told, state=None):
    state, logits = state or policy.start(x.shape[1]), []
    for seen, heard in zip(x, told, strict=True):
        out, state = policy(seen, heard, state)
        logits.append(out)
    return torch.stack(logits), state


@pytest.mark.parametrize("name", CELLS)
def test_a_permutation_of_sensors_and_states_changes_nothing(name):
    policy = policy_of(name)
    x, told = episode()
    first, state = played(policy, x[:6], told[:6])
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    moved, permuted = played(policy, x[:6][:, :, order], told[:6])
    torch.testing.assert_close(moved, first, rtol=0, atol=1e-12)
    torch.testing.assert_close(permuted.memory, state.memory[:, :, order], rtol=0, atol=0)
    later, _ = played(policy, x[6:], told[6:], state)
    turned, _ = played(policy, x[6:].flip(2), told[6:], PolicyState(state.memory.flip(2), state.said))
    torch.testing.assert_close(turned, later, rtol=0, atol=1e-12)
    astray, _ = played(policy, x[6:].flip(2), told[6:], state)
    assert (astray - later).abs().max() > 1e-6


@pytest.mark.parametrize("name", CELLS)
def test_it_is_softmax_attention_of_the_queries(name):
    policy = policy_of(name)
    x, told = episode(1)
    state = policy.start(3)
    logits, after = policy(x[0], told[0], state)
    features, _ = policy.cell(x[0], told[0], state.said, state.memory)
    score = policy.gather.product.content
    scores = score.target(policy.query) @ score.source(features).mT / math.sqrt(5)
    said = scores.softmax(2) @ features @ policy.gather.weight[0] + policy.gather.bias
    torch.testing.assert_close(after.said, said.flatten(1))
    torch.testing.assert_close(logits, policy.head(torch.cat([said.flatten(1), told[0]], 1)))


@pytest.mark.parametrize("name", CELLS)
def test_doubled_sensors_count_once_and_no_parameter_depends_on_their_number(name):
    policy, larger = policy_of(name), policy_of(name, sensors=14, seed=1)
    with torch.no_grad():
        for mine, other in zip(larger.parameters(), policy.parameters(), strict=True):
            mine.copy_(other)
    x, told = episode()
    torch.testing.assert_close(played(larger, x.repeat(1, 1, 2), told)[0], played(policy, x, told)[0])


@pytest.mark.parametrize("name", CELLS)
def test_a_population_in_one_batch_equals_a_loop(name):
    policies = [policy_of(name, seed=seed) for seed in range(3)]
    parameters, buffers = stack_module_state(policies)
    x, told = episode(2)
    state = policies[0].start(3)
    state = PolicyState(torch.rand_like(state.memory), state.said)
    together = vmap(lambda p, b: functional_call(policies[0], (p, b), (x[0], told[0], state)))(parameters, buffers)
    for k, policy in enumerate(policies):
        logits, after = policy(x[0], told[0], state)
        torch.testing.assert_close(together[0][k], logits)
        torch.testing.assert_close(together[1].memory[k], after.memory)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_reach_every_parameter(name):
    policy = policy_of(name)
    logits, _ = played(policy, *episode())
    (logits * torch.randn_like(logits)).sum().backward()
    without = [key for key, value in policy.named_parameters() if value.grad is None or value.grad.abs().max() < 1e-12]
    assert without == ["gather.product.content.source.bias"]  # adds the same to all scores of a target


def stepped(x=None, told=None, state=None):
    """One step of a policy of 7 sensors and 3 agents."""
    policy = policy_of("actions")
    good = torch.zeros(3, 7).double(), torch.zeros(3, 4).double(), policy.start(3)
    return policy(*(right if given is None else given for given, right in zip((x, told, state), good, strict=True)))


def made(sensors=7, told=4, actions=3, cell=None, **options):
    return SensorPolicy(sensors, told, actions, ActionTraces(3) if cell is None else cell, **options)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: made(sensors=0), ValueError, "SensorPolicy: num_sensors must be an integer of at least 1, got 0"),
        (lambda: made(sensors=7.0), TypeError, "num_sensors must be an integer of at least 1, got 7.0"),
        (lambda: made(told=-1), ValueError, "num_told must be an integer of at least 0, got -1"),
        (lambda: made(actions=0), ValueError, "num_actions must be an integer of at least 1, got 0"),
        (lambda: made(targets=0), ValueError, "targets must be an integer of at least 1, got 0"),
        (lambda: made(channels="4"), TypeError, "channels must be an integer of at least 1, got '4'"),
        (lambda: made(cell=torch.nn.Linear(1, 1)), TypeError, "cell must be a SensorCell, got Linear; pass ActionTra"),
        (lambda: made(cell=ActionTraces(2)), ValueError, "ActionTraces is for 2 actions, but num_actions is 3"),
        (lambda: made(told=2), ValueError, "ActionTraces must be told 3 numbers or more, but num_told is 2"),
        (lambda: made(told=3, cell=PlaceTraces(3)), ValueError, "PlaceTraces must be told 4 numbers or more"),
        (lambda: ActionTraces(0), ValueError, "ActionTraces: num_actions must be an integer of at least 1, got 0"),
        (lambda: ActionTraces(2, order=0), ValueError, "ActionTraces: order must be an integer of at least 1, got 0"),
        (lambda: PlaceTraces(1.5), TypeError, "PlaceTraces: num_actions must be an integer of at least 1, got 1.5"),
        (lambda: made().start(0), ValueError, "SensorPolicy.start: batch must be an integer of at least 1, got 0"),
        (lambda: stepped(x=[0.0] * 7), TypeError, r"x must be a tensor, floating \[B, 7\], .* got list; convert it"),
        (lambda: stepped(x=torch.zeros(3, 8)), ValueError, r"x must be .*one value a sensor, got .*32 \[3, 8\]"),
        (lambda: stepped(x=torch.zeros(7)), ValueError, r"x must be floating \[B, 7\], .* got torch.float32 \[7\]"),
        (lambda: stepped(x=torch.zeros(3, 7).long()), ValueError, r"x must be floating .* got torch.int64 \[3, 7\]"),
        (lambda: stepped(x=torch.full((3, 7), torch.nan)), ValueError, "x must not have NaN, got 21 of 21; .* put 0"),
        (lambda: stepped(told=torch.zeros(3, 3)), ValueError, r"told must be floating \[3, 4\], .* got .*\[3, 3\]"),
        (lambda: stepped(told=torch.zeros(2, 4)), ValueError, r"told must be floating \[3, 4\], .* got .*\[2, 4\]"),
        (lambda: stepped(state=(0, 0)), TypeError, r"state must be a PolicyState, got tuple; begin with start\(3\)"),
        (
            lambda: stepped(state=made().start(2)),
            ValueError,
            r"state must have memory \[3, 6, 7\] and said \[3, 10\] for x \[3, 7\], got \[2, 6, 7\] and \[2, 16\]",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_cell_of_ones_own_may_do_without_actions():
    class Plain(SensorCell):
        num_features, num_memories = 1, 1

        def forward(self, x, told, said, memory):
            return x.unsqueeze(2), memory

    policy = SensorPolicy(5, 0, 2, Plain())
    assert policy(torch.rand(3, 5), torch.zeros(3, 0), policy.start(3))[0].shape == (3, 2)


def test_checks_of_values_stay_out_of_transforms_and_compilers():
    policy = policy_of("places")
    x, told = episode(2)
    together = vmap(policy, (0, None, None))(x, told[0], policy.start(3))[0]
    torch.testing.assert_close(together[1], policy(x[1], told[0], policy.start(3))[0])
    compiled = torch.compile(policy, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x[0], told[0], policy.start(3))[0], together[0])


def test_traces_of_a_cart_name_its_sensors():
    """Position and velocity under a force: the velocity answers at once, the position a step later."""
    cell = ActionTraces(2)
    generator = torch.Generator().manual_seed(0)
    force = torch.randint(2, (60,), generator=generator) * 2 - 1.0
    velocity = 0.2 * force.cumsum(0)  # after the action of each step
    position = 0.02 * torch.cat([torch.zeros(1), velocity[:-1]]).cumsum(0)
    memory = torch.zeros(1, cell.num_memories, 3)
    for step in range(60):
        told = torch.nn.functional.one_hot((force[step : step + 1] > 0).long(), 2).float()
        x = torch.stack([position[step], velocity[step], -3 * velocity[step]])
        features, memory = cell(x.unsqueeze(0), told, torch.zeros(1, 0), memory)
    near = torch.testing.assert_close
    near(features[0, :, 0], x)
    near(features[0, 1:, 1].detach(), torch.tensor([1.0, -1.0]))
    near(features[0, 0, 2].detach(), torch.tensor(1.0))
    assert features[0, 0, 1].abs() < 0.9


def test_a_strange_past_fades_at_the_rate_of_the_traces():
    cell = ActionTraces(3, order=2).double()
    x, told = episode(10)
    states = [torch.rand(3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in range(2)]
    gaps = []
    for seen, heard in zip(x, told, strict=True):
        states = [cell(seen, heard, heard, state)[1].detach() for state in states]
        gaps.append((states[1] - states[0])[:, 4:])
    for early, late in pairwise(gaps[3:]):
        torch.testing.assert_close(late, early * cell.rate.sigmoid().detach()[:, None])


def test_places_are_learned_as_a_loop_over_sensors_learns_them():
    cell = PlaceTraces(3).double()
    with torch.no_grad():
        cell.rates.copy_(torch.tensor([0.3, -0.2, 1.0, 0.4]))
    x, told = episode(30, batch=1)
    memory = torch.zeros(1, 6, 7, dtype=torch.float64)
    shown = []
    for seen, heard in zip(x, told, strict=True):
        features, memory = cell(seen, heard, heard[:, :0], memory)
        shown.append(features[0].detach())
    rise, fall, write, erase = cell.rates.sigmoid().tolist()
    for i in range(7):
        here = before = held = trace = place = known = 0.0
        for t in range(30):
            value, reward = x[t, 0, i].item(), told[t, 0, 3].item()
            here = min(1.0, max(-1.0, here + 0.2 * (told[t, 0, 2] - told[t, 0, 0]).item()))
            if value:
                held = held + rise * (1 - held) if before else held - fall * held
                trace = 1.0
            if reward > 0:
                place, known = place + write * trace * (here - place), known + write * trace * (1 - known)
            if reward < 0:
                known -= erase * trace * known
            expected = [10 * value, 10 * value * held, 10 * known * (place - here)]
            torch.testing.assert_close(shown[t][i], torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-6)
            trace = 0.0 if reward else trace
            before = value

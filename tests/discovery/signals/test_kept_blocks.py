import itertools

import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals.hashed_blocks import mix as _mix
from scge_pyg.discovery.signals.kept_blocks import KeptBlocks


def stream(count, num_nodes=3, channels=2, seed=0):
    return torch.randn(count, num_nodes, channels, generator=torch.Generator().manual_seed(seed))


def expected(count, capacity, seed):
    """Numbers of the kept samples, from the definition: the longest run of blocks by rising hash that fits."""
    numbers = np.array_split(np.arange(count), range(256, count, 256))
    kept = []
    for block in sorted(range(len(numbers)), key=lambda block: _mix(_mix(seed) + block)):
        if sum(map(len, kept)) + len(numbers[block]) > capacity:
            break
        kept.append(numbers[block])
    return np.sort(np.concatenate(kept))


def test_the_hash_is_splitmix64():
    assert _mix(0) == 0xE220A8397B1DCDAF
    assert _mix(1234567) == 6457827717110365317
    assert _mix(-1) == _mix(2**64 - 1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [1, 256, 600, 700, 701, 1000, 2048, 3000])
@pytest.mark.parametrize("capacity", [256, 700, 1024])
def test_kept_samples_are_those_of_the_definition(count, capacity, seed):
    x = stream(count)
    kept = KeptBlocks(budget=4 * 6 * capacity, seed=seed).update(x)
    values, number = kept.samples()
    assert number.tolist() == expected(count, capacity, seed).tolist()
    assert torch.equal(values, x[number])
    assert kept.count == count
    assert (count > capacity) or len(number) == count


@pytest.mark.parametrize(
    "sizes", [[3000], [1] * 300 + [2700], [255, 257, 256, 2232], [1500, 0, 1500], [77] * 38 + [74]]
)
def test_any_split_keeps_the_same(sizes):
    x = stream(3000)
    kept = KeptBlocks(budget=4 * 6 * 1000, seed=5)
    for part in x.split(sizes):
        kept.update(part)
    values, number = kept.samples()
    assert number.tolist() == expected(3000, 1000, 5).tolist()
    assert torch.equal(values, x[number])


@pytest.mark.parametrize("batch", [1, 97, 3000])
@pytest.mark.parametrize("capacity", [700, 5000])
def test_samples_by_number_in_any_order_keep_the_same(batch, capacity):
    x, order = stream(3000), torch.randperm(3000, generator=torch.Generator().manual_seed(3))
    kept = KeptBlocks(budget=4 * 6 * capacity, seed=1)
    for some in order.split(batch):
        kept.update(x[some], some)
    values, number = kept.samples()
    assert number.tolist() == expected(3000, capacity, 1).tolist()
    assert torch.equal(values, x[number])


@pytest.mark.parametrize("capacity", [700, 5000])
def test_interleaved_parts_merge_to_the_same(capacity):
    x = stream(3000)
    parts = [KeptBlocks(budget=4 * 6 * capacity, seed=1) for _ in range(3)]
    for rank, part in enumerate(parts):
        for some in torch.arange(rank, 3000, 3).split(130):
            part.update(x[some], some)
    values, number = parts[2].merge(parts[0]).merge(parts[1]).samples()
    assert number.tolist() == expected(3000, capacity, 1).tolist()
    assert torch.equal(values, x[number])
    with pytest.raises(ValueError, match=rf"both hold sample {expected(3000, capacity, 1)[0]} of"):
        parts[2].merge(KeptBlocks(budget=4 * 6 * capacity, seed=1).update(x))


def test_a_sample_that_came_twice_is_refused():
    x = stream(300)
    kept = KeptBlocks().update(x).update(x[:1], torch.tensor([17]))
    with pytest.raises(ValueError, match=r"sample 17 was handed over twice; .* DistributedSampler"):
        kept.samples()


def test_what_was_handed_out_does_not_change():
    x = stream(600)
    kept = KeptBlocks(budget=4 * 6 * 1000).update(x[300:], torch.arange(300, 600))
    values, _ = kept.samples()
    before = values.clone()
    kept.update(x[:300], torch.arange(300)).samples()
    assert torch.equal(values, before)
    assert torch.equal(kept.samples()[0], x)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
@pytest.mark.parametrize("capacity", [700, 5000])
def test_merging_in_any_order_keeps_the_same(order, capacity):
    x, cuts = stream(3000), [0, 300, 1111, 2048, 3000]
    parts = [
        KeptBlocks(budget=4 * 6 * capacity, seed=1, start=first).update(x[first:last])
        for first, last in itertools.pairwise(cuts)
    ]
    whole = parts[order[0]]
    for place in order[1:]:
        assert whole.merge(parts[place]) is whole
    values, number = whole.samples()
    assert number.tolist() == expected(3000, capacity, 1).tolist()
    assert torch.equal(values, x[number])
    assert whole.count == 3000


@pytest.mark.parametrize(("few", "capacity"), [(0, 600), (500, 600), (900, 900), (5000, 1200)])
def test_few_samples_may_take_up_to_twice_the_budget(few, capacity):
    x = stream(3000)
    kept = KeptBlocks(budget=4 * x[0].numel() * 600, few=few)
    for part in x.split(137):
        kept.update(part)
    assert kept.capacity == capacity
    assert kept.samples()[1].tolist() == expected(3000, capacity, 0).tolist()


@pytest.mark.parametrize(("most", "capacity"), [(500, 500), (700, 600), (9, 256)])
def test_there_is_a_most(most, capacity):
    x = stream(3000)
    kept = KeptBlocks(budget=4 * x[0].numel() * 600, most=most).update(x)
    assert kept.capacity == capacity
    assert kept.samples()[1].tolist() == expected(3000, capacity, 0).tolist()


def test_merging_refuses_what_does_not_fit():
    x = stream(300)
    with pytest.raises(ValueError, match="same budget, few, most and seed"):
        KeptBlocks(seed=0).merge(KeptBlocks(seed=1))
    with pytest.raises(ValueError, match="same budget, few, most and seed"):
        KeptBlocks(few=9).merge(KeptBlocks())
    with pytest.raises(ValueError, match="both hold sample 100"):
        KeptBlocks().update(x[:200]).merge(KeptBlocks(start=100).update(x[100:]))
    with pytest.raises(ValueError, match="must have 2 channels, got 1"):
        KeptBlocks().update(x).merge(KeptBlocks(start=300).update(x[:, :, :1]))


def test_seeds_choose_different_blocks_each_equally_often():
    times = np.zeros(10)
    for seed in range(400):
        times[KeptBlocks(budget=4 * 768, seed=seed).update(torch.zeros(2560, 1, 1)).samples()[1][::256] // 256] += 1
    assert times.sum() == 1200
    assert abs(times - 120).max() < 4 * np.sqrt(400 * 0.3 * 0.7)


def test_memory_is_bounded():
    kept = KeptBlocks(budget=4 * 6 * 1000)
    for number in range(40):
        kept.update(stream(100, seed=number))
        assert kept._values.untyped_storage().nbytes() <= 24000


def test_later_nodes_widen_what_is_kept_and_lower_the_capacity():
    x = stream(1024, num_nodes=4)
    kept = KeptBlocks(budget=4 * 8 * 512, seed=2).update(x[:1000, :2]).update(x[1000:])
    values, number = kept.samples()
    assert kept.capacity == 512
    assert number.tolist() == expected(1024, 512, 2).tolist()
    full = x.clone()
    full[:1000, 2:] = torch.nan
    torch.testing.assert_close(values, full[number], rtol=0, atol=0, equal_nan=True)


def test_live_is_over_all_samples():
    x = torch.zeros(2000, 5, 2)
    x[:, 1, 1] = torch.nan
    x[1999, 1, 1] = 7  # once only: one distinct value
    x[3, 2, 0] = 1
    x[:, 3] = torch.nan
    x[5, 4, 1], x[6, 4, 1] = torch.nan, -1
    dropped = expected(2000, 256, 0)
    assert not np.isin([3, 6], dropped).any()
    kept = KeptBlocks(budget=1).update(x[:900]).update(x[900:])
    assert kept.live.tolist() == [False, False, True, False, True]
    assert KeptBlocks(start=9).update(x).merge(KeptBlocks(start=2009).update(x[:5] + 1)).live[0]


def test_double_precision_is_kept():
    x = stream(10).double() * 1e307
    kept = KeptBlocks().update(stream(10)).update(x)
    assert kept.samples()[0].dtype == torch.float64
    assert torch.equal(kept.samples()[0][10:], x)
    assert kept.live.all()


def test_no_sample_at_all():
    values, number = KeptBlocks().update(torch.zeros(0, 4, 1)).samples()
    assert (values.shape, number.shape) == ((0, 4, 1), (0,))


def test_wrong_rank():
    with pytest.raises(ValueError, match=r"must be \[S, N, C\], got \[3, 4\]"):
        KeptBlocks().update(torch.zeros(3, 4))

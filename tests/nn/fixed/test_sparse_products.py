"""Sums over entries against dense einsums, and all their derivatives against finite differences."""

import pytest
import torch

from scge_pyg import NodeEmbedding, SCGEConv, SharedGraph
from scge_pyg.nn.fixed.entries import Entries, pair_entries, suits, tap_entries
from scge_pyg.nn.fixed.sparse_products import pair_products, tap_products
from scge_pyg.nn.layer.kernel import KernelMLP, KernelPoints, kernel_points

BATCH, TARGETS, SOURCES, TAPS, NEAR, CHANNELS, WIDTH = 3, 7, 6, 4, 3, 2, 5
BLOCK = "scge_pyg.nn.fixed.sparse_products._BLOCK"
# one target a block; two targets; one sample; two samples; everything at once
blocks = pytest.mark.parametrize("block", [1, 2 * TAPS * CHANNELS, 1 * 7 * 8, 2 * 7 * 8, 10**6])


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


def table():
    generator = torch.Generator().manual_seed(0)
    index = torch.randint(0, SOURCES, (TARGETS, NEAR), generator=generator)
    return index, torch.rand(TARGETS, TAPS, NEAR, generator=generator) < 0.5


@blocks
@pytest.mark.parametrize(("heads", "own"), [(1, False), (2, True), (2, False), (1, True)])
def test_taps_against_einsum(block, heads, own, monkeypatch):
    monkeypatch.setattr(BLOCK, block)
    index, support = table()
    entries, pair, tap = tap_entries(index, support, SOURCES)
    x, weight = draw(BATCH, SOURCES, CHANNELS), draw(heads, TAPS * CHANNELS, WIDTH, seed=1)
    value = draw(BATCH if own else 1, heads, len(pair), seed=2)
    mix = value.new_zeros(*value.shape[:2], TARGETS * NEAR * TAPS).index_copy(2, pair * TAPS + tap, value)
    mix = mix.view(*value.shape[:2], TARGETS, NEAR, TAPS).expand(BATCH, -1, -1, -1, -1)
    matrices = weight.view(heads, TAPS, CHANNELS, WIDTH)
    expected = torch.einsum("bhikp,bikc,hpcf->bihf", mix, x[:, index], matrices)
    y = tap_products(x, value, weight, entries)
    torch.testing.assert_close(y, expected)
    upstream = draw(*y.shape, seed=3).detach()
    found, exact = (torch.autograd.grad(one, (x, value, weight), upstream) for one in (y, expected))
    torch.testing.assert_close(found, exact)


@blocks
@pytest.mark.parametrize("keys", [1, 2])
def test_pairs_against_einsum(block, keys, monkeypatch):
    monkeypatch.setattr(BLOCK, block)
    index, _ = table()
    query, key = draw(2, BATCH, TARGETS, CHANNELS), draw(keys, BATCH, SOURCES, CHANNELS, seed=1)
    scores = pair_products(query, key, pair_entries(index, SOURCES))
    expected = torch.einsum("hbic,hbikc->bhik", query, key.expand(2, -1, -1, -1)[:, :, index]).flatten(2)
    torch.testing.assert_close(scores, expected)
    upstream = draw(*scores.shape, seed=2).detach()
    found, exact = (torch.autograd.grad(one, (query, key), upstream) for one in (scores, expected))
    torch.testing.assert_close(found, exact)


def test_derivatives_of_all_kinds():
    index, support = table()
    entries, pair, _ = tap_entries(index, support, SOURCES)
    taps = draw(2, SOURCES, 1), draw(2, 2, len(pair)), draw(2, TAPS, 2)
    pairs = draw(2, 2, TARGETS, 1), draw(1, 2, SOURCES, 1)
    for function, tensors, known in (
        (tap_products, taps, entries),
        (pair_products, pairs, pair_entries(index, SOURCES)),
    ):

        def product(*tensors, function=function, known=known):
            return function(*tensors, known)

        assert torch.autograd.gradcheck(product, tensors, check_forward_ad=True, fast_mode=True)
        assert torch.autograd.gradgradcheck(product, tensors, fast_mode=True)
        for place, tensor in enumerate(tensors):
            alone = [t if t is tensor else t.detach() for t in tensors]
            exact = torch.autograd.grad(product(*tensors).sin().sum(), tensor)
            torch.testing.assert_close(torch.autograd.grad(product(*alone).sin().sum(), alone[place]), exact)


def test_second_derivatives_where_weights_are_made_from_features():
    index, _ = table()
    entries = pair_entries(index, SOURCES)

    def attended(x):
        scores = pair_products(x[:, :1].repeat(1, TARGETS, 1).unsqueeze(0), x.unsqueeze(0), entries)
        return tap_products(x, scores, x.new_ones(1, 2, 1), entries)

    x = draw(1, SOURCES, 2)
    assert torch.autograd.gradcheck(attended, x)
    assert torch.autograd.gradgradcheck(attended, x)


@pytest.mark.parametrize("targets", [2**10, 2**10 + 1, 2**13, 2**13 + 1])
def test_sums_back_at_all_sizes(targets):
    """Entries are sorted in ways that depend on their number: 4 for each target."""
    index = torch.randint(0, 50, (targets, 4), generator=torch.Generator().manual_seed(0))
    rows, value = draw(targets, 2).detach(), draw(4 * targets, seed=1).detach()
    step = targets // 2
    total = torch.zeros(1, 50, 2, dtype=torch.float64)
    for number, back in enumerate(pair_entries(index, 50).adjoints(step)):
        own = slice(number * step, min((number + 1) * step, targets))
        back.add(total, rows[own], value.view(targets, 4)[own].flatten())
    expected = torch.zeros(50, 2, dtype=torch.float64)
    expected.index_add_(0, index.flatten(), rows.repeat_interleave(4, 0) * value.unsqueeze(1))
    torch.testing.assert_close(total[0], expected)


def test_no_entries_at_all():
    x, weight = draw(2, 3, 2), draw(1, 4, 5)
    value = draw(1, 1, 0)
    entries = Entries(torch.zeros(0, dtype=torch.long), torch.zeros(7, dtype=torch.long), 3)
    y = tap_products(x, value, weight, entries)
    assert y.shape == (2, 3, 1, 5)
    assert not y.any()
    assert not any(grad.any() for grad in torch.autograd.grad(y.sum(), (x, value, weight)))


@pytest.mark.parametrize("kernel", [KernelPoints(kernel_points(3, 2)), KernelMLP(2, 5, radius=1.5)])
def test_kernels_at_their_support(kernel):
    """Points on the border of the support included: one side of their gradient is not zero."""
    kernel = kernel.double()
    offset = torch.cat([draw(6, 4, 2).detach(), torch.randint(-2, 3, (6, 2, 2)).double()], 1)
    support = kernel.support(offset)
    place = support.transpose(1, 2).flatten().nonzero().squeeze(1)
    leaf = offset.clone().requires_grad_()
    whole = kernel(leaf)
    assert not whole.detach()[~support.transpose(1, 2)].any()
    few = kernel.at(leaf, place // kernel.num_taps, place % kernel.num_taps)
    torch.testing.assert_close(few, whole.flatten()[place])
    upstream = torch.randn(whole.shape, dtype=torch.float64)
    exact = torch.autograd.grad(whole, leaf, upstream)
    torch.testing.assert_close(torch.autograd.grad(few, leaf, upstream.flatten()[place]), exact)


@pytest.mark.parametrize("start", ["grid", "jittered"])
@pytest.mark.parametrize(
    "options",
    [{}, {"kernel": "mlp"}, {"content": "dot", "heads": 2}, {"content": "gat"}, {"neighbors": "support", "k": None}],
)
def test_layer_equals_its_dense_form(start, options, monkeypatch):
    """On an exact grid as well, where most weights lie at the border of their support."""
    torch.manual_seed(0)
    places = SharedGraph.from_grid((4, 5)).pos
    places = places if start == "grid" else places + 0.3 * torch.rand(20, 2)
    layer = SCGEConv(3, 4, NodeEmbedding.from_points(places), **{"k": 5, "candidates": 5, **options}).double()
    x = torch.randn(2, 20, 3, dtype=torch.float64, requires_grad=True)
    assert suits(x)
    assert not suits(x.bfloat16())
    upstream = torch.randn(2, 20, 4 * layer.heads, dtype=torch.float64)
    found = []
    for sparse in (True, False):
        for module in ("nn.fixed.neighbor_attention", "nn.layer.content"):
            monkeypatch.setattr(f"scge_pyg.{module}.suits", lambda x, sparse=sparse: sparse)
        for parameter in (x, *layer.parameters()):
            parameter.grad = None
        y = layer(x)
        y.backward(upstream)
        found.append({"y": y, "x": x.grad, **{name: p.grad for name, p in layer.named_parameters()}})
    assert found[0]["source.weight" if "source.weight" in found[0] else "product.source.weight"].abs().max() > 0
    torch.testing.assert_close(found[0], found[1])


def test_keys_wider_and_narrower_than_features():
    """Queries take the keys' matrices where that makes them no wider."""
    from scge_pyg.nn.layer.content import ContentScore

    index, _ = table()
    for width in (1, 3, 6):
        score = ContentScore("dot", 3, 2, width).double()
        for parameter in score.parameters():
            torch.nn.init.normal_(parameter)
        source, target = draw(BATCH, SOURCES, 3), draw(BATCH, TARGETS, 3)
        whole = score(source, target, None)
        near = whole.gather(2, index.expand(BATCH, -1, -1).unsqueeze(3).expand(-1, -1, -1, 2))
        torch.testing.assert_close(score(source, target, index), near)


def test_no_sample_at_all():
    conv = SCGEConv(3, 4, SharedGraph.from_pos(torch.rand(6, 2)), content="dot")
    x = torch.zeros(0, 6, 3, requires_grad=True)
    y = conv(x)
    assert y.shape == (0, 6, 4)
    y.sum().backward()
    assert x.grad.shape == x.shape

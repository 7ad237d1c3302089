"""Strange layers: node sets, choices of neighbours, attention, types, batches, NaN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from fuzz_cases import Draw, check_says

from scge_pyg import NodeEmbedding, SCGEConv, SharedGraph
from scge_pyg.testing import permuted_graph

__all__ = ["layer"]

_ERROR = 1e-3  # places are float32, whatever the features are


def layer(draw: Draw, folder: Path) -> None:
    """Outputs are finite and of the input's type; orders, batches and NaN go through as they should."""
    torch.manual_seed(draw.integer(0, 2**32))
    nodes, options = _node_set(draw)
    channels, out = draw.integer(1, 4), draw.integer(1, 4)
    if draw.often(30):
        options["content"] = draw.choice(("gat", "gatv2", "dot"))
        options["heads"] = draw.choice((1, 1, 2))
    options["kernel"] = draw.choice(("points", "points", "mlp", None))
    options["num_bases"] = draw.choice((1, 1, 2, 3))
    options["root_weight"], options["bias"] = draw.often(30), draw.often(70)
    try:
        conv = SCGEConv(channels, out, nodes, **options)
    except ValueError as error:
        check_says(error, "SCGEConv")
        return
    dtype = draw.choice((torch.float32, torch.float64))
    conv = conv.to(dtype).eval()
    batch, count = draw.choice((1, 2, 3, 0)), conv.num_sources
    x = torch.randn(batch, count, channels, dtype=dtype) * draw.choice((1.0, 1.0, 1e-6, 1e6, 0.0))
    given = x.requires_grad_() if draw.often(50) else x
    y = conv(given)
    assert y.dtype == dtype, f"{dtype} became {y.dtype}"
    assert y.shape[:2] == (batch, conv.num_targets), f"{list(x.shape)} became {list(y.shape)}"
    assert torch.isfinite(y).all(), "finite features became NaN or infinite"
    if given.requires_grad:
        y.sum().backward()
        grads = {name: value.grad for name, value in conv.named_parameters() if value.grad is not None}
        for name, grad in {**grads, "x": given.grad}.items():
            assert torch.isfinite(grad).all(), f"the gradient of {name} isn't finite"
    with torch.no_grad():
        x, y = x.detach(), y.detach()
        size = y.abs().max().item() if y.numel() else 0.0
        for sample, expected in zip(x, y, strict=True):
            _close(conv(sample), expected, size, "a sample alone gives something else than in its batch")
        if batch:
            _check_nan(draw, conv, x, y)
        ties = "k" in options or options.get("neighbors") == "nearest"
        if isinstance(nodes, SharedGraph) and not (ties and nodes.lattice is not None):
            order = torch.from_numpy(draw.numbers().permutation(count))
            other = SCGEConv(channels, out, permuted_graph(nodes, order), **options).to(dtype).eval()
            state = {name: value for name, value in conv.state_dict().items() if name in dict(other.named_parameters())}
            state |= {"gate": state["gate"][order]} if "gate" in state else {}
            other.load_state_dict(state, strict=False)
            _close(other(x[:, order]), y[:, order], size, "shuffled nodes give something else")


def _check_nan(draw: Draw, conv: SCGEConv, x: torch.Tensor, y: torch.Tensor) -> None:
    """A NaN reaches the targets that hear its node, and no sample but its own."""
    node = draw.integer(0, x.shape[1] - 1)
    bad = x.clone()
    bad[0, node] = torch.nan
    found = conv(bad)
    assert torch.equal(found[1:].isnan(), y[1:].isnan()), "a NaN reached another sample"
    heard = ~found[0].isfinite().all(1)
    moved = x.clone()
    moved[0, node] += x.abs().max() + 1
    listens = (conv(moved)[0] != y[0]).any(1)
    if conv.product.content is None if hasattr(conv.product, "content") else True:
        assert not (listens & ~heard).any(), "a NaN was swallowed in silence"
    assert not (heard & ~listens & ~_may_listen(conv, node)).any(), "a NaN reached a target that doesn't hear its node"


def _may_listen(conv: SCGEConv, node: int) -> torch.Tensor:
    """Targets joined to the node, where the difference may round to nothing."""
    source, target = conv.edge_index
    joined = torch.zeros(conv.num_targets, dtype=torch.bool)
    joined[target[source == node]] = True
    if conv.num_targets == conv.num_sources:
        joined[node] = True
    return joined


def _close(found: torch.Tensor, expected: torch.Tensor, size: float, what: str) -> None:
    error = (found - expected).abs().max().item() if found.numel() else 0.0
    assert error <= _ERROR * max(size, 1e-30), f"{what}: {error:.3g} of {size:.3g}"


def _node_set(draw: Draw) -> tuple[SharedGraph | NodeEmbedding, dict[str, Any]]:
    numbers = draw.numbers()
    count, dim = draw.choice((2, 3, 5, 9, 16)), draw.choice((1, 2, 2, 3))
    options: dict[str, Any] = {"k": draw.integer(1, count)} if draw.often(40) else {}
    pos = torch.from_numpy(numbers.random((count, dim))).float() * count ** (1 / dim)
    if draw.often(30):
        pos[torch.from_numpy(numbers.random(count) < 0.3)] = torch.nan
    if int(torch.isfinite(pos).all(1).sum()) < 2:
        pos[:2] = torch.arange(2.0).unsqueeze(1).expand(2, dim)
    match draw.choice(("graph", "graph", "grid", "table")):
        case "grid":
            shape = tuple(draw.integer(1, 4) for _ in range(dim))
            periodic = tuple(draw.often(30) for _ in range(dim))
            return SharedGraph.from_grid(shape, periodic), options
        case "graph":
            options |= {"neighbors": draw.choice((None, "support", "nearest", "edges"))} if not options else {}
            return SharedGraph.from_pos(pos, min(3, int(torch.isfinite(pos).all(1).sum()) - 1)), options
    options |= {"estimator": draw.choice(("topk", "soft", "straight_through"))}
    return NodeEmbedding.from_points(pos), options

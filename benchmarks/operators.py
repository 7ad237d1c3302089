"""What the layer costs: beside nn.Conv2d, beside layers that search neighbours per sample, beside a dense adjacency,
with content beside PyG's TransformerConv.

Everything in a row is measured side by side in one run: medians of paired repeats, forward and backward with a random
upstream gradient; memory is the peak of what is allocated during one such step.

    python benchmarks/operators.py --quick           # 11 repeats, smaller peers
    python benchmarks/operators.py                   # 21 repeats
    python benchmarks/operators.py --device cuda
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from layer_peers import Attention, DenseAdjacency, DynamicEdge
from layer_timing import paired, ratio, step_of
from memory import peak_allocation
from report import Records, markdown_table

from scge_pyg import NodeEmbedding, SCGEConv, SharedGraph, lower_to_conv

_CHANNELS, _TAPS = 64, 9


def grid(side: int, jitter: float = 0.0) -> SharedGraph:
    """A square of nodes, moved by up to ``jitter`` spacings."""
    if not jitter:
        return SharedGraph.from_grid((side, side))
    cells = torch.cartesian_prod(torch.arange(side), torch.arange(side)).double()
    noise = torch.rand(cells.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return SharedGraph.from_pos((cells + jitter * (2 * noise - 1)).float())


def trainable_layer(graph: SharedGraph) -> SCGEConv:
    """The layer with an embedding that starts at the places of ``graph``."""
    return SCGEConv(_CHANNELS, _CHANNELS, NodeEmbedding.from_graph(graph), k=_TAPS)


def beside_conv(repeats: int, device: torch.device, batch: int = 64, side: int = 32) -> list[dict[str, Any]]:
    """Layers with 3x3 taps beside nn.Conv2d on the same sizes."""
    nodes, irregular = side * side, grid(side, 0.3)
    lattice = SCGEConv(_CHANNELS, _CHANNELS, grid(side))
    layers = {
        "nodes on a lattice, not lowered": (lattice, 2.0),
        "jittered places, interpolated": (SCGEConv(_CHANNELS, _CHANNELS, irregular), 3.0),
        "lowered": (lower_to_conv(lattice, strict=True), 1.05),
        "fixed graph, k = 9": (SCGEConv(_CHANNELS, _CHANNELS, irregular, k=_TAPS), None),
        "trainable embedding, k = 9": (
            SCGEConv(_CHANNELS, _CHANNELS, NodeEmbedding.from_graph(irregular), k=_TAPS),
            None,
        ),
    }
    conv = torch.nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1)
    steps = {"nn.Conv2d": step_of(conv, (batch, _CHANNELS, side, side), device)}
    steps |= {name: step_of(layer, (batch, nodes, _CHANNELS), device) for name, (layer, _) in layers.items()}
    seconds = paired(steps, repeats, "beside nn.Conv2d")
    memory = {name: peak_allocation(step, device) for name, step in steps.items()}
    rows = []
    for name, (_, goal) in layers.items():
        rows.append(
            {
                "row": name,
                "peer": "nn.Conv2d",
                "ms": 1000 * median(seconds[name]),
                "time": ratio(seconds, name, "nn.Conv2d"),
                "memory": memory[name] / memory["nn.Conv2d"],
                "goal": ""
                if goal is None
                else f"at most {goal:g} times the time" + (", 3 times the memory" if goal == 2.0 else ""),
                "met": goal is None or ratio(seconds, name, "nn.Conv2d") <= goal,
            }
        )
    trainable, fixed = "trainable embedding, k = 9", "fixed graph, k = 9"
    overhead = ratio(seconds, trainable, fixed)
    rows.append(
        {
            "row": "trainable embedding",
            "peer": "the same layer on a fixed graph",
            "ms": 1000 * median(seconds[trainable]),
            "time": overhead,
            "memory": memory[trainable] / memory[fixed],
            "goal": "at most 1.3 times the time",
            "met": overhead <= 1.3,
        }
    )
    return rows


def own_layers(nodes: int) -> dict[str, SCGEConv]:
    """Ours: with nine taps on fixed and on trainable places, and with as many matrices as EdgeConv's linear layer."""
    places = grid(math.isqrt(nodes), 0.3)
    small = SCGEConv(_CHANNELS, _CHANNELS, NodeEmbedding.from_graph(places), k=_TAPS, kernel=None, root_weight=True)
    return {
        "fixed places, 9 taps": SCGEConv(_CHANNELS, _CHANNELS, places),
        "trainable, 9 taps": trainable_layer(places),
        "trainable, one matrix and root weight": small,
    }


def beside_peer(
    name: str,
    make: Callable[[int], torch.nn.Module],
    nodes: int,
    batch: int,
    goals: tuple[float, float],
    repeats: int,
    device: torch.device,
) -> list[dict[str, Any]]:
    """Our layers beside a peer: ``time`` and ``memory`` say how many times more the peer takes.

    ``goals`` of the time are those of nine matrices and of one.
    """
    shape = (batch, nodes, _CHANNELS)
    steps = {key: step_of(layer, shape, device) for key, layer in own_layers(nodes).items()}
    own = {key: goals["one matrix" in key] for key in steps}
    steps["peer"] = step_of(make(nodes), shape, device)
    seconds = paired(steps, repeats, name)
    memory = {key: peak_allocation(step, device) for key, step in steps.items()}
    return [
        {
            "row": f"{key}, N = {nodes:,}, B = {batch}",
            "peer": name,
            "ms": 1000 * median(seconds[key]),
            "time": ratio(seconds, "peer", key),
            "memory": memory["peer"] / memory[key],
            "goal": f"{goal:g} times faster, 10 times less memory",
            "met": ratio(seconds, "peer", key) >= goal and memory["peer"] >= 10 * memory[key],
        }
        for key, goal in own.items()
    ]


def trained(nodes: int, batch: int, repeats: int, device: torch.device) -> list[dict[str, Any]]:
    """The trained layer beside the layer on fixed places, and with content beside TransformerConv on its edges.

    ``nine products alone`` are the matrix products that both need: those of gathered taps ``[B N, 9 C]`` with the
    weights, and their gradients.
    """
    places = grid(math.isqrt(nodes), 0.3)
    plain = trainable_layer(places)
    content = {
        name: SCGEConv(_CHANNELS, _CHANNELS, NodeEmbedding.from_graph(places), k=_TAPS, content="dot", heads=2, **more)
        for name, more in {"dot, 2 heads, 9 taps": {}, "dot, 2 heads, one matrix": {"kernel": None}}.items()
    }
    fixed, products, peer = "fixed places, 9 taps", "nine products alone", "TransformerConv, 2 heads, same edges"
    layers = {
        fixed: SCGEConv(_CHANNELS, _CHANNELS, places),
        products: torch.nn.Linear(_TAPS * _CHANNELS, _CHANNELS, bias=False),
        "trainable, 9 taps": plain,
        **content,
        peer: Attention(plain, _CHANNELS, batch),
    }
    steps = {
        name: step_of(layer, (batch, nodes, _CHANNELS * (_TAPS if name == products else 1)), device)
        for name, layer in layers.items()
    }
    seconds = paired(steps, repeats, f"trained, N = {nodes:,}")
    memory = {name: peak_allocation(step, device) for name, step in steps.items()}
    nine, one = content
    pairs: list[tuple[str, str, float | None]] = [
        (products, fixed, None),
        ("trainable, 9 taps", fixed, 1.1),
        (nine, "trainable, 9 taps", 2.5),
        (nine, peer, 1.0),
        (one, peer, 1.0),
    ]
    return [
        {
            "row": f"{name}, N = {nodes:,}, B = {batch}",
            "peer": beside,
            "ms": 1000 * median(seconds[name]),
            "time": ratio(seconds, name, beside),
            "memory": memory[name] / memory[beside],
            "goal": "" if goal is None else f"at most {goal:g} times the time",
            "met": goal is None or ratio(seconds, name, beside) <= goal,
        }
        for name, beside, goal in pairs
    ]


def growth(repeats: int, device: torch.device, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Fitted exponent of the cost in N at fixed k."""
    steps = {}
    for nodes in sizes:
        layer = SCGEConv(_CHANNELS, _CHANNELS, NodeEmbedding(nodes, 2), k=_TAPS)
        steps[str(nodes)] = step_of(layer, (4, nodes, _CHANNELS), device)
    seconds = paired(steps, repeats, "growth with N")
    logs = torch.tensor([[math.log(n), math.log(median(seconds[str(n)]))] for n in sizes], dtype=torch.float64)
    centred = logs - logs.mean(0)
    exponent = float((centred[:, 0] @ centred[:, 1]) / centred[:, 0].square().sum())
    return {
        "row": f"trainable embedding, N from {sizes[0]:,} to {sizes[-1]:,}, B = 4",
        "peer": "itself",
        "ms": 1000 * median(seconds[str(sizes[-1])]),
        "time": exponent,
        "memory": float("nan"),
        "goal": "exponent at most 1.1",
        "met": exponent <= 1.1,
    }


def exactness() -> dict[str, Any]:
    """Largest difference between a convolution and the layer made from it, over all settings, in float64."""
    worst, settings = 0.0, 0
    for kernel in (1, 3, 5):
        for stride in (1, 2):
            for padding in (0, 1, 2):
                for dilation in (1, 2):
                    conv = torch.nn.Conv2d(3, 4, kernel, stride, padding, dilation).double()
                    x = torch.randn(2, 3, 13, 17, dtype=torch.float64)
                    with torch.no_grad():
                        y = SCGEConv.from_conv2d(conv, (13, 17))(x.flatten(2).mT).mT
                        worst = max(worst, float((y - conv(x).flatten(2)).abs().max()))
                    settings += 1
    return {"row": "exactness", "settings": settings, "difference": worst}


def table(records: list[dict[str, Any]]) -> str:
    """The tables, in Markdown."""
    lines = [
        [
            r["row"],
            r["peer"],
            f"{r['ms']:.1f}",
            f"{r['time']:.2f}",
            f"{r['memory']:.2f}",
            r["goal"],
            "yes" if r["met"] else "no",
        ]
        for r in records
        if r["row"] != "exactness"
    ]
    text = markdown_table(["layer", "beside", "ms", "time ratio", "memory ratio", "goal", "met"], lines)
    for r in records:
        if r["row"] == "exactness":
            text += f"\n\nfrom_conv2d, float64, {r['settings']} settings: largest difference {r['difference']:.1e}"
    return text


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, smaller peers")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--output", type=Path, help="default: results/operators.json or results/operators-quick.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    repeats = 11 if args.quick else 21
    output = args.output or Path("results") / f"operators{'-quick' if args.quick else ''}.json"
    records = Records(output, {"quick": args.quick, "device": str(args.device)}, resume=False)
    records.add(exactness())
    for row in beside_conv(repeats, args.device):
        records.add(row)
    few = min(repeats, 11)
    for nodes, batch in ((1024, 8), (4096, 4)):
        for row in trained(nodes, batch, few, args.device):
            records.add(row)
    knn, dense = "k-NN in every sample + EdgeConv", "dense N x N adjacency (MTGNN)"
    plan: list[tuple[str, Callable[[int], torch.nn.Module], int, int, tuple[float, float]]] = [
        (knn, lambda n: DynamicEdge(_CHANNELS, _TAPS), 1024, 8, (5.0, 8.0)),
        (dense, lambda n: DenseAdjacency(_CHANNELS, n, _TAPS), 4096, 4, (1.0, 1.0)),
    ]
    if not args.quick:
        plan.insert(1, (knn, lambda n: DynamicEdge(_CHANNELS, _TAPS), 4096, 4, (10.0, 20.0)))
    for peer in plan:
        for row in beside_peer(*peer, few, args.device):
            records.add(row)
    records.add(growth(few, args.device, (256, 1024, 4096) if args.quick else (256, 1024, 4096, 16384)))
    print(table(records.items))
    print(f"records: {output}")


if __name__ == "__main__":
    main()

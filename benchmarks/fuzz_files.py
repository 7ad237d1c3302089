"""Files of graphs that are damaged, foreign or strange, and what damages and mutates all kinds of files."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from fuzz_cases import Draw, check_graph, check_says, strange_value

from scge_pyg import SharedGraph
from scge_pyg.graph import Fit, Lattice

__all__ = ["damaged", "graph_file", "mutated"]


@functools.cache
def graphs() -> tuple[bytes, ...]:
    """Files of graphs of all kinds: lattice, names, dead nodes, parts, a fit, no geometry."""
    numbers = torch.Generator().manual_seed(0)
    pos = 3 * torch.rand(9, 2, generator=numbers)
    pos[4] = torch.nan
    grid = SharedGraph.from_grid((2, 3), (False, True))
    grid.names = tuple("abcdéf")
    gain = torch.rand(9, generator=numbers)
    fit = Fit("correlation", 1.0, 1.1, 0.1, 0.9, 0.01, "geometry", 2, (0.5, 1.0), gain, 99, 80.0, {"maps": 0.5})
    near = SharedGraph.from_pos(pos)
    judged = SharedGraph(near.pos, near.edge_index, near.edge_weight, fit=fit)
    cell = torch.tensor([[0], [1], [2], [-1], [-1]])
    halves = SharedGraph(
        torch.tensor([[0.0], [1.0], [2.0], [7.0], [8.0]]),
        torch.tensor([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]]),
        lattice=Lattice(cell, (3,)),
    )
    none = SharedGraph(torch.zeros(4, 0), torch.tensor([[0, 1], [1, 0]]))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.safetensors"
        for graph in (grid, judged, halves, none):
            graph.save(path)
            found.append(path.read_bytes())
    return tuple(found)


def graph_file(draw: Draw, folder: Path) -> None:
    """A damaged file is refused by ``ValueError`` or holds a sound graph; a whole one gives the same bytes again."""
    content = draw.choice(graphs())
    way = draw.choice(("whole", "bytes", "header", "tensors", "metadata"))
    if way == "bytes":
        content = damaged(draw, content)
    elif way != "whole":
        tensors, metadata = _opened(content)
        if way == "header":
            metadata["header"] = json.dumps(mutated(draw, json.loads(metadata["header"])))
        elif way == "tensors":
            _mutate_tensors(draw, tensors)
        else:
            metadata = {"format": "scge_pyg.SharedGraph", "header": draw.choice(("", "[", "[" * 9999, "1", "{}", "é"))}
        content = safetensors.torch.save(tensors, metadata)
    path = folder / "graph.safetensors"
    path.write_bytes(content)
    try:
        graph = SharedGraph.load(path)
    except ValueError as error:
        check_says(error, str(path))
        if way == "whole":
            raise AssertionError("a sound file is refused") from error
        return
    check_graph(graph)
    if way == "whole":
        graph.save(folder / "again")
        one, other = _opened(content), _opened((folder / "again").read_bytes())
        assert json.loads(one[1]["header"]) == json.loads(other[1]["header"]), "saved again, the header differs"
        for name, tensor in one[0].items():
            torch.testing.assert_close(other[0][name], tensor, rtol=0, atol=0, equal_nan=True)


def damaged(draw: Draw, content: bytes) -> bytes:
    """Cut off, with other bytes in between, doubled or with a gap."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        place = draw.integer(0, max(0, len(content) - 1))
        rest = place + draw.integer(1, 9)
        some = draw.numbers().bytes(draw.integer(1, 9))
        flipped = bytes([content[place] ^ (1 << draw.integer(0, 7))]) if content else b""
        content = draw.choice(
            (
                content[:place] + flipped + content[place + 1 :],
                content[:place],
                content[:place] + some + content[place + len(some) :],
                content[:place] + some + content[place:],
                content[:place] + content[rest:],
                content + content[:place],
            )
        )
    return content


def _opened(content: bytes) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    size = int.from_bytes(content[:8], "little")
    return safetensors.torch.load(content), json.loads(content[8 : 8 + size])["__metadata__"]


def _mutate_tensors(draw: Draw, tensors: dict[str, torch.Tensor]) -> None:
    name = draw.choice(sorted(tensors))
    value = tensors[name]
    match draw.choice(("type", "shape", "value", "gone", "extra")):
        case "type":
            kinds = (torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.bool, torch.int64, torch.complex64)
            tensors[name] = value.to(draw.choice(kinds))
        case "shape":
            shapes = ((), (0,), (1,), (value.numel(),), (1, *value.shape), (*value.shape, 1), tuple(value.shape[::-1]))
            shape = draw.choice(shapes)
            tensors[name] = value.new_full(shape, value.reshape(-1)[0].item() if value.numel() else 0)
        case "value":
            numbers = draw.numbers()
            odd = draw.choice((-1, 0, 1, 5, 2**40, -(2**62)) if not value.is_floating_point() else (-1e30, 1e38, 0.3))
            odd = draw.choice((odd, float("nan"), float("inf"))) if value.is_floating_point() else odd
            mask = torch.from_numpy(numbers.random(tuple(value.shape)) < 0.2)
            tensors[name] = value.masked_fill(mask, bool(odd) if value.dtype == torch.bool else odd)
        case "gone":
            del tensors[name]
        case "extra":
            tensors[draw.choice(("cell_7", "node_gain_3", "component", "é", "self"))] = value.clone()


def mutated(draw: Draw, value: Any) -> Any:
    """A copy with one entry somewhere that is replaced, gone, or has another name."""
    if not isinstance(value, dict | list) or not value or draw.often(10):
        return strange_value(draw)
    if isinstance(value, list):
        place = draw.integer(0, len(value) - 1)
        return [*value[:place], mutated(draw, value[place]), *value[place + 1 :]]
    key = draw.choice(list(value))
    rest = {name: entry for name, entry in value.items() if name != key}
    match draw.choice(("inside", "inside", "inside", "gone", "renamed", "more")):
        case "gone":
            return rest
        case "renamed":
            return rest | {draw.choice((f"{key}s", f"{key}.x", "", "é", "-")): value[key]}
        case "more":
            return value | {draw.choice(("more", "config", "help", "json", "class_path")): strange_value(draw)}
    return value | {key: mutated(draw, value[key])}

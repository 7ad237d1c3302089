"""``.prb`` files: Python that assigns ``channel_groups``; read, never run."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.io.layouts.layout import Layout

__all__ = ["read_prb"]

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_MAKERS: dict[str, Callable[..., Any]] = {"range": range, "list": list, "tuple": tuple, "dict": dict}
_OF_NUMPY: dict[str, Callable[..., Any]] = {"int": int, "float": float, "array": list}


def read_prb(path: Path) -> Layout:
    """Channels and places of all groups, micrometres; a channel's name is its number.

    Such files are Python and other programs run them. Here literals, ``range`` and ``list``, sums and products of
    numbers and earlier names are understood, and nothing is run.
    """
    known: dict[str, Any] = {}
    try:
        for line in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
                known[line.targets[0].id] = _value(line.value, known)
            elif not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)):
                raise ValueError(f"line {line.lineno} computes; it is read and not run")
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"not a .prb of plain values ({error}); probeinterface.read_prb runs such a file, and what "
            f"probeinterface.write_probeinterface then writes is read here"
        ) from error
    groups = known.get("channel_groups")
    if not isinstance(groups, dict) or not groups:
        raise ValueError("it must assign channel_groups = {0: {'channels': [...], 'geometry': {...}}}")
    names: list[str] = []
    places: list[Any] = []
    member: list[str] = []
    for number, group in groups.items():
        own = _places(number, group)
        names += list(own)
        places += list(own.values())
        member += [str(number)] * len(own)
    channel = np.array(names, np.int64) if all(name.isdigit() for name in names) else None
    return Layout(tuple(names), np.array(places, float), "um", tuple(member) if len(groups) > 1 else None, channel)


def _places(number: Any, group: Any) -> dict[str, Any]:
    """Place of each channel of a group, in the order of its channels."""
    if not isinstance(group, Mapping) or "channels" not in group or "geometry" not in group:
        raise ValueError(f"group {number!r} needs 'channels' and 'geometry'")
    channels, geometry = list(group["channels"]), group["geometry"]
    if not isinstance(geometry, Mapping):
        if len(geometry) != len(channels):
            raise ValueError(f"group {number!r} has {len(geometry)} places for {len(channels)} channels")
        geometry = dict(zip(channels, geometry, strict=True))
    lost = [channel for channel in channels if channel not in geometry]
    if lost:
        raise ValueError(f"group {number!r} has no place for channel {lost[0]!r}")
    return {str(channel): geometry[channel] for channel in channels}


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """What an expression of literals, names and a few makers is."""
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        sides = [_value(side, known) for side in (node.left, node.right)]
        if not all(isinstance(side, int | float) for side in sides):
            raise ValueError(f"line {node.lineno} computes with something else than numbers")
        return _OPERATORS[type(node.op)](*sides)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, known)
    maker = _maker(node.func) if isinstance(node, ast.Call) else None
    if isinstance(node, ast.Call) and maker is not None:
        arguments = [_value(argument, known) for argument in node.args]
        keywords = {keyword.arg: _value(keyword.value, known) for keyword in node.keywords if keyword.arg}
        return maker(*arguments, **keywords)
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, known) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [_key(key, known) for key in node.keys]
        return dict(zip(keys, (_value(item, known) for item in node.values), strict=True))
    return ast.literal_eval(node)


def _maker(function: ast.expr) -> Callable[..., Any] | None:
    """What a call makes, if it is one of a few; probeinterface writes ``np.int64(3)`` for 3."""
    if isinstance(function, ast.Name):
        return _MAKERS.get(function.id)
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "np":
        return _OF_NUMPY.get(function.attr.rstrip("0123456789"))
    return None


def _key(node: ast.expr | None, known: Mapping[str, Any]) -> Any:
    if node is None:
        raise ValueError("a dictionary is unpacked into another")
    return _value(node, known)

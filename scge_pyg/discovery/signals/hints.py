"""Hints at mistakes in the input, on evidence in the samples, each with the call that mends it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.signals.axes import images, some_of, transposed
from scge_pyg.discovery.signals.held import held_values
from scge_pyg.discovery.signals.prepare import FLOORED, fewest_values
from scge_pyg.discovery.signals.row_blocks import count_of
from scge_pyg.discovery.signals.same_signal import same_signals
from scge_pyg.discovery.signals.samples import Samples
from scge_pyg.discovery.signals.stand_ins import StandIn, stand_ins

__all__ = ["hint"]

_MISSING = 0.2  # share of missing values at a node that is worth a word
_NAMED = 8  # nodes without a signal of their own that are named


def hint(samples: Samples, names: tuple[str, ...] | None = None) -> list[str]:
    """What in the samples looks like a mistake: texts for the user, none for ordinary data.

    * The first node, or any column of a table, grows by constant steps: a row number or a clock.
    * Rows are more autocorrelated than columns, and there are ten times more nodes than samples: transposed.
    * Neighbouring channels are alike, and no more so than neighbouring nodes: images.
    * More than a fifth of the samples miss every node, or a node more than a fifth of the other samples.
    * Nodes never change, other than pixels that are never lit, or have too few values.
    * A node is often exactly equal to one value that it otherwise never comes near: it stands in for a missing one.
    * A node stays at exactly one value for long and otherwise never repeats one: a gap was filled.
    * Nodes of continuous values carry the same signal.

    Args:
        samples: What was read.
        names: Names of the nodes, where they were given beside the samples.

    Example:
        >>> import torch
        >>> from scge_pyg.discovery.signals.samples import read
        >>> x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
        >>> x[:, 0] = torch.arange(50)
        >>> hint(read(x))[0][:61]
        'discover: the first node grows by a constant 1 from sample to'
    """
    if len(samples.values) < 2:
        return []
    named = samples if names is None else replace(samples, names=names)
    found = [_counter(samples), transposed(samples), images(samples), *_missing(samples), _dead(named)]
    return [text for text in [*found, *_stand_ins(named), _held(samples), _same(named)] if text]


def _counter(samples: Samples) -> str | None:
    """About the first node, or a column of a table, that grows by constant steps."""
    if len(samples.values) < 10:
        return None
    some = samples.values[:, :1] if samples.names is None else samples.values
    rising = (some[-1] > some[-2]) & (some[1] > some[0])
    nodes = rising.all(1).nonzero().squeeze(1)
    x, number = some[:, nodes].double(), samples.number.double()
    growth = x[-1] - x[0]
    rounding = 4 * torch.finfo(samples.values.dtype).eps * x.abs().amax(0)
    straight = x[0] + growth * ((number - number[0]) / (number[-1] - number[0]))[:, None, None]
    even = (growth > 16 * rounding).all(1) & ((x - straight).abs() <= rounding).all(2).all(0)
    if not even.any():
        return None
    node = int(even.nonzero()[0])
    step = float(growth[node, 0] / (number[-1] - number[0]))
    drop, which = "x[:, 1:]", "first node"
    if samples.names is not None:
        name = samples.names[int(nodes[node])]
        drop, which = f"x.drop(columns=[{name!r}])", f"column {name}"
    return (
        f"discover: the {which} grows by a constant {step:.4g} from sample to sample, as a row number or a clock "
        f"does; leave it out with discover({drop}), or --time-column on the command line"
    )


def _missing(samples: Samples) -> list[str | None]:
    """About samples that miss every node, and about nodes that miss many of the others."""
    missing = samples.values.isnan()
    empty = missing.all(2).all(1)
    count, total = int(empty.sum()), len(empty)
    if count == total:
        return []
    rows = None
    if count > _MISSING * total:
        rows = (
            f"discover: {count} of {total} samples ({count / total:.0%}) miss every node and say nothing; unless the "
            f"recording has such gaps, see how the file was read"
        )
    return [rows, _mostly_missing(samples, missing[~empty])]


def _mostly_missing(samples: Samples, missing: Tensor) -> str | None:
    share = count_of(missing.flatten(2), (0, 2)).double() / missing[:, 0].numel()
    nodes = ((share > _MISSING) & ~_rare(samples)).nonzero().squeeze(1).tolist()
    if not nodes:
        return None
    nodes.sort(key=lambda node: -float(share[node]))
    drop = f"numpy.delete(x, {nodes[:5]}, axis=1)".replace("]", ", ...]" if len(nodes) > 5 else "]")
    if samples.names is not None:
        drop = f"x.drop(columns={[samples.names[node] for node in nodes[:5]]}{' + ...' if len(nodes) > 5 else ''})"
    return (
        f"discover: {_listed([f'{_name(samples, node)} ({float(share[node]):.0%})' for node in nodes])} "
        f"miss{'es' if len(nodes) == 1 else ''} more than {_MISSING:.0%} of the values; they are taken to be missing "
        f"at random" + (f", else leave these nodes out with discover({drop})" if len(nodes) < len(share) - 2 else "")
    )


def _dead(samples: Samples) -> str | None:
    """About nodes without a signal, other than pixels that are never lit."""
    if not samples.live.any():
        return None
    rare = _rare(samples)
    nodes = (rare | (~samples.live & ~_unlit(samples))).nonzero().squeeze(1).tolist()
    if not nodes:
        return None
    why = f"fewer than {fewest_values(len(samples.values))} values"
    listed = [f"{_name(samples, node)} ({why if rare[node] else 'constant'})" for node in nodes[:_NAMED]]
    more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
    return (
        f"discover: {len(nodes)} {'node carries' if len(nodes) == 1 else 'nodes carry'} no signal and "
        f"{'is' if len(nodes) == 1 else 'are'} left out (graph.live is False): {', '.join(listed)}{more}"
    )


def _rare(samples: Samples) -> Tensor:
    """Nodes that are left out because too few of their values are there, ``[N]``."""
    seen = count_of((~samples.values.isnan()).any(2), 0)
    return seen < fewest_values(len(samples.values))


def _unlit(samples: Samples) -> Tensor:
    """Nodes that rest at the lowest value of all, where other nodes pile up, ``[N]``."""
    missing = samples.values.isnan()
    low = torch.from_numpy(np.fmin.reduce(samples.values.numpy(), (0, 1), initial=np.inf))
    lowest = samples.values == low
    piled = count_of(lowest, (0, 2))[samples.live].sum().double()
    if piled / (lowest[:, 0].numel() * samples.live.sum()) < FLOORED:
        return torch.zeros_like(samples.live)
    return (lowest | missing).all(2).all(0)


def _stand_ins(samples: Samples) -> list[str]:
    groups: dict[float, list[StandIn]] = {}
    for found in stand_ins(some_of(samples.values, least=1000)):
        groups.setdefault(found.value, []).append(found)
    texts = []
    for value, nodes in sorted(groups.items(), key=lambda pair: -len(pair[1]))[:3]:
        listed = _listed([f"{_name(samples, found.node)} ({found.share:.1%})" for found in nodes])
        exact = _exact(samples, value)
        texts.append(
            f"discover: {listed} {'is' if len(nodes) == 1 else 'are'} often exactly {exact} and otherwise never near "
            f"it; if it stands for a missing value, use discover(x, missing_value={exact}), or --missing-value "
            f"{exact} on the command line"
        )
    return texts


def _held(samples: Samples) -> str | None:
    """About stretches at one value: gaps that were filled."""
    found = held_values(samples)
    if not found:
        return None
    single = len({one.value for one in found}) == 1 and found[0].value == found[0].value
    named = _listed([f"{_name(samples, one.node)} ({one.share:.0%})" for one in found], _NAMED)
    value = _exact(samples, found[0].value)
    call = "numpy.where(numpy.diff(x, axis=0, prepend=numpy.nan) == 0, numpy.nan, x)"
    if samples.names is not None:
        call = "x.mask(x.diff() == 0)"
    return (
        f"discover: {named} {'stays' if len(found) == 1 else 'stay'} at exactly {value if single else 'one value'} for "
        f"long stretches and otherwise hardly ever {'repeats' if len(found) == 1 else 'repeat'} a value (the share of "
        f"such samples is given); if gaps were filled, make them NaN, "
        f"{f'discover(x, missing_value={value})' if single else f'discover({call})'}"
    )


def _same(samples: Samples) -> str | None:
    """About nodes that share one signal."""
    groups = same_signals(some_of(samples.values, least=1000))
    if not groups:
        return None
    room = np.cumsum([0, *map(len, groups)])
    named = [
        " = ".join(_name(samples, node) for node in group[: _NAMED - before])
        for group, before in zip(groups, room.tolist(), strict=False)
        if before < _NAMED - 1
    ]
    more = f" and more, {room[-1]} nodes in all" if room[-1] > _NAMED else ""
    return (
        f"discover: nodes carry the same signal and share a place: {', '.join(named)}{more}; is there a bridge between "
        f"them, or were they dead before a common reference was subtracted?"
    )


def _listed(words: list[str], most: int = 5) -> str:
    if len(words) == 1:
        return f"node {words[0]}"
    return f"{len(words)} nodes, {', '.join(words[:most])}{', ...' if len(words) > most else ''},"


def _exact(samples: Samples, value: float) -> str:
    """The value as it is written in the precision of the samples."""
    dtype = np.float64 if samples.values.dtype == torch.float64 else np.float32
    return str(dtype(value)).removesuffix(".0")


def _name(samples: Samples, node: int) -> str:
    return str(node) if samples.names is None else samples.names[node]

"""Hints at axes that were mistaken for others: samples for nodes, rows of images for channels."""

from __future__ import annotations

from torch import Tensor

from scge_pyg.discovery.signals.samples import Samples

__all__ = ["images", "some_of", "transposed"]

_VALUES = 2**21  # values that are looked at


def transposed(samples: Samples) -> str | None:
    """About rows that change slowly, and columns that do not, among many more nodes than samples."""
    num_samples, num_nodes, channels = samples.values.shape
    if channels > 1 or num_nodes <= max(10 * num_samples, 100) or not samples.live.any():
        return None
    live = samples.live.nonzero().squeeze(1)
    some = max(100, _VALUES // num_samples)  # a stretch of them: what follows what is kept
    first = max(0, (len(live) - some) // 2)
    x = _scaled(samples.values[:, live[first : first + some], 0])
    x = x - x.nanmean(1, keepdim=True)
    x = x - x.nanmean(0)
    follows = samples.number.diff() == 1
    along, across = _correlation(x[:, 1:], x[:, :-1]), _correlation(x[1:][follows], x[:-1][follows])
    if not (along > 0.5 and along > across + 0.2):
        return None
    return (
        f"discover: x has {num_samples} samples of {num_nodes} nodes, and its rows change slowly ({along:.2f} from one "
        f"value to the next, {across:.2f} down the columns), as signals do in time; if rows are nodes, "
        f"use discover(x.T)"
    )


def images(samples: Samples) -> str | None:
    """About channels that are as much alike as nodes."""
    num_samples, num_nodes, channels = samples.values.shape
    if min(num_nodes, channels) < 5 or num_samples < 20:
        return None
    x = _scaled(some_of(samples.values, least=200))
    x = x - x.nanmean(0)
    x = x / x.square().nanmean(0).sqrt().clamp_min(1e-12)
    half_nodes, half_channels = num_nodes // 2, channels // 2
    next_channel, far_channel = (_correlation(x[:, :, k:], x[:, :, :-k]) for k in (1, half_channels))
    next_node, far_node = (_correlation(x[:, k:], x[:, :-k]) for k in (1, half_nodes))
    smooth = min(next_channel - far_channel, next_node - far_node) > 0.15
    if not (smooth and min(next_node, next_channel) > 0.2 and next_channel < next_node + 0.15):
        return None
    return (
        f"discover: x was read as {num_nodes} nodes of {channels} channels, but channels of a node are no more alike "
        f"({next_channel:.2f} to the next one) than nodes ({next_node:.2f}), as in images [S, H, W]; if they are, make "
        f"pixels nodes with discover(transforms.ImageToNodes()(torch.as_tensor(x)[:, None]))"
    )


def some_of(values: Tensor, least: int) -> Tensor:
    """Evenly spaced samples, at least ``least`` of them."""
    rows = max(least, _VALUES // values[0].numel())
    return values[:: max(1, -(-values.shape[0] // rows))]


def _scaled(values: Tensor) -> Tensor:
    """``values`` in float64, divided by the largest of them."""
    return values.double() / values.double().abs().nan_to_num().amax().clamp_min(1e-300)


def _correlation(first: Tensor, second: Tensor) -> float:
    """Correlation over all places where both are there."""
    both = ~(first.isnan() | second.isnan())
    first, second = first[both], second[both]
    scale = first.square().sum().sqrt() * second.square().sum().sqrt()
    return float(first @ second / scale) if scale > 0 else 0.0

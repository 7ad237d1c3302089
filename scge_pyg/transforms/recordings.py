"""What converters of recordings take: one or several tensors, alone or with their sampling rates."""

from __future__ import annotations

from typing import Any

from torch import Tensor

__all__ = ["Recording", "at_one_rate"]

Recording = Tensor | tuple[Tensor, float]


def at_one_rate(recordings: Any, rate: float | None, who: str) -> list[Tensor]:
    """The tensors of ``recordings``, whose rates must all be equal.

    Args:
        recordings: A tensor, a pair of a tensor and its rate in Hz, or a list of either.
        rate: The rate wanted. Default: whatever the first one has.
        who: The converter, for messages.

    Raises:
        TypeError: If it is something else.
        ValueError: If there is none, or rates differ.
    """
    several = recordings if isinstance(recordings, list) else [recordings]
    if not several:
        raise ValueError(f"{who}: the list of recordings is empty; give at least one")
    tensors = []
    for place, one in enumerate(several):
        x, own = one if isinstance(one, tuple) and len(one) == 2 else (one, None)
        if not isinstance(x, Tensor) or not (own is None or isinstance(own, (int, float))):
            raise TypeError(
                f"{who}: expected a tensor, a pair (tensor, rate), or a list of them, got {type(one).__name__}; "
                "convert arrays with torch.as_tensor"
            )
        if own is not None and rate is not None and float(own) != float(rate):
            raise ValueError(
                f"{who}: recording {place} has the rate {own:g} Hz, but {rate:g} Hz is expected; resample to one rate "
                "first, as with scipy.signal.resample_poly"
            )
        rate = own if rate is None else rate
        tensors.append(x)
    return tensors

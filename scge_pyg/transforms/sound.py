"""Windows of sound and log-mel spectrograms as samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch_geometric.transforms import BaseTransform

from scge_pyg.transforms.pieces import checked_count, checked_tensor, overlap_mean, windows
from scge_pyg.transforms.recordings import Recording, at_one_rate

__all__ = ["SoundToLogMel", "SoundToWindows", "mel_filters"]

_FLOOR = 1e-10


class SoundToWindows(BaseTransform):
    """Windows of a recording become samples, their steps nodes: ``[..., C, T]`` to ``[..., S, length, C]``.

    ``[T]`` is one recording with one channel. A list of recordings, which may differ in length, gives the windows of
    all, one after the other; none reaches from one recording into the next. Recordings may come in pairs with their
    rates, ``(tensor, rate)``.

    Args:
        length: Steps of a window.
        hop: Steps from one window to the next. Default: ``length``, windows side by side.
        rate: The rate in Hz that recordings must have. Default: any, but the same.

    Raises:
        TypeError: If a recording is no tensor.
        ValueError: If a window is longer than a recording, or rates differ.

    Example:
        >>> import torch
        >>> cut = SoundToWindows(4, hop=2)
        >>> sound = torch.arange(10.0)
        >>> cut(sound)[:2, :, 0].tolist()
        [[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0]]
        >>> torch.equal(cut.inverse(cut(sound))[0], sound)
        True
        >>> cut([(torch.rand(2, 10), 8000), (torch.rand(2, 12), 8000)]).shape
        torch.Size([9, 4, 2])
    """

    def __init__(self, length: int, hop: int | None = None, rate: float | None = None) -> None:
        self.length = checked_count(length, "SoundToWindows: length")
        self.hop = self.length if hop is None else checked_count(hop, "SoundToWindows: hop")
        self.rate = rate

    def forward(self, sound: Recording | list[Recording]) -> Tensor:
        """The windows of a recording, of a batch, or of a list of recordings."""
        recordings = at_one_rate(sound, self.rate, "SoundToWindows")
        cut = [_windows(x, self.length, self.hop) for x in recordings]
        return torch.cat(cut) if isinstance(sound, list) else cut[0]

    def inverse(self, x: Tensor) -> Tensor:
        """The recording ``[..., C, T]`` of windows ``[..., S, length, C]``; overlaps are averaged.

        A rest at the end that filled no window lacks.

        Raises:
            ValueError: If windows leave gaps (``hop > length``), or have another length.
        """
        if x.dim() < 3 or x.shape[-2] != self.length:
            raise ValueError(f"SoundToWindows.inverse: x must be [..., S, {self.length}, C], got {list(x.shape)}")
        return overlap_mean(x.movedim(-1, -3), self.hop, "SoundToWindows.inverse")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(length={self.length}, hop={self.hop})"


class SoundToLogMel(BaseTransform):
    r"""Pieces of a log-mel spectrogram become samples: ``[..., C, T]`` to ``[..., S, mels * frames, C]``.

    .. math:: y_{mt} = \log \max\Big(10^{-10}, \sum_k F_{mk} \Big|\sum_n h_n x_{tH + n} e^{-2\pi i k n / L}\Big|^2\Big)

    with a periodic Hann window :math:`h` of :math:`L` steps every :math:`H`, and triangular filters :math:`F` on the
    mel scale (:func:`mel_filters`). Every frame lies inside the recording. Nodes are in the order mel, frame: those of
    an image of :attr:`shape`. Phases are lost, so that there is no inverse. Recordings come as for
    :class:`SoundToWindows`.

    Args:
        rate: Steps a second.
        mels: Number of filters.
        frames: Frames of a sample.
        window: Steps of a frame.
        hop: Steps from one frame to the next. Default: half of ``window``.

    Raises:
        TypeError: If a recording is no tensor.
        ValueError: If a filter meets no frequency, a recording is too short for one sample, or has another rate.

    Example:
        >>> import torch
        >>> mel = SoundToLogMel(rate=8000, mels=20, frames=16, window=256)
        >>> mel(torch.randn(8000)).shape
        torch.Size([3, 320, 1])
    """

    def __init__(
        self, rate: float, mels: int = 32, frames: int = 32, window: int = 256, hop: int | None = None
    ) -> None:
        self.rate = rate
        self.frames = checked_count(frames, "SoundToLogMel: frames")
        self.window = checked_count(window, "SoundToLogMel: window")
        self.hop = max(self.window // 2, 1) if hop is None else checked_count(hop, "SoundToLogMel: hop")
        self.filters = mel_filters(rate, self.window, checked_count(mels, "SoundToLogMel: mels"))

    @property
    def shape(self) -> tuple[int, int]:
        """Mels and frames of a sample."""
        return self.filters.shape[0], self.frames

    def spectrogram(self, sound: Tensor) -> Tensor:
        """The whole log-mel spectrogram: ``[..., T]`` to ``[..., mels, (T - window) // hop + 1]``."""
        hann = torch.hann_window(self.window, dtype=sound.dtype, device=sound.device)
        framed = windows(sound, self.window, self.hop, "SoundToLogMel")
        power = torch.fft.rfft(framed * hann).abs().square()
        return (power @ self.filters.to(power).T).clamp(min=_FLOOR).log().transpose(-1, -2)

    def forward(self, sound: Recording | list[Recording]) -> Tensor:
        """The samples of a recording, of a batch, or of a list of recordings."""
        samples = []
        for x in at_one_rate(sound, self.rate, "SoundToLogMel"):
            least = (self.frames - 1) * self.hop + self.window
            if x.dim() and x.shape[-1] < least:
                raise ValueError(
                    f"SoundToLogMel: {self.frames} frames take {least} steps, but the recording has {x.shape[-1]}; "
                    "give fewer frames or a shorter hop, leave the recording out, or pad it"
                )
            image = self.spectrogram(_channels(x, "SoundToLogMel"))  # [..., C, mels, F]
            pieces = image.unfold(-1, self.frames, self.frames)  # [..., C, mels, S, frames]
            samples.append(pieces.movedim((-2, -4), (-4, -1)).flatten(-3, -2))
        return torch.cat(samples) if isinstance(sound, list) else samples[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rate={self.rate}, mels={self.shape[0]}, frames={self.frames})"


def mel_filters(rate: float, window: int, mels: int) -> Tensor:
    r"""Triangular filters ``[mels, window // 2 + 1]`` whose corners are equally spaced on the mel scale.

    A frequency of :math:`f` Hz is :math:`2595 \log_{10}(1 + f / 700)` mel (O'Shaughnessy, 1987); the corners reach
    from 0 to ``rate / 2``, and filters have height 1.

    Raises:
        ValueError: If a filter is so narrow that no frequency of the window falls into it.

    Example:
        >>> mel_filters(8000, 64, 5).shape
        torch.Size([5, 33])
    """
    if not 0 < rate < math.inf:
        raise ValueError(f"mel_filters: rate must be a number of steps a second above 0, got {rate!r}")
    frequency = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)
    top = 2595 * math.log10(1 + rate / 1400)
    corner = 700 * (10 ** (torch.linspace(0, top, mels + 2, dtype=torch.float64) / 2595) - 1)
    width = corner.diff().unsqueeze(1)
    rise = (frequency - corner[:-2].unsqueeze(1)) / width[:-1]
    fall = (corner[2:].unsqueeze(1) - frequency) / width[1:]
    filters = torch.minimum(rise, fall).clamp(min=0)
    if empty := int((filters.amax(1) == 0).sum()):
        raise ValueError(
            f"mel_filters: {empty} of mels={mels} filters meet no frequency of a window of {window} steps at "
            f"{rate:g} Hz; give fewer mels or a longer window"
        )
    return filters


def _channels(x: Tensor, who: str) -> Tensor:
    checked_tensor(x, who, "[..., C, T] or [T]", 1)
    return x.unsqueeze(0) if x.dim() == 1 else x


def _windows(x: Tensor, length: int, hop: int) -> Tensor:
    return windows(_channels(x, "SoundToWindows"), length, hop, "SoundToWindows").movedim(-3, -1)

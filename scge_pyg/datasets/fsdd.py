"""Free Spoken Digit Dataset: the ten digits, spoken by six people."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import torch
import torch.nn.functional as F
from scipy.io import wavfile
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.datasets.raw_files import members
from scge_pyg.datasets.raw_node_dataset import RawNodeDataset
from scge_pyg.transforms import SoundToWindows

__all__ = ["FSDDNodes"]

_ARCHIVE, _RECORDINGS = "v1.0.10.zip", "fsdd_recordings.tar.gz"
_RATE, _LOUDEST, _TEST_TAKES = 8000, 2.0**15, 5


class FSDDNodes(RawNodeDataset):
    """Spoken digits at 8 kHz (Jackson et al., 2018), 3,000 recordings of 1,148 to 18,262 steps, values in [-1, 1].

    Nodes are the steps of a window, labels the digits. The raw file is the public archive of release 1.0.10; in its
    place a local folder may hold ``fsdd_recordings.tar.gz`` with the same ``recordings/<digit>_<speaker>_<take>.wav``.

    Args:
        root: Folder for ``raw`` and ``processed``; see :class:`RawNodeDataset` for where raw files are looked for.
        train: Takes 5 to 49 of each speaker and digit, or else takes 0 to 4.
        length: Steps of a window.
        hop: Steps from one window to the next. Default: ``length``, windows side by side.
        whole: One sample a recording instead: its first ``length`` steps, zeros behind shorter ones.
        transform: Applied to each ``Data`` on access.
        force_reload: Read the raw files again.

    Raises:
        ValueError: If a window is longer than the shortest recording, unless ``whole``.

    Attributes:
        recording: Which recording each sample is from, ``[S]`` int64.
        rate: Steps a second.
    """

    name = "fsdd"
    url = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/"
    checksums: ClassVar = {
        _ARCHIVE: "c680098f5d2355ba7cc4bd8b0ca9e0a24c00ebe3b4c552208889a4d28d4fbc2b",
        _RECORDINGS: "82b4b11b42dc3f00f00ce75c9b9bf810",
    }
    rate = _RATE

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        length: int = 784,
        hop: int | None = None,
        whole: bool = False,
        transform: Callable[[Data], Data] | None = None,
        force_reload: bool = False,
    ) -> None:
        self.windows, self.whole = SoundToWindows(length, hop), whole
        super().__init__(root, train, transform, force_reload)

    @property
    def recording(self) -> Tensor:
        """Which recording each sample is from, ``[S]`` int64."""
        return self._chosen(self._recording)

    @property
    def public_files(self) -> list[str]:
        """The one archive that holds both splits."""
        return [_ARCHIVE]

    def found_in(self, folder: Path) -> Sequence[str]:
        """One of the two archives."""
        return next(([name] for name in (_ARCHIVE, _RECORDINGS) if (folder / name).exists()), [])

    def read(self) -> dict[str, Tensor]:
        """All sound of this split end to end, and length and digit of each recording."""
        path = Path(self.raw_paths[0])
        sounds, digits = [], []
        for name, content in members(path, ".wav", "FSDDNodes"):
            digit, take = _digit_and_take(PurePosixPath(name).stem, path)
            if (take < _TEST_TAKES) == self.train:
                continue
            try:
                rate, sound = wavfile.read(io.BytesIO(content))
            except ValueError as error:
                raise ValueError(f"FSDDNodes: {name} in {path} is no readable wave file ({error})") from error
            if rate != _RATE or sound.ndim != 1 or sound.dtype != "int16":
                raise ValueError(
                    f"FSDDNodes: {name} in {path} must be one channel of int16 at {_RATE} Hz, "
                    f"got {sound.dtype} {list(sound.shape)} at {rate} Hz"
                )
            sounds.append(torch.from_numpy(sound.copy()))
            digits.append(digit)
        if not sounds:
            raise ValueError(f"FSDDNodes: {path} holds no recording of this split; get the archive again")
        lengths = torch.tensor([len(sound) for sound in sounds])
        return {"sound": torch.cat(sounds), "length": lengths, "digit": torch.tensor(digits)}

    def use(self, kept: Mapping[str, Tensor]) -> None:
        """Cut windows, or pad whole recordings."""
        sounds = kept["sound"].float().div_(_LOUDEST).split(kept["length"].tolist())
        number = torch.arange(len(sounds))
        if self.whole:
            size = self.windows.length
            x = torch.stack([F.pad(sound[:size], (0, max(size - len(sound), 0))) for sound in sounds]).unsqueeze(2)
        else:
            x = self.windows(list(sounds))
            number = number.repeat_interleave((kept["length"] - self.windows.length) // self.windows.hop + 1)
        self._recording = number
        self._set(x, kept["digit"][number])


def _digit_and_take(stem: str, path: Path) -> tuple[int, int]:
    parts = stem.split("_")
    if len(parts) != 3 or not (parts[0].isdigit() and parts[2].isdigit()):
        raise ValueError(f"FSDDNodes: {path} holds {stem}.wav, which isn't named <digit>_<speaker>_<take>.wav")
    return int(parts[0]), int(parts[2])

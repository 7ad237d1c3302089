"""An EEG with the places of its electrodes, as it comes with EEGLAB."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.datasets.packed import packed, unpacked
from scge_pyg.datasets.recorded import RecordedNodes
from scge_pyg.io import read_layout

__all__ = ["EEGNodes"]

_HEADER, _VALUES, _PLACES = "eeglab_data.set", "eeglab_data.fdt", "eeglab_chan32.locs"


class EEGNodes(RecordedNodes):
    """EEGLAB's sample recording (Delorme and Makeig, 2004): 30,504 steps at 128 Hz, 30 electrodes, microvolts.

    ``names`` are those of the 10-20 system, ``pos`` places on the unit sphere.

    Args:
        root: Folder for ``raw`` and ``processed``; see :class:`RawNodeDataset` for where raw files are looked for.
        train: The first 80 % of the steps, or else the last 20 %. Default: all.
        eyes: With the two electrodes at the eyes, EOG1 and EOG2: 32 nodes.
        transform: Applied to each ``Data`` on access.
        force_reload: Read the raw files again.

    Attributes:
        rate: Steps a second.
    """

    name = "eeg_eeglab"
    url = "https://raw.githubusercontent.com/sccn/eeglab/develop/sample_data/"
    checksums: ClassVar = {
        _HEADER: "cf2d4549e48b8fd82cff776d13adb46c",
        _VALUES: "a135e79e2acc93670746b2b6f44570a7",
        _PLACES: "3b596031314550246392c206b2fffe76",
    }

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool | None = None,
        eyes: bool = False,
        transform: Callable[[Data], Data] | None = None,
        force_reload: bool = False,
    ) -> None:
        self.eyes = eyes
        super().__init__(root, train, transform, force_reload)

    @property
    def public_files(self) -> list[str]:
        """Header, values and places."""
        return [_HEADER, _VALUES, _PLACES]

    def read(self) -> dict[str, Tensor]:
        """Voltages ``x``, ``names``, places ``pos`` and the ``rate`` of all electrodes."""
        header, values, places = map(Path, self.raw_paths)
        try:
            recorded: Any = loadmat(header, squeeze_me=True, struct_as_record=False)["EEG"]
            names = [str(channel.labels) for channel in recorded.chanlocs]
            x = np.fromfile(values, "<f4").reshape(-1, int(recorded.nbchan))
            pos = read_layout(places).places_of(names)
        except (MatReadError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
            raise ValueError(f"EEGNodes: a file in {header.parent} is damaged ({error})") from error
        if len(x) != recorded.pnts or len(names) != x.shape[1] or np.isnan(pos).any():
            raise ValueError(
                f"EEGNodes: {header} announces {recorded.pnts} steps of {len(names)} electrodes, but {values.name} "
                f"holds {len(x)} of {x.shape[1]}"
            )
        rate = torch.tensor(float(recorded.srate))
        return {"x": torch.from_numpy(x), "names": packed(names), "pos": torch.from_numpy(pos).float(), "rate": rate}

    def use(self, kept: Mapping[str, Tensor]) -> None:
        """Leave out the electrodes at the eyes."""
        names = unpacked(kept["names"])
        chosen = [place for place, name in enumerate(names) if self.eyes or not name.startswith("EOG")]
        own = {"x": kept["x"][:, chosen], "pos": kept["pos"][chosen], "names": packed(names[i] for i in chosen)}
        super().use(own)
        self.rate = float(kept["rate"])

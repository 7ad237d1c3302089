"""Which reader an input belongs to."""

from __future__ import annotations

from pathlib import Path

from scge_pyg.cli.arrays import read_npy, read_npz
from scge_pyg.cli.errors import UsageError
from scge_pyg.cli.image_folder import read_images
from scge_pyg.cli.measurements import Measurements
from scge_pyg.cli.tables import read_csv, read_parquet

__all__ = ["open_input"]


def open_input(path: Path, *, key: str | None = None, image: bool = False, header: bool | None = None) -> Measurements:
    """Open ``path`` by its suffix, or as a folder of images.

    Raises:
        UsageError: If it is missing, of no known kind, or its content doesn't fit.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    kind = "folder" if path.is_dir() else path.suffix.lower()
    for option, given, kinds in (
        ("--key", key is not None, (".npz",)),
        ("--image", image, (".npy", ".npz")),
        ("--header", header is not None, (".csv",)),
    ):
        if given and kind not in kinds:
            raise UsageError(f"{option} applies to {' and '.join(kinds)} input, {path} is a {kind}")
    try:
        match kind:
            case "folder":
                return read_images(path)
            case ".npy":
                return read_npy(path, image=image)
            case ".npz":
                return read_npz(path, key=key, image=image)
            case ".csv":
                return read_csv(path, header=header)
            case ".parquet":
                return read_parquet(path)
    except PermissionError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    raise UsageError(
        f"{path} has the unknown suffix '{path.suffix}'; expected .npy, .npz, .csv, .parquet or a folder of images"
    )

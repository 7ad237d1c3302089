"""Which reader an input belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scge_pyg.cli.arrays import read_npy, read_npz
from scge_pyg.cli.image_folder import read_images
from scge_pyg.cli.parquet import read_parquet
from scge_pyg.cli.signals import read_signals
from scge_pyg.io.readers import SUFFIXES, format_of
from scge_pyg.tables.columns import Pick
from scge_pyg.tables.measurements import Measurements
from scge_pyg.tables.text import read_csv
from scge_pyg.usage import UsageError

__all__ = ["open_input"]

_OWN = ("folder", ".npy", ".npz", ".csv", ".parquet")


def open_input(
    path: Path,
    *,
    key: str | None = None,
    image: bool = False,
    header: bool | None = None,
    pick: Pick | None = None,
    options: Mapping[str, Any] | None = None,
) -> Measurements:
    """Open ``path`` by its suffix, or as a folder of images.

    Args:
        path: The file or folder.
        key: Name of one of several arrays.
        image: Whether arrays hold images.
        header: Whether a table has a header. Default: judged.
        pick: Which columns are nodes.
        options: What the format of another field takes beside, as for :func:`scge_pyg.io.read`.

    Raises:
        UsageError: If it is missing, of no known kind, or its content doesn't fit.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    kind = "folder" if path.is_dir() else Path(path.name.lower().removesuffix(".gz")).suffix
    if path.suffix.lower() == ".gz" and kind != ".csv":
        kind = ".gz"
    pick = pick or Pick()
    option_of_columns = pick.given()
    if option_of_columns is not None and (image or kind == "folder"):
        raise UsageError(
            f"{option_of_columns} chooses columns of a table, but the nodes of {path} are pixels of images"
        )
    options = options or {}
    if "raw" in options or (kind not in _OWN and format_of(path) is not None):
        if image or header is not None:
            raise UsageError(f"--{'image' if image else 'header'} has no meaning for {path}")
        return read_signals(path, options if key is None else {**options, "key": key}, pick)
    if options:
        raise UsageError(f"--{next(iter(options)).replace('_', '-')} has no meaning for {path}, a {kind}")
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
                return read_npy(path, image=image, pick=pick)
            case ".npz":
                return read_npz(path, key=key, image=image, pick=pick)
            case ".csv":
                return read_csv(path, header=header, pick=pick)
            case ".parquet":
                return read_parquet(path, pick=pick)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    others = ", ".join(ending for ending in SUFFIXES if ending not in _OWN)
    raise UsageError(
        f"{path} has the unknown suffix '{path.suffix}'; expected .npy, .npz, .csv, .csv.gz, .parquet, a "
        f"folder of images, {others}, or bare numbers with --raw int16 --channels 64"
    )

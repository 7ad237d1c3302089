"""Which reader an input belongs to."""

from __future__ import annotations

from pathlib import Path

from scge_pyg.cli.arrays import read_npy, read_npz
from scge_pyg.cli.columns import Pick
from scge_pyg.cli.errors import UsageError
from scge_pyg.cli.image_folder import read_images
from scge_pyg.cli.measurements import Measurements
from scge_pyg.cli.parquet import read_parquet
from scge_pyg.cli.tables import read_csv

__all__ = ["open_input"]


def open_input(
    path: Path,
    *,
    key: str | None = None,
    image: bool = False,
    header: bool | None = None,
    pick: Pick | None = None,
) -> Measurements:
    """Open ``path`` by its suffix, or as a folder of images.

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
    raise UsageError(
        f"{path} has the unknown suffix '{path.suffix}'; expected .npy, .npz, .csv, .csv.gz, .parquet or a "
        f"folder of images"
    )

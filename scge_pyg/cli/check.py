"""``scge check``: whether channels are where a layout file says."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.cli.inputs import open_input
from scge_pyg.cli.logs import collected_warnings
from scge_pyg.cli.output import written_file
from scge_pyg.discovery import check_layout
from scge_pyg.discovery.layouts.layout_check import LayoutCheck
from scge_pyg.io import read_layout
from scge_pyg.tables.columns import Pick
from scge_pyg.tables.measurements import Measurements
from scge_pyg.usage import UsageError

__all__ = ["run"]

_MOST_ROWS = 64
_FOR_FIELDS = "raw", "channels", "rate"


def run(args: Namespace) -> int:
    """Read, check, say; 1 if a channel is suspect."""
    messages: list[str] = []
    pick = Pick(args.columns, args.drop, args.time_column)
    with collected_warnings(messages, shown=args.verbosity >= 0):
        said = {name: getattr(args, name) for name in _FOR_FIELDS if getattr(args, name) is not None}
        data = open_input(args.input, key=args.key, header=args.header, pick=pick, options=said)
        places, names = _places(data, args.layout)
        try:
            check = check_layout(
                data.read(),
                places,
                names=names,
                missing_value=args.missing_value,
                replicates=args.replicates,
                seed=args.seed,
            )
        except (TypeError, ValueError) as error:
            raise UsageError(f"{args.input}: {error}") from error
    if args.output is not None:
        _draw(args.output, check, places)
    if args.json:
        print(json.dumps({"input": str(args.input), "layout": str(args.layout), **_summary(check)}, indent=2))
    elif args.verbosity >= 0:
        print(f"{check.describe()}\n\n{_table(check)}")
    return 0 if check.ok else 1


def _places(data: Measurements, path: Path) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Claimed places ``[N, d]`` in the order of the data, and names of its channels.

    A layout that says which column each contact is wired to is taken at its word; otherwise names are compared, and
    where the data have none, the layout is taken to list the channels in their order.
    """
    try:
        layout = read_layout(path)
        if layout.channel is not None:
            return _wired(layout.positions, layout.channel, data.num_nodes, path), data.names
        if data.names is not None:
            return layout.places_of(data.names), data.names
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from error
    if layout.num_channels != data.num_nodes:
        raise UsageError(
            f"{path} places {layout.num_channels} channels, but the data have {data.num_nodes} without names"
        )
    return layout.positions, layout.names


def _wired(positions: np.ndarray, channel: np.ndarray, count: int, path: Path) -> np.ndarray:
    """Places of the columns that contacts are wired to; NaN for the others."""
    if int(channel.max(initial=-1)) >= count:
        raise UsageError(f"{path} names channel {int(channel.max())}, but the data have {count}, from 0")
    places = np.full((count, positions.shape[1]), np.nan)
    places[channel[channel >= 0]] = positions[channel >= 0]
    return places


def _table(check: LayoutCheck) -> str:
    """Each channel, or suspects alone where there are many."""
    many = check.num_channels > _MOST_ROWS
    rows = list(check.suspects) if many else list(range(check.num_channels))
    lines = [["channel", "gain at its place", "best other place", "gain there", "p", "suspicion"]]
    for row in rows:
        other = int(check.other_place[row])
        lines.append(
            [
                _name(check, row),
                _number(float(check.gain[row]), ".3f"),
                "" if other < 0 else _name(check, other),
                _number(float(check.other_gain[row]), ".3f"),
                _number(float(check.p_value[row]), ".2g"),
                f"{float(check.suspicion[row]):.2f}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    if many:
        table.append(f"{check.num_channels - len(rows)} more are not suspect; --json lists all")
    return "\n".join(table)


def _name(check: LayoutCheck, channel: int) -> str:
    return str(channel) if check.names is None else check.names[channel]


def _number(value: float, style: str) -> str:
    return "" if np.isnan(value) else format(value, style)


def _summary(check: LayoutCheck) -> dict[str, Any]:
    """The answer as plain values, NaN as null."""

    def plain(values: list[float]) -> list[float | None]:
        return [None if np.isnan(value) else value for value in values]

    return {
        "ok": check.ok,
        "words": check.describe().splitlines(),
        "names": None if check.names is None else list(check.names),
        "suspects": list(check.suspects),
        "suspicion": check.suspicion.tolist(),
        "p_value": plain(check.p_value.tolist()),
        "best_place": check.best_place.tolist(),
        "gain": plain(check.gain.tolist()),
        "other_place": check.other_place.tolist(),
        "other_gain": plain(check.other_gain.tolist()),
        "findings": [finding._asdict() for finding in check.findings],
        "inverted": list(check.inverted),
        "dead": list(check.dead),
        "unplaced": list(check.unplaced),
    }


def _draw(path: Path, check: LayoutCheck, places: np.ndarray) -> None:
    from scge_pyg.plot import plot_layout

    title = check.describe().splitlines()[0]
    figure = plot_layout(places, check.best_place, check.suspicion, labels=check.names, title=title)
    with written_file(path) as partial:
        figure.savefig(partial, dpi=150)

"""Which columns of a table are nodes: what the user named, and what the table itself shows."""

from __future__ import annotations

import csv
import io
import re
import shlex
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from scge_pyg.tables.column_kinds import Values, goes_back, what_it_is
from scge_pyg.usage import UsageError

__all__ = ["Chosen", "LeftOut", "Pick", "check_times", "choose", "text_columns"]


@dataclass(frozen=True)
class Pick:
    """What the user says about columns, each by name or by number counted from 0, with commas between.

    Attributes:
        columns: Columns to take, and no others; ranges like ``3-10`` hold both ends.
        drop: Columns to leave out.
        time: The column of times.
        target: The column of classes, which is no node.
    """

    columns: str | None = None
    drop: str | None = None
    time: str | None = None
    target: str | int | None = None

    def given(self) -> str | None:
        """The first option that was given, if any was."""
        options = {"--columns": self.columns, "--drop": self.drop, "--time-column": self.time}
        return next((option for option, value in options.items() if value is not None), None)


@dataclass(frozen=True)
class LeftOut:
    """A column that is no node.

    Attributes:
        column: Its number, counted from 0.
        name: Its name, if it has one.
        why: ``"row-number"``, ``"row-label"``, ``"time"``, ``"empty"``, ``"target"``, or the option that said so.
    """

    column: int
    name: str | None
    why: str

    def __str__(self) -> str:
        shown = f"{self.column} (counted from 0)" if self.name is None else f'"{self.name}"'
        return f"left out {self.why} column {shown}"


@dataclass(frozen=True)
class Chosen:
    """The columns that are nodes, their names if they have any, and the columns that are none."""

    kept: tuple[int, ...]
    names: tuple[str, ...] | None
    left_out: tuple[LeftOut, ...]


def choose(names: Sequence[str] | None, width: int, head: Sequence[Values], pick: Pick, source: Path) -> Chosen:
    """Choose the columns of a table that are nodes.

    Columns that the user names in ``pick.columns`` are taken as they are; otherwise row numbers, row labels and times
    are left out.

    Args:
        names: Names of the columns, if they have any.
        width: Number of columns.
        head: The first cells of each column; empty where columns hold no single numbers.
        pick: What the user says.
        source: The file, for messages.

    Returns:
        The choice. Columns without names are named by their numbers if some are left out.

    Raises:
        UsageError: If a column is unknown, text is to be a node, or none is left.
    """
    named = range(width) if pick.columns is None else _columns(pick.columns, "--columns", names, width, source)
    reasons: dict[int, str] = {}
    if pick.columns is None:
        found = {j: what_it_is(_name(names, j), values, first=j == 0) for j, values in enumerate(head)}
        reasons |= {j: why for j, why in found.items() if why is not None}
    if pick.drop is not None:
        reasons |= dict.fromkeys(_columns(pick.drop, "--drop", names, width, source), "--drop")
    if pick.time is not None:
        reasons[_one(pick.time, "--time-column", names, width, source)] = "time"
    if pick.target is not None:
        numbered = isinstance(pick.target, int) and -width <= pick.target < width
        place = int(pick.target) % width if numbered else _one(str(pick.target), "target", names, width, source)
        reasons[place] = "target"
    kept = tuple(j for j in named if j not in reasons)
    if text := [j for j in kept if head and isinstance(head[j], list)]:
        raise text_columns(text, names, source, every=len(text) == len(kept))
    if not kept:
        raise UsageError(f"{source}: no column is left to be a node; it has {_shown(names, width)}")
    labels: tuple[str, ...] | None
    if names is not None:
        labels = _different(names, kept)
    else:
        labels = None if kept == tuple(range(width)) else tuple(map(str, kept))
    left_out = tuple(LeftOut(j, _name(names, j), why) for j, why in sorted(reasons.items()))
    return Chosen(kept, labels, left_out)


def _name(names: Sequence[str] | None, number: int) -> str | None:
    return None if names is None else names[number]


def _different(names: Sequence[str], kept: Sequence[int]) -> tuple[str, ...]:
    """Names of nodes: columns without one get their number, and a name that came before gets it as well."""
    taken: dict[str, int] = {}
    for j in kept:
        name = names[j] or str(j)
        while name in taken:
            name = f"{name} ({j})"
        taken[name] = j
    return tuple(taken)


def check_times(times: Iterable[str | float], column: LeftOut, source: Path) -> None:
    """Warn if a column of times goes back: blocks of samples are taken to follow each other."""
    if (found := goes_back(times)) is not None:
        row, before, there = found
        name = f"{column.column} (counted from 0)" if column.name is None else f"'{column.name}'"
        warnings.warn(
            f"{source}: time column {name} goes back at row {row + 1} ({there} after {before}); the rows are used in "
            "the order of the file, sort them by time first",
            UserWarning,
            stacklevel=2,
        )


def text_columns(numbers: Sequence[int], names: Sequence[str] | None, source: Path, *, every: bool) -> UsageError:
    """The error for columns of text that are to be nodes; ``every`` if there are no others."""
    labels = [repr(names[j]) if names else f"{j} (counted from 0)" for j in numbers]
    shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
    if every:
        return UsageError(f"{source} has no numeric columns: columns are nodes and must hold numbers; text in {shown}")
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(
        [names[j] if names and names.count(names[j]) == 1 else j for j in numbers]
    )
    return UsageError(
        f"{source}: columns are nodes and must hold numbers; text in column {shown}; "
        f"leave it out with --drop {shlex.quote(out.getvalue())}"
    )


def _columns(spec: str, option: str, names: Sequence[str] | None, width: int, source: Path) -> list[int]:
    """Column numbers, without repetition, in the order in which they are named."""
    numbers: list[int] = []
    for token in next(csv.reader([spec], skipinitialspace=True), []):
        ends = re.fullmatch(r"(\d+)-(\d+)", token.strip())
        if ends is None or token.strip() in (names or ()):
            numbers.append(_one(token, option, names, width, source))
            continue
        low, high = (_one(end, option, names, width, source) for end in ends.groups())
        if low > high:
            raise UsageError(f"{option}: the range {token.strip()} runs backwards; write {ends[2]}-{ends[1]}")
        numbers += range(low, high + 1)
    return list(dict.fromkeys(numbers))


def _one(token: str, option: str, names: Sequence[str] | None, width: int, source: Path) -> int:
    token = token.strip()
    places = [j for j, name in enumerate(names or ()) if name == token]
    if len(places) > 1:
        raise UsageError(f"{option}: {source} has {len(places)} columns '{token}'; name them by number ({places})")
    if places:
        return places[0]
    if re.fullmatch(r"\d+", token) and int(token) < width:
        return int(token)
    near = {name.lower(): name for name in names or ()}
    close = [near[name] for name in get_close_matches(token.lower(), list(near), n=3)]
    hint = f"close to it: {', '.join(map(repr, close))}" if close else f"it has {_shown(names, width)}"
    raise UsageError(f"{option}: {source} has no column '{token}'; {hint}")


def _shown(names: Sequence[str] | None, width: int) -> str:
    if names is None:
        return f"{width} columns without names, numbered 0 to {width - 1}"
    return ", ".join(map(repr, names[:6])) + (f" and {width - 6} more" if width > 6 else "")

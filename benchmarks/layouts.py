"""`check_layout` on recordings with seeded faults: what passes, what is named, what is missed.

Draw s of a recording is made from seed s, and of each fault from the same seed. The code under test gets samples and
the claimed places and nothing else. The EEG is read from the folder SCGE_DATA names and left out where it isn't set.

    python benchmarks/layouts.py                                   # 100 draws a row; --resume goes on where it stopped
    python benchmarks/layouts.py --quick                           # 10 draws, up to 64 channels
    python benchmarks/layouts.py --recordings grid-64 --faults turned --draws 5 --first-seed 100
    python benchmarks/layouts.py --tables                          # the tables of what is there, and nothing measured
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from layout_faults import FAULTS
from layout_recordings import RECORDINGS, recorded
from report import Records, markdown_table
from tqdm import tqdm

from scge_pyg import check_layout

_DISTANCES = ((0.0, 1.5), (1.5, 2.0), (2.0, 3.0), (3.0, 5.0), (5.0, np.inf))


def measure(name: str, faults: Iterable[str], seed: int) -> list[dict[str, Any]]:
    """Records of one draw of a recording under each fault."""
    drawn = recorded(name, seed)
    records = []
    for number, fault in enumerate(FAULTS):
        if fault not in faults:
            continue
        x, places, scored = FAULTS[fault](drawn, np.random.default_rng([seed, number, len(drawn.places)]))
        start = time.perf_counter()
        check = check_layout(x, places)
        seconds = round(time.perf_counter() - start, 3)
        record = {"recording": name, "fault": fault, "seed": seed, **drawn.params, "seconds": seconds}
        records.append(record | scored(check) | {"says": check.describe().splitlines()[0]})
    return records


def tables(records: list[dict[str, Any]]) -> str:
    """What passes and is named a recording and fault, and swapped channels by their distance."""
    return "\n\n".join([_named(records), _by_distance(records), _by_field(records)])


def _share(values: list[bool]) -> str:
    return f"{sum(values)} of {len(values)}" if values else ""


def _named(records: list[dict[str, Any]]) -> str:
    names = [name for name in RECORDINGS if any(r["recording"] == name for r in records)]
    lines = []
    for fault in FAULTS:
        cells = [[r for r in records if (r["recording"], r["fault"]) == (name, fault)] for name in names]
        lines.append([fault, *(_share([r["named"] for r in cell]) for cell in cells)])
    half = [[r["seconds"] for r in records if r["recording"] == name] for name in names]
    lines.append(["seconds, median / largest", *(f"{np.median(s):.2f} / {max(s):.1f}" for s in half)])
    return markdown_table(["passes or is named exactly", *names], lines)


def _by_distance(records: list[dict[str, Any]]) -> str:
    swapped = [r for r in records if r["fault"].startswith("swapped")]
    names = [name for name in RECORDINGS if any(r["recording"] == name for r in swapped)]
    lines = []
    for low, high in _DISTANCES:
        line = [f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"]
        for name in names:
            pairs = [
                found
                for r in swapped
                if r["recording"] == name
                for found, away in zip(r["suspect"], r["distance"], strict=True)
                if low <= away < high
            ]
            line.append(f"{np.mean(pairs) / 2:.3f} ({2 * len(pairs)})" if pairs else "")
        lines.append(line)
    false = [_share([r["false"] > 0 for r in swapped if r["recording"] == name]) for name in names]
    lines.append(["draws with another channel suspected", *false])
    return markdown_table(["share of swapped channels suspected, by spacings", *names], lines)


def _by_field(records: list[dict[str, Any]]) -> str:
    fields = list(dict.fromkeys(r["field"] for r in records))
    lines = []
    for fault in FAULTS:
        cells = [[r["named"] for r in records if (r["field"], r["fault"]) == (field, fault)] for field in fields]
        lines.append([fault, *map(_share, cells)])
    return markdown_table(["the same by field", *fields], lines)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 draws, up to 64 channels")
    parser.add_argument("--recordings", nargs="+", choices=RECORDINGS, help="which recordings")
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS), help="which faults")
    parser.add_argument("--draws", type=int, help="draws a recording (default: 100)")
    parser.add_argument("--first-seed", type=int, default=0, help="first s; tune with 100 and above only")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--tables", action="store_true", help="only show the records that are there")
    parser.add_argument("--output", type=Path, default=Path("results") / "layouts.json", help="default: %(default)s")
    args = parser.parse_args()
    if args.tables:
        print(tables(json.loads(args.output.read_text())["records"]))
        return 0
    names = args.recordings or [name for name in RECORDINGS if not (args.quick and name.endswith("128"))]
    if "SCGE_DATA" not in os.environ:
        names = [name for name in names if name != "eeg"]
    draws = args.draws or (10 if args.quick else 100)
    records = Records(args.output, {"first_seed": args.first_seed}, resume=args.resume)
    plan = [(name, args.first_seed + s) for s in range(draws) for name in names]
    for name, seed in tqdm(plan, unit="draw", file=sys.stderr):
        missing = [f for f in args.faults if not records.find(recording=name, fault=f, seed=seed)]
        for record in measure(name, missing, seed):
            records.add(record)
    print(tables(records.items))
    return 0


if __name__ == "__main__":
    sys.exit(main())

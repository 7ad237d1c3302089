"""Strange input to the commands: tables, arrays, graphs, layouts and configurations."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml
from fuzz_cases import Draw, check_graph
from fuzz_files import damaged, graphs, mutated

from scge_pyg import SharedGraph
from scge_pyg.cli import main

__all__ = ["array", "configuration", "layout", "shown", "table"]

_CELLS = (
    *("", " ", "nan", "NA", "inf", "-inf", "1e400", "0", "-0", "1", "3.5", "1e-320", "a", "é", "x|y", "#", "\0"),
    *('"', '""', '"1"', "2024-01-01", "12:30", "007", "1,5", "1;5", "0x10", "1_000", "9" * 30, "\ufeff", "\u0663"),
)
_DTYPES = ("f2", "f4", "f8", ">f4", "i1", "i4", ">i8", "u1", "u8", "?", "c8", "U3", "S2", "M8[s]", "f4,i4")


def table(draw: Draw, folder: Path) -> None:
    """``scge discover`` on a text table."""
    path = folder / draw.choice(("t.csv", "t.csv.gz", "T.CSV"))
    if draw.often(15):
        content = draw.numbers().bytes(draw.integer(0, 80))
    else:
        content = _table(draw).encode(draw.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1")), "replace")
        content = damaged(draw, content) if draw.often(25) else content
    if path.suffix == ".gz" and not draw.often(10):
        content = gzip.compress(content, 1, mtime=0)
        content = damaged(draw, content) if draw.often(15) else content
    path.write_bytes(content)
    options = draw.choice(
        ((), (), ("--header",), ("--no-header",), ("--columns", "0-3"), ("--drop", "a"), ("--time-column", "0"))
    )
    if draw.often(15):
        kind = draw.choice(("--counts", "--affinity"))
        command(folder, "discover", kind, str(path), "-o", str(folder / "out"), "--no-plot")
        return
    command(folder, "discover", str(path), "-o", str(folder / "out"), "--no-plot", *options)


def array(draw: Draw, folder: Path) -> None:
    """``scge discover`` on arrays of numpy, of any type, whole or damaged."""
    packed = draw.often(50)
    path = folder / ("x.npz" if packed else "x.npy")
    made = [_array(draw) for _ in range(draw.choice((1, 1, 1, 0, 2)) if packed else 1)]
    store = io.BytesIO()
    if packed:
        save = np.savez_compressed if draw.often(50) else np.savez
        save(store, **dict(zip("xy", made, strict=False)))  # type: ignore[arg-type]
    else:
        np.save(store, made[0])
    content = store.getvalue()
    path.write_bytes(damaged(draw, content) if draw.often(60) else content)
    options = draw.choice(((), (), ("--image",), ("--key", "x"), ("--missing-value", "0"), ("--columns", "0,2")))
    if draw.often(20):
        kind = draw.choice(("--counts", "--affinity"))
        command(folder, "discover", kind, str(path), "-o", str(folder / "out"), "--no-plot")
        return
    command(folder, "discover", str(path), "-o", str(folder / "out"), "--no-plot", *options)


def layout(draw: Draw, folder: Path) -> None:
    """``scge check`` on sound samples and a strange layout."""
    nodes = draw.integer(3, 8)
    walk = draw.numbers().normal(size=(60, nodes)).cumsum(1)
    names = [f"c{node}" for node in range(nodes)]
    head = ",".join(names) + "\n"
    (folder / "x.csv").write_text(head + "\n".join(",".join(map(str, row)) for row in walk.tolist()))
    rows = [[name, str(float(place)), str(place % 2)] for place, name in enumerate(names)]
    for _ in range(draw.integer(0, 3)):
        rows[draw.integer(0, nodes - 1)][draw.integer(0, 2)] = draw.choice(_CELLS)
    text = draw.choice(("name,x,y\n", "name,x,y\n", "", "name\tx\ty\n")) + "\n".join(map(",".join, rows))
    content = text.encode()
    path = folder / draw.choice(("l.csv", "l.csv", "l.tsv", "l.json", "l.prb", "l.locs", "l.elc", "l.sfp"))
    path.write_bytes(damaged(draw, content) if draw.often(50) else content)
    command(folder, "check", str(folder / "x.csv"), "--layout", str(path), "--replicates", "19")


_SOUND = {
    "task": "classification",
    "model": {"name": "NodeMLP", "options": {"hidden": [4]}, "lr": 0.01},
    "data": {"batch_size": 8, "seed": 3, "val": 0.1},
    "run": {"epochs": 1, "accelerator": "cpu", "keep": 2},
    "discover": {"dim": 2},
    "graph": "none",
}


def configuration(draw: Draw, folder: Path) -> None:
    """``scge fit`` on a strange configuration, up to the first epoch."""
    from scge_pyg.train import Run

    numbers = draw.numbers()
    np.save(folder / "x.npy", numbers.normal(size=(40, 5)).astype("f4"))
    np.save(folder / "y.npy", numbers.integers(0, 2, 40))
    told: dict[str, Any] = json.loads(json.dumps(_SOUND))
    told["data"] |= {"x": str(folder / "x.npy"), "y": str(folder / "y.npy")}
    for _ in range(draw.integer(1, 3)):
        told = mutated(draw, told)
    text = yaml.safe_dump(told).encode()
    if draw.often(30):
        text = damaged(draw, text)
    elif draw.often(10):
        text = draw.choice(
            (b"", b"[" * 3000, b"&a [*a, *a]", b"!!python/object/apply:os.getcwd []", b"\xff", b"a: b: c")
        )
    (folder / "c.yaml").write_bytes(text)

    def prepare(run: Any, module: Any, data: Any, callbacks: Any = (), config: Any = None) -> dict[str, float]:
        data.setup()
        run.folder.begin(config, seed=run.seed)
        return {}

    with mock.patch.object(Run, "fit", prepare):
        command(folder, "fit", "--config", str(folder / "c.yaml"), "--run.folder", str(folder / "run"))


def shown(draw: Draw, folder: Path) -> None:
    """``scge show`` on a file that may be damaged."""
    path = folder / "graph.safetensors"
    content = draw.choice(graphs())
    path.write_bytes(damaged(draw, content) if draw.often(80) else content)
    command(folder, "show", str(path), *draw.choice(((), ("--json",))))


def command(folder: Path, *words: str) -> None:
    """Run ``scge`` and check its status, its one line, and that a failure leaves nothing behind."""
    before = _content(folder)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*words, "-q"])
    said = err.getvalue()
    assert "Traceback" not in said, said.strip().splitlines()[-1] + _where(said)
    assert status in ((0, 1) if words[0] == "check" else (0,)) or status == 2, f"exit status {status}: {said}"
    if status == 2:
        assert said.startswith("scge: "), f"no line says what is wrong: {said[:200]!r}"
        assert said.count("\n") == 1, f"{said.count(chr(10))} lines say what is wrong: {said[:300]!r}"
        assert _content(folder) == before, "something is left of what failed"
    elif words[0] == "discover":
        check_graph(SharedGraph.load(folder / "out" / "graph.safetensors"))
        json.loads((folder / "out" / "summary.json").read_text(), parse_constant=_no_constant)


def _no_constant(name: str) -> None:
    raise AssertionError(f"summary.json holds {name}, which JSON doesn't know")


def _where(said: str) -> str:
    """The last place of ours in a traceback."""
    ours = [line.strip() for line in said.splitlines() if "scge_pyg/" in line]
    return f" ({ours[-1]})" if ours else ""


def _content(folder: Path) -> Mapping[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _table(draw: Draw) -> str:
    rows, columns = draw.choice((0, 1, 2, 5, 30, 60)), draw.integer(1, 7)
    values = draw.numbers().normal(size=(rows, columns)).cumsum(draw.integer(0, 1))
    if draw.often(20):
        values = values.round()
    cells = [[f"{value:.4g}" for value in row] for row in values.tolist()]
    head = draw.choice(([], ["a", "b", "c", "d", "e", "f", "g"], ["1", "2", "3", "4", "5", "6", "7"], ["time"] * 7))
    cells = [head[:columns], *cells] if head else cells
    for _ in range(draw.choice((0, 0, 1, 2, 6))):
        if cells and (row := cells[draw.integer(0, len(cells) - 1)]):
            row[draw.integer(0, len(row) - 1)] = draw.choice(_CELLS)
    if cells and draw.often(10):
        cells[draw.integer(0, len(cells) - 1)].append("1")
    mark, end = draw.choice((",", ",", ";", "\t", " ", "|")), draw.choice(("\n", "\n", "\r\n", "\r", "\n\n"))
    return end.join(map(mark.join, cells)) + draw.choice((end, ""))


def _array(draw: Draw) -> np.ndarray[Any, Any]:
    sizes = tuple(draw.choice((0, 1, 2, 3, 5, 40)) for _ in range(draw.choice((2, 2, 2, 3, 4, 0, 1))))
    values = draw.numbers().normal(size=sizes) * draw.choice((1, 3, 1e5, 1e300, 1e-300))
    with np.errstate(all="ignore"):
        return np.nan_to_num(values).astype(draw.choice(_DTYPES))

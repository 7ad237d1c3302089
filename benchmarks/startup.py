"""How long a user waits: for the package, for help and refusals of the command, for the first line of a training run.

Each is a process of its own, all in turn, several rounds; medians. "imports" is `import lightning.pytorch,
torch_geometric`, what training can't do without.

    python benchmarks/startup.py            # 7 rounds
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from operator import sub
from pathlib import Path
from statistics import median

from report import markdown_table

_PYTHON = [sys.executable, "-c"]
_SCGE = [sys.executable, "-m", "scge_pyg"]
_CONFIG = Path(__file__).parents[1] / "configs" / "digits.yaml"
_FIRST = "ClassificationModule("
_FIT = "scge fit, digits, first line"
_GOALS = {"scge --help": "1.5", "scge discover, a missing file": "1.5"}
_BEYOND = (
    ("import scge_pyg beyond python", "import scge_pyg", "python", "0.1"),
    ("scge fit beyond imports", _FIT, "imports", "2"),
)


def commands(folder: Path) -> dict[str, list[str]]:
    """What is run, by what it is called."""
    return {
        "python": [*_PYTHON, "pass"],
        "import scge_pyg": [*_PYTHON, "import scge_pyg"],
        "scge --help": [*_SCGE, "--help"],
        "scge discover --help": [*_SCGE, "discover", "--help"],
        "scge discover, a missing file": [*_SCGE, "discover", "none.csv", "-o", str(folder / "out")],
        "scge fit, a missing file": [*_SCGE, "fit", "--config", "none.yaml"],
        "imports": [*_PYTHON, "import lightning.pytorch, torch_geometric"],
    }


def whole(command: list[str]) -> float:
    """Seconds until the process ends."""
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=False)
    return time.perf_counter() - start


def to_first_line(folder: Path) -> float:
    """Seconds until `scge fit` says what it trains; the run is stopped then."""
    command = [*_SCGE, "fit", "--config", str(_CONFIG), "--run.folder", str(folder), "--run.accelerator", "cpu"]
    start = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        found = next((True for line in process.stderr if line.startswith(_FIRST)), False)
        took = time.perf_counter() - start
        process.kill()
    if not found:
        raise SystemExit("scge fit ended without its first line")
    return took


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for number in range(rounds):
            for label, command in commands(Path(name)).items():
                seconds.setdefault(label, []).append(whole(command))
            seconds.setdefault(_FIT, []).append(to_first_line(Path(name) / f"run{number}"))
    rows = [[label, f"{median(values):.2f}", _GOALS.get(label, "")] for label, values in seconds.items()]
    for what, label, other, goal in _BEYOND:
        rows.append([what, f"{median(map(sub, seconds[label], seconds[other])):.2f}", goal])
    print(markdown_table(["what", "seconds", "goal"], rows))


if __name__ == "__main__":
    main()

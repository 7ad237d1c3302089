"""How large the report of 65,536 nodes is, how long it takes to write, and how soon it answers the pointer.

python benchmarks/report_page.py              # a 256 x 256 lattice in an unknown order, with names, gains and samples
python benchmarks/report_page.py --runs 3     # fewer openings; --nodes 16384 for a smaller lattice

The page is opened in headless Chromium (playwright, and a Chromium on the path or named by SCGE_CHROMIUM), WebGL in
software. Time runs from the call that opens the file until a node and its neighbours are shown under a pointer that has
been moving over the map from the beginning. Without a Chromium only size and writing are measured.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from report import markdown_table

from scge_pyg import SharedGraph
from scge_pyg.graph import Fit, Lattice
from scge_pyg.plot import write_report

FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 30.0


def lattice_in_unknown_order(side: int) -> tuple[SharedGraph, torch.Tensor]:
    """A graph with all that a discovered one has, none of it compressible, and twelve samples."""
    generator = torch.Generator().manual_seed(0)
    count = side * side
    order = torch.randperm(count, generator=generator)
    plain = SharedGraph.from_grid((side, side))
    fit = Fit(
        *("correlation", 1.5, 1.53, 0.03, 0.98, 0.01, "geometry", 2, (0.9, 1.5, 1.49)),
        node_gain=torch.rand(count, generator=generator),
        num_samples=20000,
        effective_samples=9000.0,
        seconds={},
    )
    graph = SharedGraph(
        plain.pos[order] + 0.05 * torch.randn(count, 2, generator=generator),
        order.argsort()[plain.edge_index],
        torch.rand(plain.num_edges, generator=generator),
        confidence=torch.rand(count, generator=generator),
        lattice=Lattice(plain.lattice.cell[order], (side, side)),
        names=[f"sensor {node:05d}" for node in range(count)],
        fit=fit,
    )
    return graph, torch.randn(12, count, generator=generator)


def seconds_to_answer(browser: Any, path: Path) -> tuple[float, float, float]:
    """Seconds until the map is drawn, until a node answers the pointer, and those that the page's thread worked."""
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    page = context.new_page()
    inside = context.new_cdp_session(page)
    inside.send("Performance.enable", {"timeDomain": "threadTicks"})
    start = time.perf_counter()
    page.goto(path.as_uri(), wait_until="commit")
    step = 0
    while time.perf_counter() - start < PATIENCE:
        page.mouse.move(300 + 3 * (step % 60), 700 + 2 * (step % 40))
        step += 1
        if page.evaluate("!!document.querySelector('#tip:not([hidden]) strong')"):
            break
    else:
        raise SystemExit(f"no node answered the pointer within {PATIENCE:.0f} s")
    answered = time.perf_counter() - start
    worked = {one["name"]: one["value"] for one in inside.send("Performance.getMetrics")["metrics"]}["TaskDuration"]
    drawn = page.evaluate("performance.getEntriesByName('map-ready')[0].startTime") / 1000
    context.close()
    return drawn, answered, worked


def openings(path: Path, runs: int) -> list[tuple[float, float, float]]:
    """Each opening in a fresh context of one browser; none where there is no browser."""
    chromium = os.environ.get("SCGE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("not opened: playwright or Chromium is missing")
        return []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        return [seconds_to_answer(browser, path) for _ in range(runs)]


def main() -> None:
    """Write once, open several times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=65536, help="nodes, a square number (default: 65536)")
    parser.add_argument("--runs", type=int, default=7, help="openings (default: 7)")
    args = parser.parse_args()
    graph, samples = lattice_in_unknown_order(math.isqrt(args.nodes))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write_report(SharedGraph.from_grid((2, 2)), path)
        empty = path.stat().st_size
        start = time.perf_counter()
        write_report(graph, path, samples=samples)
        wrote = time.perf_counter() - start
        size = path.stat().st_size
        times = openings(path, args.runs)
    rows = [
        ["size", f"{size / 1e6:.1f} MB, of which {empty / 1e6:.1f} MB plotly and page"],
        ["writing", f"{wrote:.2f} s"],
    ]
    told = "map drawn", "node answers the pointer", "work of the page's thread until then"
    for what, seconds in zip(told, zip(*times, strict=True), strict=False):
        median, most = statistics.median(seconds), max(seconds)
        rows.append([what, f"median {median:.2f} s, longest {most:.2f} s of {len(seconds)} openings"])
    print(markdown_table([f"report of {graph.num_nodes:,} nodes", ""], rows))


if __name__ == "__main__":
    main()

"""``scge report``: one page about a graph or a run."""

from __future__ import annotations

import json
from argparse import Namespace

from torch import Tensor

from scge_pyg.cli.inputs import open_input
from scge_pyg.cli.logs import collected_warnings
from scge_pyg.usage import UsageError, need

__all__ = ["run"]

_SHOWN = 12


def run(args: Namespace) -> None:
    """Read, write the page, say where it is."""
    need("plotly", "matplotlib", extra="report", purpose="scge report")
    from scge_pyg.plot import write_report

    try:
        page = write_report(args.input, args.output, samples=_samples(args), title=args.title)
    except (FileNotFoundError, TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    size = page.stat().st_size
    if args.json:
        print(json.dumps({"input": str(args.input), "output": str(page), "bytes": size}, indent=2))
    elif args.verbosity >= 0:
        print(f"written to {page}: {size / 1e6:.1f} MB, opens in any browser")


def _samples(args: Namespace) -> Tensor | None:
    if args.samples is None:
        return None
    with collected_warnings([], shown=args.verbosity >= 0):
        return open_input(args.samples, key=args.key, image=args.image).first(_SHOWN)

"""``scge export``: the network of a run as a file for others."""

from __future__ import annotations

import json
import warnings
from argparse import Namespace

from scge_pyg.train import export, trained_network
from scge_pyg.usage import UsageError

__all__ = ["run"]


def run(args: Namespace) -> int:
    """Write, compare; 1 if the numbers differ."""
    try:
        network, sizes = trained_network(args.input)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about how it traces
            difference = export(network, sizes, args.output, lowered=args.lowered)
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise UsageError(str(error)) from error
    agrees = difference <= args.tolerance
    if args.json:
        summary = {"run": str(args.input), "written": str(args.output), "difference": difference, "agrees": agrees}
        print(json.dumps(summary, indent=2))
    elif args.verbosity >= 0:
        said = "agrees with the network" if agrees else "DIFFERS from the network"
        print(f"written to {args.output}: {said}, largest relative difference {difference:.1e}")
    return 0 if agrees else 1

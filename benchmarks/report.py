"""Records of a benchmark: kept on disk after every run, so that an interrupted one can go on, and shown as tables."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import scge_pyg

__all__ = ["Records", "markdown_table"]


class Records:
    """A list of JSON records in one file, which is replaced as a whole after every new one.

    Args:
        path: The file.
        settings: What the records were measured with.
        resume: Keep the records of an earlier, interrupted run with the same settings.
    """

    def __init__(self, path: Path, settings: dict[str, Any], *, resume: bool) -> None:
        self.path = path
        self.header = {"settings": settings, "machine": _machine()}
        self.items: list[dict[str, Any]] = []
        if resume and path.exists():
            stored = json.loads(path.read_text())
            if stored["settings"] != json.loads(json.dumps(settings)) or stored["machine"] != self.header["machine"]:
                raise SystemExit(f"{path} was measured with other settings or code; run without --resume")
            self.items = stored["records"]

    def find(self, **keys: Any) -> dict[str, Any] | None:
        """The record whose entries equal ``keys``."""
        return next((r for r in self.items if all(r.get(k) == v for k, v in keys.items())), None)

    def add(self, record: dict[str, Any]) -> None:
        """Append a record and write the file."""
        self.items.append(record)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".tmp")
        partial.write_text(json.dumps({**self.header, "records": self.items}, indent=1) + "\n")
        partial.replace(self.path)


def _machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return {
        "scge_pyg": scge_pyg.__version__,
        "commit": commit.stdout.strip() or None,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    widths = [max(len(line[j]) for line in (head, *lines)) for j in range(len(head))]
    rows = [head, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )

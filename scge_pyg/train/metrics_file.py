"""`MetricsFile`: Lightning's CSV of metrics, whose rows survive that a column is added on a full disk."""

from __future__ import annotations

import csv
from pathlib import Path

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

__all__ = ["MetricsFile"]


class _Writer(ExperimentWriter):
    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """As Lightning does, under another name, then renamed."""
        target = Path(self.metrics_file_path)
        partial = target.with_suffix(".tmp")
        try:
            with target.open(newline="") as before, partial.open("w", newline="") as after:
                rows = csv.DictWriter(after, fieldnames=fieldnames)
                rows.writeheader()
                rows.writerows(csv.DictReader(before))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


class MetricsFile(CSVLogger):
    """A :class:`lightning.pytorch.loggers.CSVLogger` whose file is never written over, only replaced."""

    @property
    @rank_zero_experiment
    def experiment(self) -> _Writer:
        """What writes."""
        if self._experiment is None:
            Path(self.root_dir).mkdir(parents=True, exist_ok=True)
            self._experiment = _Writer(log_dir=self.log_dir)
        assert isinstance(self._experiment, _Writer)
        return self._experiment

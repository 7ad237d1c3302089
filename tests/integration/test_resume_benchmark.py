"""A run that is killed by SIGKILL and fitted again ends with the same bits; the benchmark in small."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_killed_runs_end_with_the_same_bits():
    command = [sys.executable, "resume.py", "--kills", "2", "--kinds", "forecasting"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=BENCHMARKS, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert "| forecasting | 2 of 2 " in result.stdout, result.stderr

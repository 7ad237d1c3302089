#!/usr/bin/env bash
# jsonargparse: an optional positional (nargs="?") that stands in the --config file is overwritten in silence by its own
# default, None, while an option beside it in the same file is taken, and while parse_path takes the positional from the
# very same file. The order matters too: with a word for it before --config, the file wins; behind it, the word wins.
# Remedy: default=argparse.SUPPRESS for the positional, and args.get("input") afterwards.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check jsonargparse==4.53.0 PyYAML==6.0.4
cd "$work"
printf 'input: readings.csv\nseed: 7\n' > run.yaml
"$work/venv/bin/python" - <<'E'
import argparse
from importlib.metadata import version

import jsonargparse

print("jsonargparse", version("jsonargparse"))


def parser(**default):
    made = jsonargparse.ArgumentParser(exit_on_error=False)
    made.add_argument("--config", action="config")
    made.add_argument("input", type=str, nargs="?", **default)
    made.add_argument("--seed", type=int, default=0)
    return made


plain = parser()
seen = plain.parse_args(["--config", "run.yaml"])
print("--config run.yaml:", f"input={seen.input!r} seed={seen.seed}")
path = plain.parse_path("run.yaml")
print("parse_path(run.yaml):", f"input={path.input!r} seed={path.seed}")
before = plain.parse_args(["other.csv", "--config", "run.yaml"]).input
behind = plain.parse_args(["--config", "run.yaml", "other.csv"]).input
print("other.csv before / behind --config:", before, "/", behind)
mended = parser(default=argparse.SUPPRESS).parse_args(["--config", "run.yaml"])
print("with default=SUPPRESS:", f"input={mended.get('input')!r} seed={mended.seed}")
assert (seen.input, seen.seed) == (None, 7), "the positional of the file is taken now"
assert path.input == mended.get("input") == "readings.csv"
assert (before, behind) == ("readings.csv", "other.csv")
E

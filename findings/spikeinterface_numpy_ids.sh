#!/usr/bin/env bash
# A NumpyRecording of SpikeInterface does not hand on its channel ids: clone(), pickle and worker processes that are
# spawned, as they are on macOS and Windows, rebuild it with ids 0, 1, 2, ... A selection by id then means other channels.
# With ids that are numbers nothing is said, and save(n_jobs=2) writes other channels' voltages under the ids asked for.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check spikeinterface==0.105.3 numpy==2.4.6
cd "$work"
cat > run.py <<'E2'
import pickle
from importlib.metadata import version

import numpy as np
import spikeinterface.core as si

VOLTS = {3: 0.0, 2: 10.0, 1: 20.0, 0: 30.0}  # of each channel, by its id


def values(recording):
    return dict(zip(recording.channel_ids.tolist(), recording.get_traces()[0].tolist()))


def main():
    print("spikeinterface", version("spikeinterface"))
    traces = np.tile(np.array(list(VOLTS.values()), "float32"), (3000, 1))
    recording = si.NumpyRecording([traces], 1000.0, channel_ids=list(VOLTS))
    assert values(recording) == VOLTS
    print("documented:", " ".join(si.NumpyRecording.clone.__doc__.split()))
    print("ids", recording.channel_ids, "of the clone", recording.clone().channel_ids)
    chosen = recording.select_channels([3, 1])
    right = {3: 0.0, 1: 20.0}
    assert values(chosen) == right
    for what, again in (("clone", chosen.clone()), ("pickle", pickle.loads(pickle.dumps(chosen)))):
        print(f"{what}: channels 3 and 1 hold {values(again)}, they were {right}")
        assert values(again) == {3: 30.0, 1: 10.0}, "the behaviour changed"
    for jobs in (1, 2):
        saved = chosen.save(folder=f"saved{jobs}", n_jobs=jobs, mp_context="spawn", chunk_size=500, progress_bar=False)
        print(f"save(n_jobs={jobs}): channels 3 and 1 hold {values(saved)}")
        assert values(saved) == (right if jobs == 1 else {3: 30.0, 1: 10.0}), "the behaviour changed"
    named = si.NumpyRecording([traces], 1000.0, channel_ids=list("dcba")).select_channels(["d"])
    try:
        named.clone()
        raise SystemExit("the behaviour changed")
    except AssertionError as error:
        print("ids that are no numbers are at least refused:", error)
    # Remedy: save the recording once with one process; what is loaded from its folder knows its ids.
    kept = recording.save(folder="kept", n_jobs=1, progress_bar=False).select_channels([3, 1])
    saved = kept.save(folder="kept2", n_jobs=2, mp_context="spawn", chunk_size=500, progress_bar=False)
    print("remedy: clone", values(kept.clone()), "save(n_jobs=2)", values(saved))
    assert values(kept.clone()) == values(saved) == right


if __name__ == "__main__":
    main()
E2
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore run.py

#!/usr/bin/env bash
# mne_connectivity.degree takes the result of mne_connectivity.spectral_connectivity_epochs and promises the undirected
# degree. That result is stored as a lower triangle, which degree reads as a directed graph: with every pair connected
# the degrees of N channels are N-1, ..., 1, 0 in the order of the channels, at every threshold alike.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check mne-connectivity==0.9.0 mne==1.13.2 numpy==2.4.6 \
    scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import mne
import mne_connectivity
import numpy as np
from mne_connectivity import degree, spectral_connectivity_epochs

mne.set_log_level("ERROR")
print("mne_connectivity", mne_connectivity.__version__)
print("documented:", " ".join(degree.__doc__.split()[:8]), "| connectivity :",
      " ".join(degree.__doc__.split("connectivity : ")[1].split()[:6]))

# A hub: channel 5 of six is heard by all others, which share nothing else.
rng = np.random.default_rng(0)
hub = rng.standard_normal((60, 1, 400))
epochs = rng.standard_normal((60, 6, 400)) * np.array([1, 1, 1, 1, 1, 0.05])[:, None] + hub


def coherence(data, names):
    return spectral_connectivity_epochs(data, names=names, method="coh", sfreq=100.0, fmin=5.0, fmax=20.0, faverage=True)


names = ["a", "b", "c", "d", "e", "hub"]
result = coherence(epochs, names)
dense = result.get_data("dense")[..., 0]
print("coherence, as stored:\n", dense.round(2))
for keep in (1.0, 0.34):
    print(f"degree(result, {keep}):", dict(zip(names, degree(result, keep).tolist())))
assert degree(result, 1.0).tolist() == [5, 4, 3, 2, 1, 0], "the behaviour changed"
assert degree(result, 0.34)[names.index("hub")] == 0, "the behaviour changed"

mirrored = coherence(epochs[:, ::-1], names[::-1])
print("degree of the same channels listed backwards:", dict(zip(names[::-1], degree(mirrored, 1.0).tolist())))
assert degree(mirrored, 1.0).tolist() == [5, 4, 3, 2, 1, 0], "the behaviour changed"

# Remedy: fill the other triangle first; then a third of the 15 pairs are the five pairs with the hub.
full = dense + dense.T
fixed = {keep: dict(zip(names, degree(full, keep).tolist())) for keep in (1.0, 0.34)}
print("remedy, degree(dense + dense.T):", fixed)
assert set(fixed[1.0].values()) == {5}
assert fixed[0.34]["hub"] == 5 and [fixed[0.34][name] for name in names[:5]] == [1] * 5
backwards = mirrored.get_data("dense")[..., 0]
assert dict(zip(names[::-1], degree(backwards + backwards.T, 0.34).tolist())) == fixed[0.34]
E

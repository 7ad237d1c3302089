#!/usr/bin/env bash
# Elephant's cross_correlation_function cuts its result to n_lags beside zero and leaves the time axis as it was:
# the times start at minus half of the record, so that a delay of 15 ms between two sensors reads as -19.965 s. The
# documented R(tau) = <x(t) y(t + tau)> is <x(t + tau) y(t)> besides: a sensor that is late has its peak before zero.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check elephant==1.2.1 neo==0.14.6 \
    quantities==0.16.4 numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import numpy as np
import quantities as pq
from elephant.signal_processing import cross_correlation_function
from neo import AnalogSignal

print(*(f"{name} {version(name)}" for name in ("elephant", "neo", "quantities", "numpy")))
doc = cross_correlation_function.__doc__
print("documented:", " ".join(doc[doc.index("where :math:"):doc.index("`signal[channel")].split()))
print("of n_lags:", " ".join(doc[doc.index("Defines the number of"):doc.index("If None, the number of")].split()))
print("its example plots:", doc[doc.index("plt.plot(rho"):].split("\n")[0])

# Two sensors at 200 Hz; the second hears the same 15 ms later.
rate, samples, late = 200, 8000, 3
rng = np.random.default_rng(0)
source = rng.standard_normal(samples + late)
first = source[late:] + 0.3 * rng.standard_normal(samples)
second = source[:samples] + 0.3 * rng.standard_normal(samples)
recording = AnalogSignal(np.stack([first, second], axis=1), units="uV", sampling_rate=rate * pq.Hz)


def by_definition(lag):
    """<x(t) y(t + lag)> for a lag in samples."""
    start, stop = max(0, -lag), samples - max(0, lag)
    return np.mean(first[start:stop] * second[start + lag:stop + lag]) / (first.std() * second.std())


expected = max(range(-10, 11), key=by_definition)
print(f"by the documented formula: {by_definition(expected):.3f} at {1000 * expected / rate:.0f} ms")
assert expected == late
for number in (None, 10, 50, 500):
    result = cross_correlation_function(recording, [0, 1], n_lags=number)
    times = result.times.rescale("s").magnitude
    values = result.magnitude[:, 0]
    best = int(values.argmax())
    print(f"n_lags={number}: {len(values)} values, {times[0]:.3f} to {times[-1]:.3f} s, peak {values[best]:.3f} at"
          f" {times[best]:.3f} s, which is {best - len(values) // 2} samples from the middle")
    assert best - len(values) // 2 == -late, "the sign is the documented one: the behaviour changed"
    assert np.isclose(times[0], -samples / 2 / rate), "the times follow n_lags: the behaviour changed"
    # Remedy: lags of one's own, with the sign turned.
    if number is not None:
        lags = -np.arange(-number, number + 1) / rate
        assert lags[best] == late / rate
        print(f"   remedy, -numpy.arange(-n_lags, n_lags + 1) / rate: peak at {1000 * lags[best]:.0f} ms")
E

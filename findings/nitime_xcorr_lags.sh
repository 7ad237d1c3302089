#!/usr/bin/env bash
# nitime's CorrelationAnalyzer documents cross-correlations with zero lag at time 0, and xcorr_norm as equal to the
# correlation coefficient there. The time axis is one sample early; xcorr_norm divides by the value one sample beside
# zero lag, which leaves its size and its sign to chance; and the pair (j, i) is given the lags of (i, j) unreversed.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check nitime==0.12.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 MPLBACKEND=Agg "$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import numpy as np
from nitime.analysis import CorrelationAnalyzer
from nitime.timeseries import TimeSeries
from scipy.signal import correlate, correlation_lags

print(*(f"{name} {version(name)}" for name in ("nitime", "numpy", "scipy")))
for name in ("xcorr", "xcorr_norm"):
    doc = getattr(CorrelationAnalyzer, name).__doc__
    print(f"documented of {name}:", " ".join(doc.replace("-------", "").split()))

# Three sensors at 200 Hz: the second hears the first 15 ms later, the third hears it 25 ms later and inverted.
rate, samples = 200, 4000
rng = np.random.default_rng(0)
delays, signs = (0, 3, 5), (1, 1, -1)
source = rng.standard_normal(samples + 5)
signals = np.stack([sign * source[5 - delay:][:samples] for delay, sign in zip(delays, signs)])
signals += 0.3 * rng.standard_normal(signals.shape)
signals -= signals.mean(axis=1, keepdims=True)
lags = correlation_lags(samples, samples) / rate
coefficients = np.corrcoef(signals)


def peak(values, times):
    place = int(np.abs(values).argmax())
    return float(values[place]), float(times[place])


analyzer = CorrelationAnalyzer(TimeSeries(signals, sampling_rate=rate))
raw, norm = analyzer.xcorr, analyzer.xcorr_norm
seconds = np.asarray(raw.time, dtype=float) / 1e12
middle = int(np.flatnonzero(lags == 0)[0])
print(f"entry of zero lag: time {seconds[middle]:.4f} s; first time {seconds[0]:.4f}, by SciPy {lags[0]:.4f} s")
assert np.isclose(seconds[middle], -1 / rate), "zero lag is at time 0: the behaviour changed"

for i, j in ((0, 1), (0, 2), (1, 2)):
    known = correlate(signals[i], signals[j]) / np.sqrt((signals[i] ** 2).sum() * (signals[j] ** 2).sum())
    (best, when), (found, seen) = peak(known, lags), peak(norm.data[i, j], seconds)
    print(f"sensors {i} and {j}: SciPy {best:.3f} at {1000 * when:.0f} ms, xcorr_norm {found:.3f} at {1000 * seen:.0f},"
          f" at zero lag {norm.data[i, j, middle]:.4f}, correlation {coefficients[i, j]:.4f}")
    assert np.isclose(1000 * (seen - when), -1000 / rate), "the behaviour changed"
    assert np.isclose(norm.data[i, j, middle + 1], coefficients[i, j]), "the behaviour changed"
    assert not np.isclose(norm.data[i, j, middle], coefficients[i, j], rtol=0.01), "the behaviour changed"
    assert np.array_equal(raw.data[i, j], raw.data[j, i]), "the lags of (j, i) are reversed: the behaviour changed"
    assert np.allclose(raw.data[i, j], correlate(signals[i], signals[j])), "the behaviour changed"
print("peaks times their true signs, which a correlation has between 0 and 1:",
      [round(peak(norm.data[i, j], lags)[0] / signs[i] / signs[j], 3) for i, j in ((0, 1), (0, 2), (1, 2))])

# Remedy: xcorr with lags of one's own, divided by the two norms, and reversed for the other direction.
scale = np.sqrt((signals**2).sum(axis=1))
for i, j in ((0, 1), (0, 2), (1, 2), (1, 0), (2, 0)):
    mended = raw.data[i, j][:: 1 if i < j else -1] / (scale[i] * scale[j])
    value, when = peak(mended, lags)
    print(f"remedy, sensors {i} and {j}: {value:.3f} at {1000 * when:.0f} ms")
    assert np.isclose(when, (delays[i] - delays[j]) / rate) and np.sign(value) == signs[i] * signs[j]
    assert np.isclose(mended[middle], coefficients[i, j])
E

#!/usr/bin/env bash
# Elephant's multitaper spectra do not fit together. multitaper_psd gives the power of both halves of the spectrum,
# multitaper_cross_spectrum with the same options that of one: its diagonal is half the power, and a coherence made of
# the two is a quarter. segmented_multitaper_psd gives N channels an [N, N] array of complex copies of their power.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check elephant==1.2.1 neo==0.14.6 \
    quantities==0.16.4 numpy==2.4.6 scipy==1.17.1
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
from importlib.metadata import version

import numpy as np
from elephant import spectral

print(*(f"{name} {version(name)}" for name in ("elephant", "neo", "numpy", "scipy")))
doc = spectral.multitaper_cross_spectrum.__doc__
print("documented of one side:", " ".join(doc[doc.index("If True, return a one"):doc.index("attach_units :")].split()))
doc = spectral.segmented_multitaper_psd.__doc__
print("documented of the segmented power:", " ".join(doc[doc.index("psd : np.ndarray"):doc.index("Raises")].split()))

# Three channels at 200 Hz with deviations 1, 2 and 3; the first two share three quarters of their power.
rate, samples = 200, 16000
rng = np.random.default_rng(0)
shared, own = rng.standard_normal(samples), rng.standard_normal((3, samples))
signals = np.stack([np.sqrt(0.75) * shared + 0.5 * own[0], np.sqrt(0.75) * shared + 0.5 * own[1], own[2]])
signals *= [[1.0], [2.0], [3.0]]
variance = signals.var(axis=1)
options = dict(fs=rate, nw=200)


def total(frequencies, spectrum):
    return (np.asarray(spectrum).real.sum(axis=-1) * (frequencies[1] - frequencies[0])).round(3)


frequencies, power = spectral.multitaper_psd(signals, **options)
of_cross, cross = spectral.multitaper_cross_spectrum(signals, **options)
_, welch = spectral.welch_psd(signals, fs=rate, n_segments=8)
print("variance of the channels", variance.round(3).tolist(), "integral of multitaper_psd",
      total(frequencies, power).tolist(), "of the diagonal of multitaper_cross_spectrum",
      total(of_cross, cross[range(3), range(3)]).tolist())
assert np.allclose(total(frequencies, power), variance, rtol=0.02)
assert np.allclose(total(of_cross, cross[range(3), range(3)]), variance / 2, rtol=0.02), "the behaviour changed"
ratio = power[:, 1:-1] / cross[range(3), range(3), 1:-1].real
print(f"power / diagonal: {ratio.min():.4f} to {ratio.max():.4f}")
assert np.allclose(ratio, 2, rtol=1e-3), "the behaviour changed"

band = (frequencies > 5) & (frequencies < 95)
mixed = np.abs(cross[0, 1]) ** 2 / (power[0] * power[1])
mended = np.abs(cross[0, 1]) ** 2 / (cross[0, 0].real * cross[1, 1].real)
_, whole, _ = spectral.multitaper_coherence(signals[0], signals[1], **options)
print(f"coherence of the first two, true 0.5625, 5 to 95 Hz: cross spectrum over powers {mixed[band].mean():.3f},"
      f" over its own diagonal {mended[band].mean():.3f}, multitaper_coherence {whole[band].mean():.3f}")
assert abs(mixed[band].mean() - 0.5625 / 4) < 0.02, "the behaviour changed"
# Remedy: take the diagonal of the cross spectrum for the power, everywhere.
assert abs(mended[band].mean() - 0.5625) < 0.02 and np.allclose(mended, whole, atol=1e-4)

_, pieces = spectral.segmented_multitaper_psd(signals, fs=rate, n_segments=8)
lines = np.array([0, rate / 2 / (pieces.shape[-1] - 1)])
print("segmented_multitaper_psd of three channels:", pieces.shape, "integrals", total(lines, pieces).tolist())
assert spectral.multitaper_psd(signals, fs=rate)[1].shape[0] == welch.shape[0] == 3
assert pieces.shape[:2] == (3, 3) and np.iscomplexobj(pieces), "it has one row for each channel: the behaviour changed"
assert all(np.array_equal(pieces[i, j], pieces[i, i]) for i in range(3) for j in range(3)), "the behaviour changed"
# Remedy: its diagonal.
mended = total(lines, pieces[range(3), range(3)])
print("remedy, the diagonal:", mended.tolist())
assert np.allclose(mended, variance, rtol=0.05)
E

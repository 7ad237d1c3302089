#!/usr/bin/env bash
# scikit-gstat fits a variogram as nugget + partial sill and hands it to GSTools with Variogram.to_gstools or
# to_gs_krige. The hand-over takes the partial sill for the whole one and subtracts the nugget once more: GSTools gets a
# curve that is lower by the nugget at every distance, and Kriging weights and error variances that do not fit the data.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check scikit-gstat==1.0.26 gstools==1.7.0 \
    numpy==2.4.6 scipy==1.16.3
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
from importlib.metadata import version

import gstools
import numpy as np
import skgstat
from skgstat import models

print(*(f"{name} {version(name)}" for name in ("scikit-gstat", "gstools", "numpy")))
doc = models.spherical.__doc__
print("documented of scikit-gstat:", " ".join(doc[doc.index("The partial sill"):doc.index("b : float")].split()))
doc = skgstat.Variogram.to_gstools.__doc__
print("of the hand-over:", " ".join(doc[doc.index("The default parameters"):doc.index("Raises")].split()))
source = inspect.getsource(skgstat.interfaces.gstools.skgstat_to_gstools)
print("in its source:", [line.strip() for line in source.splitlines() if "sill" in line])

# Three hundred sensors of a smooth field with noise of variance 0.5 on each.
rng = np.random.default_rng(0)
places = rng.uniform(0, 100, (300, 2))
field = gstools.SRF(gstools.Spherical(dim=2, var=1, len_scale=40), seed=3)(places.T)
values = field + rng.normal(0, np.sqrt(0.5), len(places))
lags = np.linspace(5, 60, 12)

for model in ("spherical", "exponential", "gaussian", "cubic"):
    fitted = skgstat.Variogram(places, values, model=model, maxlag=60, n_lags=15, use_nugget=True)
    handed = fitted.to_gstools()
    below = fitted.fitted_model(lags) - handed.variogram(lags)
    _, sill, nugget = (float(value) for value in fitted.parameters)
    print(f"{model}: fitted sill {sill:.3f} on top of nugget {nugget:.3f}; GSTools var {handed.var:.3f}, nugget"
          f" {handed.nugget:.3f}; semivariance at 60 {fitted.fitted_model(lags)[-1]:.3f} and"
          f" {handed.variogram(lags)[-1]:.3f}, lower by {below.min():.3f} at 5 and {below.max():.3f} at 60")
    distant = fitted.fitted_model(np.array([1e4]))[0]
    assert np.isclose(distant, sill + nugget), "the sill is the whole one now: the behaviour changed"
    assert nugget > 0.1 and np.isclose(handed.var, sill - nugget), "the hand-over keeps the sill: the behaviour changed"
    assert np.isclose(distant - handed.variogram(np.array([1e4]))[0], nugget), "the behaviour changed"

# What it does to Kriging, at places that were left out.
kept = np.arange(len(places)) < 200
fitted = skgstat.Variogram(places[kept], values[kept], model="spherical", maxlag=60, n_lags=15, use_nugget=True)
_, sill, nugget = (float(value) for value in fitted.parameters)
plain = skgstat.Variogram(places[kept], values[kept], model="spherical", maxlag=60, n_lags=15, use_nugget=False)
assert np.allclose(plain.fitted_model(lags), plain.to_gstools().variogram(lags)), "without a nugget both agree no more"
print("without a nugget the two agree")


def krige(model):
    kriging = gstools.krige.Ordinary(model, places[kept].T, values[kept], exact=False, cond_err="nugget")
    return kriging(places[~kept].T)


handed, mended = fitted.to_gstools(), fitted.to_gstools(var=sill)
(wrong, wrong_variance), (right, right_variance) = krige(handed), krige(mended)
print(f"variance of the Kriging error at {len(wrong)} places, mean {wrong_variance.mean():.3f}, with the fitted curve"
      f" {right_variance.mean():.3f}; estimates differ by up to {np.abs(wrong - right).max():.3f}")
assert wrong_variance.mean() < 0.95 * right_variance.mean(), "the behaviour changed"

# Remedy: give var, the partial sill, yourself.
print(f"remedy, to_gstools(var=sill): off by {np.abs(fitted.fitted_model(lags) - mended.variogram(lags)).max():.1e}")
assert np.allclose(fitted.fitted_model(lags), mended.variogram(lags))
E

"""Forecasters of series over a node set, one recipe to train them, and the baselines they are compared with."""

from scge_pyg.models.forecasting.base import Forecaster
from scge_pyg.models.forecasting.linear import LinearForecaster
from scge_pyg.models.forecasting.scge import SCGEForecaster
from scge_pyg.models.forecasting.shared import SharedForecaster
from scge_pyg.models.forecasting.training import fit_forecaster, forecasts

__all__ = ["Forecaster", "LinearForecaster", "SCGEForecaster", "SharedForecaster", "fit_forecaster", "forecasts"]

"""Forecasters of series over a node set, one recipe to train them, and the baselines they are compared with."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.models.forecasting.base import Forecaster
    from scge_pyg.models.forecasting.linear import LinearForecaster
    from scge_pyg.models.forecasting.scge import SCGEForecaster
    from scge_pyg.models.forecasting.shared import SharedForecaster
    from scge_pyg.models.forecasting.training import fit_forecaster, forecasts
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = ["Forecaster", "LinearForecaster", "SCGEForecaster", "SharedForecaster", "fit_forecaster", "forecasts"]

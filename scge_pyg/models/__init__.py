"""Complete networks on node sets, the baselines they are compared with, and one recipe to train them."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.models.classifiers import GridCNN, NodeMLP, SCGEClassifier
    from scge_pyg.models.forecasting import (
        Forecaster,
        LinearForecaster,
        SCGEForecaster,
        SharedForecaster,
        fit_forecaster,
        forecasts,
    )
    from scge_pyg.models.fused import FusedClassifier
    from scge_pyg.models.place_traces import PlaceTraces
    from scge_pyg.models.recipe import FitResult, accuracy, fit_classifier, standardized
    from scge_pyg.models.sensor_cells import ActionTraces, SensorCell
    from scge_pyg.models.sensor_policy import PolicyState, SensorPolicy
    from scge_pyg.models.strided_classifier import StridedClassifier
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "ActionTraces",
    "FitResult",
    "Forecaster",
    "FusedClassifier",
    "GridCNN",
    "LinearForecaster",
    "NodeMLP",
    "PlaceTraces",
    "PolicyState",
    "SCGEClassifier",
    "SCGEForecaster",
    "SensorCell",
    "SensorPolicy",
    "SharedForecaster",
    "StridedClassifier",
    "accuracy",
    "fit_classifier",
    "fit_forecaster",
    "forecasts",
    "standardized",
]

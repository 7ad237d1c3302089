"""Complete networks on node sets, the baselines they are compared with, and one recipe to train them."""

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
from scge_pyg.models.recipe import FitResult, accuracy, fit_classifier, standardized
from scge_pyg.models.strided_classifier import StridedClassifier

__all__ = [
    "FitResult",
    "Forecaster",
    "FusedClassifier",
    "GridCNN",
    "LinearForecaster",
    "NodeMLP",
    "SCGEClassifier",
    "SCGEForecaster",
    "SharedForecaster",
    "StridedClassifier",
    "accuracy",
    "fit_classifier",
    "fit_forecaster",
    "forecasts",
    "standardized",
]

"""Complete networks on node sets, the baselines they are compared with, and one recipe to train them."""

from scge_pyg.models.classifiers import GridCNN, NodeMLP, SCGEClassifier
from scge_pyg.models.recipe import FitResult, accuracy, fit_classifier, standardized

__all__ = ["FitResult", "GridCNN", "NodeMLP", "SCGEClassifier", "accuracy", "fit_classifier", "standardized"]

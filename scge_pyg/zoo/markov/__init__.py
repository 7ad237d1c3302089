"""Markov networks: exact sums on junction trees, fields on learned graphs, and labels that teach each other."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.zoo.markov.bayesian_network import BayesianNetwork, unrolled
    from scge_pyg.zoo.markov.factors import Factor
    from scge_pyg.zoo.markov.gmnn import GMNN
    from scge_pyg.zoo.markov.graph_crf import GraphCRF
    from scge_pyg.zoo.markov.junction_tree import JunctionTree
    from scge_pyg.zoo.markov.linear_gaussian import LinearGaussian
    from scge_pyg.zoo.markov.local_models import noisy_or, rule, sigmoid, tree
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "GMNN",
    "BayesianNetwork",
    "Factor",
    "GraphCRF",
    "JunctionTree",
    "LinearGaussian",
    "noisy_or",
    "rule",
    "sigmoid",
    "tree",
    "unrolled",
]

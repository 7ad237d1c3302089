"""Real data as node sets: one tensor ``x [S, N, C]``, labels ``y``, and the true places for scoring only."""

from scge_pyg.datasets.cifar10 import CIFAR10Nodes
from scge_pyg.datasets.digits import DigitsNodes
from scge_pyg.datasets.layouts import blue_noise_points, foveated_points, hexagonal_points
from scge_pyg.datasets.mnist import FashionMNISTNodes, MNISTNodes
from scge_pyg.datasets.node_dataset import NodeDataset, RawNodeDataset
from scge_pyg.datasets.photo_patches import PhotoPatches

__all__ = [
    "CIFAR10Nodes",
    "DigitsNodes",
    "FashionMNISTNodes",
    "MNISTNodes",
    "NodeDataset",
    "PhotoPatches",
    "RawNodeDataset",
    "blue_noise_points",
    "foveated_points",
    "hexagonal_points",
]

"""Real data as node sets: one tensor ``x [S, N, C]``, labels ``y``, and the true places for scoring only."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.datasets.ag_news import AGNewsNodes
    from scge_pyg.datasets.chickenpox import ChickenpoxNodes
    from scge_pyg.datasets.cifar10 import CIFAR10Nodes
    from scge_pyg.datasets.digits import DigitsNodes
    from scge_pyg.datasets.eeg import EEGNodes
    from scge_pyg.datasets.fsdd import FSDDNodes
    from scge_pyg.datasets.layouts import blue_noise_points, foveated_points, hexagonal_points
    from scge_pyg.datasets.metr_la import METRLANodes
    from scge_pyg.datasets.mnist import FashionMNISTNodes, MNISTNodes
    from scge_pyg.datasets.node_dataset import NodeDataset
    from scge_pyg.datasets.photo_patches import PhotoPatches
    from scge_pyg.datasets.raw_node_dataset import RawNodeDataset
    from scge_pyg.datasets.recorded import RecordedNodes
    from scge_pyg.datasets.sst import SSTNodes
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "AGNewsNodes",
    "CIFAR10Nodes",
    "ChickenpoxNodes",
    "DigitsNodes",
    "EEGNodes",
    "FSDDNodes",
    "FashionMNISTNodes",
    "METRLANodes",
    "MNISTNodes",
    "NodeDataset",
    "PhotoPatches",
    "RawNodeDataset",
    "RecordedNodes",
    "SSTNodes",
    "blue_noise_points",
    "foveated_points",
    "hexagonal_points",
]

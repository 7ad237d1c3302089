"""Images to node sets and back, one fixed shuffle for a modality, and graphs for PyG's loaders."""

from scge_pyg.transforms.attach_graph import AttachGraph
from scge_pyg.transforms.images import ImageToNodes, NodesToImage
from scge_pyg.transforms.shuffle_nodes import ShuffleNodes

__all__ = ["AttachGraph", "ImageToNodes", "NodesToImage", "ShuffleNodes"]

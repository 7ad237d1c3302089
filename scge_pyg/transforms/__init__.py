"""Recordings to node sets and back, one fixed shuffle for a modality, and graphs for PyG's loaders."""

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.transforms.attach_graph import AttachGraph
    from scge_pyg.transforms.images import ImageToNodes, NodesToImage
    from scge_pyg.transforms.patches import ImageToPatches, VideoToPatches
    from scge_pyg.transforms.points import PointsToNodes
    from scge_pyg.transforms.series import SeriesToNodes
    from scge_pyg.transforms.shuffle_nodes import ShuffleNodes
    from scge_pyg.transforms.sound import SoundToLogMel, SoundToWindows
    from scge_pyg.transforms.tables import TableToNodes
    from scge_pyg.transforms.text import TextToNodes
    from scge_pyg.transforms.videos import VideoToNodes, VolumeToNodes
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "AttachGraph",
    "ImageToNodes",
    "ImageToPatches",
    "NodesToImage",
    "PointsToNodes",
    "SeriesToNodes",
    "ShuffleNodes",
    "SoundToLogMel",
    "SoundToWindows",
    "TableToNodes",
    "TextToNodes",
    "VideoToNodes",
    "VideoToPatches",
    "VolumeToNodes",
]

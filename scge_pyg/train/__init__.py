"""Training on Lightning: modules for three tasks, data, callbacks, and runs that go on where they were killed."""

from importlib.util import find_spec

if find_spec("lightning") is None or find_spec("torchmetrics") is None:
    raise ModuleNotFoundError("scge_pyg.train needs the extra 'train': pip install 'scge-pyg[train]'")

from typing import TYPE_CHECKING

from scge_pyg.importing import lazily

if TYPE_CHECKING:
    from scge_pyg.train.autoencoding import AutoencodingModule
    from scge_pyg.train.batch_order import BatchOrder, ResumableLoader
    from scge_pyg.train.checkpoint_files import AtomicCheckpointIO
    from scge_pyg.train.checkpoints import Checkpoints
    from scge_pyg.train.classification import ClassificationModule
    from scge_pyg.train.discover_graph import DiscoverGraph
    from scge_pyg.train.export import export
    from scge_pyg.train.forecasting import ForecastingModule
    from scge_pyg.train.graph_snapshots import GraphSnapshots
    from scge_pyg.train.graph_state import saved_graph
    from scge_pyg.train.learn_wiring import LearnWiring
    from scge_pyg.train.new_samples import NewSamples
    from scge_pyg.train.node_module import NodeModule
    from scge_pyg.train.nodes_data import NodesDataModule
    from scge_pyg.train.run import Run
    from scge_pyg.train.run_folder import RunFolder
    from scge_pyg.train.temperature import Temperature
    from scge_pyg.train.trained import trained_network
else:
    __getattr__, __dir__ = lazily(__name__)

__all__ = [
    "AtomicCheckpointIO",
    "AutoencodingModule",
    "BatchOrder",
    "Checkpoints",
    "ClassificationModule",
    "DiscoverGraph",
    "ForecastingModule",
    "GraphSnapshots",
    "LearnWiring",
    "NewSamples",
    "NodeModule",
    "NodesDataModule",
    "ResumableLoader",
    "Run",
    "RunFolder",
    "Temperature",
    "export",
    "saved_graph",
    "trained_network",
]

"""`HandsOver`: the methods of a graph that give it to other libraries."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from scge_pyg.graph.geometry import Geometry
from scge_pyg.graph.hand_over.files import write_adjacency, write_electrodes
from scge_pyg.graph.hand_over.montage import as_montage
from scge_pyg.graph.hand_over.places import Scale, called
from scge_pyg.graph.hand_over.probe import as_probe
from scge_pyg.graph.hand_over.tables import adjacency, into_anndata, onto_xarray

__all__ = ["HandsOver"]


class HandsOver(Geometry):
    """What other libraries take: names and places in the order of the nodes.

    ``scale`` gives places a unit: the size of one spacing between neighbours, as a number, or ``("diameter", size)`` of
    all. Without it they have about unit spacing.
    """

    def to_montage(self, align_to: Any = None, scale: Scale = None) -> Any:
        """An ``mne.channels.DigMontage`` of the live nodes, in metres.

        Flat places are wrapped onto a head, those in three dimensions are taken as they are. With ``align_to`` they are
        first laid over a template by shift, turn, mirror and scale, by the electrodes that both name; nasion and ears
        are then the template's. What signals can't tell, such as left and right, is thereby taken from the names.

        Args:
            align_to: A montage, or the name of one that mne knows, such as ``"standard_1005"``.
            scale: Instead of ``align_to``: the spacing along the scalp, or ``("diameter", size)``, in metres, on a head
                with a radius of 95 mm; turn and mirror then are as they came.

        Raises:
            ImportError: If mne is missing.
            ValueError: If the template names fewer than three nodes, or the graph has no flat places.
        """
        return as_montage(self, align_to, scale)

    def to_probe(self, scale: Scale = None) -> Any:
        """A ``probeinterface.Probe`` of the live nodes, as SpikeInterface's ``recording.set_probe`` takes it.

        Contact ids are the names, and each contact is wired to the number of its node, so that channels may be missing.

        Args:
            scale: Micrometres between neighbours, or ``("diameter", size)``.

        Raises:
            ImportError: If probeinterface is missing.
            ValueError: If the graph has no geometry, or more than three columns.
        """
        return as_probe(self, scale)

    def to_anndata(self, adata: Any, nodes: str = "obs", key: str = "scge", scale: Scale = None) -> None:
        """Write into an ``AnnData`` whose cells (or variables) are the nodes, by name.

        Places go to ``obsm["X_scge"]``, edges to ``obsp["scge_connectivities"]``, live, confidence and component to
        ``obs``, and what scanpy looks up to ``uns["scge"]`` (``varm``, ``varp`` and ``var`` for variables).

        Args:
            adata: Where to write.
            nodes: ``"obs"`` or ``"var"``.
            key: What the entries are called.
            scale: Unit of the places.

        Raises:
            ValueError: If names disagree.
        """
        into_anndata(self, adata, nodes, key, scale)

    def to_xarray(self, array: Any, dim: str, scale: Scale = None) -> Any:
        """The array of xarray with places as coordinates ``scge_x``, ``scge_y``, ... along the dimension of its nodes.

        Nodes are found by the labels of that dimension, where it has some.

        Raises:
            ValueError: If the dimension is unknown, or its labels are no nodes.
        """
        return onto_xarray(self, array, dim, scale)

    def to_dcrnn(self) -> tuple[list[str], dict[str, int], np.ndarray]:
        """Names, the number of each name, and the weights ``[N, N]`` float32: the triple that DCRNN's loaders unpickle.

        Example:
            >>> from scge_pyg import SharedGraph
            >>> ids, id_to_index, adjacency = SharedGraph.from_grid((1, 3)).to_dcrnn()
            >>> id_to_index
            {'0': 0, '1': 1, '2': 2}
            >>> adjacency.tolist()
            [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
        """
        names = called(self)
        return list(names), {name: number for number, name in enumerate(names)}, adjacency(self).toarray()

    def write_adjacency(self, path: str | os.PathLike[str]) -> None:
        """Write the weights of the edges ``[N, N]``, source by target.

        * ``.csv``: with names along both axes, as ``pandas.read_csv(path, index_col=0)`` reads them;
        * ``.npy``: dense float32, without names;
        * ``.npz``: as ``scipy.sparse.load_npz`` reads it, names beside it under ``names``.

        Raises:
            ValueError: If the path ends in something else.
        """
        write_adjacency(self, path)

    def write_electrodes(self, path: str | os.PathLike[str], scale: Scale = None, unit: str = "mm") -> None:
        """Write the places as ``electrodes.tsv`` of BIDS, and their unit as the ``coordsystem.json`` that goes with it.

        Nodes that are not live stand there with ``n/a``.

        Args:
            path: A path that ends in ``electrodes.tsv``.
            scale: Unit of one spacing, or ``("diameter", size)``, in ``unit``.
            unit: ``"m"``, ``"cm"`` or ``"mm"``.

        Raises:
            ValueError: If the graph has no geometry, or path or unit are none of BIDS.
        """
        write_electrodes(self, path, scale, unit)

"""A geometry as a probe of probeinterface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from scge_pyg.graph.hand_over.places import Scale, called, kept_nodes, places

if TYPE_CHECKING:
    from scge_pyg.graph.geometry import Geometry

__all__ = ["as_probe"]


def as_probe(graph: Geometry, scale: Scale) -> Any:
    """A ``Probe`` of the live nodes in micrometres; see :meth:`SharedGraph.to_probe`."""
    try:
        import probeinterface
    except ImportError as error:
        raise ImportError("to_probe needs the extra 'readers': pip install 'scge-pyg[readers]'") from error
    kept = kept_nodes(graph)
    pos = places("to_probe", graph, scale)[kept]
    if pos.shape[1] > 3:
        raise ValueError(f"to_probe: a probe has 2 or 3 dimensions, these places have {pos.shape[1]} columns")
    pos = np.pad(pos, ((0, 0), (1, 0))) if pos.shape[1] == 1 else pos  # a linear probe stands upright
    names = called(graph)
    probe = probeinterface.Probe(ndim=pos.shape[1], si_units="um")
    near = cKDTree(pos).query(pos, k=2)[0][:, 1].min() if len(pos) > 1 else 4.0
    axes = None if pos.shape[1] == 2 else np.tile(np.eye(3)[:2], (len(pos), 1, 1))
    probe.set_contacts(positions=pos, shapes="circle", shape_params={"radius": near / 4}, plane_axes=axes)
    probe.set_contact_ids([names[node] for node in kept])
    probe.set_device_channel_indices(kept)
    return probe

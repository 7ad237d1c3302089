"""Whether contacts between two pieces fall off along both, as those between the arms of one chain do."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from scge_pyg.discovery.counts.seriation import along_contacts

__all__ = ["Joints", "end_to_end"]

_FEWEST, _MOST = 8, 1024
_POWER = 0.5  # half that of a chain, so that an order with faults is believed too


def end_to_end(counts: np.ndarray, total: np.ndarray, other_total: np.ndarray) -> float:
    r"""How much likelier counts between two pieces are along one chain than even, in nats.

    .. math::
        \max \sum_{ij} c_{ij} \log \frac{f_{ij}\, T T'}{\sum_{i'j'} t_{i'} t'_{j'} f_{i'j'}}, \qquad
        f_{ij} = (r_i + r'_j + 1)^{-1/2}

    over the four ways to put the two end to end, with r the number of rows up to the joint.

    Cost: :math:`O(n m)`.

    Args:
        counts: Counts between them ``[n, m]``, both in the order of their chain.
        total: All counts t of the rows, ``[n]``.
        other_total: Those of the columns, ``[m]``.

    Example:
        >>> near, even = np.array([[0, 0, 1], [0, 1, 2], [1, 2, 9]]), np.full((3, 3), 2)
        >>> end_to_end(near, np.ones(3), np.ones(3)) > 1, end_to_end(even, np.ones(3), np.ones(3)) < 0
        (True, True)
    """
    contact = np.add.outer(np.arange(len(total)), np.arange(len(other_total)) + 1.0) ** -_POWER
    whole = total.sum() * other_total.sum()
    found = [
        float(
            (counts[::turn, ::flip] * np.log(contact * whole / (total[::turn] @ contact @ other_total[::flip]))).sum()
        )
        for turn in (1, -1)
        for flip in (1, -1)
    ]
    return max(found)


class Joints:
    """Evidence that pieces of 8 to 1,024 rows go on in each other; of other sizes there is none.

    The order of a piece is that of its own contacts; it and what was asked before are kept.

    Args:
        counts: Symmetric counts ``[N, N]``.
    """

    def __init__(self, counts: sp.csr_matrix) -> None:
        self._counts = counts
        self._total = np.asarray(counts.sum(1)).ravel()
        self._ordered: dict[tuple[int, int], np.ndarray | None] = {}
        self._known: dict[tuple[tuple[int, int], tuple[int, int]], float] = {}

    def evidence(self, one: np.ndarray, other: np.ndarray) -> float:
        """Nats by which the rows ``one`` and ``other`` lie rather end to end, 0 where that is not known."""
        keys = (int(one[0]), len(one)), (int(other[0]), len(other))
        if keys not in self._known:
            rows, cols = (self._in_order(key, own) for key, own in zip(keys, (one, other), strict=True))
            self._known[keys] = 0.0
            if rows is not None and cols is not None:
                between = self._counts[rows][:, cols].toarray()
                self._known[keys] = end_to_end(between, self._total[rows], self._total[cols])
        return self._known[keys]

    def _in_order(self, key: tuple[int, int], rows: np.ndarray) -> np.ndarray | None:
        if key not in self._ordered:
            own = self._counts[rows][:, rows]
            usable = _FEWEST <= len(rows) <= _MOST and np.diff(own.indptr).all()
            self._ordered[key] = rows[np.argsort(along_contacts(own), kind="stable")] if usable else None
        return self._ordered[key]

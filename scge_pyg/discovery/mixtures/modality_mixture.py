"""`ModalityMixture`: a pile of samples of several unknown modalities sorts itself by wiring."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.discover import discover
from scge_pyg.discovery.mixtures.estimator import Estimator
from scge_pyg.discovery.mixtures.mixture_file import read_mixture, write_mixture
from scge_pyg.discovery.mixtures.pile import by_length, column_names, read_pile, standardized, taken
from scge_pyg.discovery.mixtures.sorted_pile import SortedPile, sort_pile
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["ModalityMixture"]

_FEWEST = 20  # samples of a length among others


class ModalityMixture(Estimator):
    r"""Sort samples that nobody has labelled into modalities, each with a node set and a shuffle of its own.

    Held-out likelihood finds classes, not modalities: it goes on growing when ones are told from sevens. What tells
    modalities apart is the wiring, which classes share.

    1. Samples of different length are of different modalities. Each sample is standardised over its nodes: how loud it
       is says nothing about who is wired to whom.
    2. More components than needed are fitted, Gaussians with a few factors each (:mod:`.factor_mixture`).
    3. Components that hold two wirings are split; components whose wirings agree are joined (:mod:`.wirings`). What is
       left are the modalities.

    Cost: :math:`O(S N q)` a component and step for q = 24 factors and at most 20,000 samples of a length; the others
    are assigned afterwards.

    Args:
        modalities: Their number M, or ``"auto"``.
        components: Components to begin with, for each length.
        seed: Of first groups, factors and what is compared.

    Attributes:
        n_modalities_: Number of modalities found.
        labels_: Modality of each training sample ``[S]``, by falling number of samples; -1 where none fits.
        graphs: The :class:`SharedGraph` of each modality, discovered at first access.
        feature_names_in_: Columns of the frame that :meth:`fit` got, if any; its nodes have these names.

    Raises:
        ValueError: If ``modalities`` or ``components`` is out of range, there are fewer than two samples or nodes, a
            value is not finite, or there are fewer wirings than ``modalities``.

    Example:
        >>> import torch
        >>> draw = torch.Generator().manual_seed(0)
        >>> walks = torch.randn(600, 40, generator=draw).cumsum(1)
        >>> shuffled = torch.randn(600, 40, generator=draw).cumsum(1)[:, torch.randperm(40, generator=draw)]
        >>> mixture = ModalityMixture().fit(torch.cat([walks, shuffled]))
        >>> mixture.n_modalities_
        2
    """

    n_modalities_: int
    labels_: np.ndarray[Any, Any]
    n_features_in_: int
    feature_names_in_: np.ndarray[Any, Any]
    _piles: list[SortedPile]
    _samples: list[Tensor]
    _graphs: list[SharedGraph] | None

    def __init__(self, modalities: int | str = "auto", *, components: int = 12, seed: int = 0) -> None:
        self.modalities, self.components, self.seed = modalities, components, seed

    def fit(self, x: Any, y: None = None) -> ModalityMixture:
        """Sort samples ``[S, N]``, or a sequence of samples of different lengths."""
        wanted = self._checked_arguments()
        samples = read_pile(x, "fit")
        groups = self._enough(by_length(samples))
        if wanted is not None and wanted < len(groups):
            raise ValueError(
                f"ModalityMixture: samples have {len(groups)} different lengths, so there are at least as many "
                f"modalities, got modalities={wanted}; give more, or 'auto'"
            )
        generator = torch.Generator().manual_seed(int(self.seed))
        sorted_: list[SortedPile] = []
        parts: list[Tensor] = []
        label = np.full(len(samples), -1)
        first = 0
        for where in groups.values():
            own = taken(samples, where)
            alone = wanted if len(groups) == 1 else None
            pile = sort_pile(own, self.components, alone, generator)
            found = pile.predict(standardized(own))
            label[where] = np.where(found >= 0, found + first, -1)
            sorted_.append(pile)
            parts += [own[found == m] for m in range(pile.count)]
            first += pile.count
        if wanted is not None and first != wanted:
            raise ValueError(
                f"ModalityMixture: these samples have {first} wirings, got modalities={wanted}; give that number, "
                f"'auto', or more samples"
            )
        order = np.argsort([-len(own) for own in parts], kind="stable")
        self._rank = np.argsort(order)
        self._samples = [parts[m] for m in order]
        self._piles, self._graphs = sorted_, None
        self.n_modalities_ = first
        self.labels_ = np.where(label >= 0, self._rank[label], -1)
        self.n_features_in_ = next(iter(groups))
        self._keep_names(column_names(x))
        return self

    @property
    def graphs(self) -> list[SharedGraph]:
        """The geometry of each modality."""
        self._check_fitted()
        if self._graphs is None:
            self._graphs = [discover(own, names=self._names(), seed=int(self.seed)) for own in self._samples]
        return self._graphs

    def fit_predict(self, x: Any, y: None = None) -> np.ndarray[Any, Any]:
        """The modality of each sample after :meth:`fit` on them."""
        return self.fit(x).labels_

    def predict(self, x: Any) -> np.ndarray[Any, Any]:
        """The modality of each sample ``[S]`` int64, -1 for samples that fit none."""
        samples, groups = self._known(x, "predict")
        label = np.full(len(samples), -1)
        for first, pile, where in groups:
            found = pile.predict(standardized(taken(samples, where)))
            label[where] = np.where(found >= 0, self._rank[(found + first).clip(0)], -1)
        return label

    def predict_proba(self, x: Any) -> np.ndarray[Any, Any]:
        """Probability of each modality ``[S, M]``; rows sum to 1 also where none fits well."""
        samples, groups = self._known(x, "predict_proba")
        share = np.zeros((len(samples), self.n_modalities_))
        for first, pile, where in groups:
            value = pile.log_prob(standardized(taken(samples, where))).softmax(1)
            share[np.ix_(where, self._rank[first : first + pile.count])] = value.double().numpy()
        return share

    def score_samples(self, x: Any) -> np.ndarray[Any, Any]:
        """Log-likelihood of each standardised sample ``[S]``."""
        samples, groups = self._known(x, "score_samples")
        value = np.zeros(len(samples))
        for _, pile, where in groups:
            own = standardized(taken(samples, where))
            value[where] = pile.log_prob(own).logsumexp(1).double().numpy()
        return value

    def score(self, x: Any, y: None = None) -> float:
        """Mean log-likelihood of samples."""
        return float(self.score_samples(x).mean())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that :meth:`predict` needs and the graphs, as safetensors; the file appears whole or not at all."""
        self._check_fitted()
        params = {name: one if isinstance(one, str) else int(one) for name, one in self.get_params().items()}
        found = {"labels": self.labels_.tolist(), "rank": self._rank.tolist()}
        header = {"params": params, "nodes": self.n_features_in_, "names": self._names(), **found}
        write_mixture(path, self._piles, self.graphs, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ModalityMixture:
        """Read a mixture that :meth:`save` wrote. Raises ``ValueError`` for a corrupt or foreign file."""
        piles, graphs, header = read_mixture(path)
        loaded = cls(**header["params"])
        loaded._piles, loaded._graphs, loaded._samples = piles, graphs, []
        loaded._rank, loaded.n_features_in_ = np.array(header["rank"], dtype=np.int64), header["nodes"]
        loaded._keep_names(header.get("names"))
        loaded.n_modalities_, loaded.labels_ = len(graphs), np.array(header["labels"], dtype=np.int64)
        return loaded

    def _enough(self, groups: dict[int, np.ndarray[Any, Any]]) -> dict[int, np.ndarray[Any, Any]]:
        """Lengths of which there are samples enough; the rest is of none, and that is said."""
        if len(groups) == 1:
            return groups
        kept = {nodes: where for nodes, where in groups.items() if len(where) >= _FEWEST}
        rare = [nodes for nodes in groups if nodes not in kept]
        if not kept:
            raise ValueError(
                f"ModalityMixture: each of {len(groups)} lengths has fewer than {_FEWEST} samples, too few to tell "
                f"anything; cut or pad samples to common lengths"
            )
        if rare:
            warnings.warn(
                f"ModalityMixture: lengths {', '.join(map(str, rare[:5]))} have fewer than {_FEWEST} samples each; "
                f"these samples get the label -1",
                UserWarning,
                stacklevel=3,
            )
        return kept

    def _checked_arguments(self) -> int | None:
        for name, value in (("modalities", self.modalities), ("components", self.components)):
            if name == "modalities" and value == "auto":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                also = " or 'auto'" if name == "modalities" else ""
                raise ValueError(f"ModalityMixture: {name} must be a positive integer{also}, got {value!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, (int, np.integer)) or self.seed < 0:
            raise ValueError(f"ModalityMixture: seed must be an integer of at least 0, got {self.seed!r}")
        return None if self.modalities == "auto" else int(self.modalities)

    def _known(
        self, x: Any, where: str
    ) -> tuple[Tensor | list[Tensor], list[tuple[int, SortedPile, np.ndarray[Any, Any]]]]:
        """Samples, and for each length its first modality, what was found, and which samples they are."""
        self._check_fitted()
        names, own_names = column_names(x), self._names()
        if names and own_names and names != own_names:
            raise ValueError(
                f"ModalityMixture.{where}: The feature names should match those that were passed during fit, got "
                f"columns {', '.join(names[:5])} for {', '.join(own_names[:5])}; "
                f"x[list(mixture.feature_names_in_)] has their order"
            )
        samples = read_pile(x, where)
        starts = dict(zip((pile.nodes for pile in self._piles), self._starts(), strict=True))
        piles = {pile.nodes: pile for pile in self._piles}
        groups = []
        for nodes, own in by_length(samples).items():
            if nodes not in piles:
                raise ValueError(
                    f"ModalityMixture.{where}: X has {nodes} features, but ModalityMixture is expecting "
                    f"{' or '.join(map(str, piles))} features as input, the nodes of a sample"
                )
            groups.append((starts[nodes], piles[nodes], own))
        return samples, groups

    def _keep_names(self, names: list[str] | None) -> None:
        """Attribute of frames only, as scikit-learn has it."""
        self.__dict__.pop("feature_names_in_", None)
        if names:
            self.feature_names_in_ = np.array(names, dtype=object)

    def _names(self) -> list[str] | None:
        return list(self.feature_names_in_) if hasattr(self, "feature_names_in_") else None

    def _starts(self) -> list[int]:
        return [0, *np.cumsum([pile.count for pile in self._piles])[:-1].tolist()]

    def _fitted(self) -> bool:
        return hasattr(self, "_piles")

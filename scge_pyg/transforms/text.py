"""Texts as samples over a vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.transforms import BaseTransform

from scge_pyg.importing import import_extra
from scge_pyg.transforms.pieces import checked_count

__all__ = ["TextToNodes"]


class TextToNodes(BaseTransform):
    """Words become nodes, texts samples, numbers of occurrences their values: ``[S, V, 1]``.

    Words are told apart and counted by scikit-learn's ``CountVectorizer``; :meth:`fit` keeps the most frequent ones.
    The order of the words in a text is lost, so that there is no inverse. Counts can also go to
    ``discover(counts=x[:, :, 0].T)``, words by texts.

    Args:
        num_words: Size of the vocabulary.
        options: Arguments of ``CountVectorizer``, such as ``stop_words="english"``, or ``vocabulary=words`` for a
            vocabulary that is known; :meth:`fit` isn't needed then.

    Attributes:
        names: The words, in alphabetical order.

    Raises:
        ImportError: Without the extra ``demo``.
        TypeError: If texts aren't strings.
        ValueError: If there is no word, or words aren't known yet.

    Example:
        >>> convert = TextToNodes(num_words=3).fit(["the cat sat", "the dog sat", "the dog"])
        >>> convert.names
        ('dog', 'sat', 'the')
        >>> convert(["the the dog", "a bird"])[:, :, 0].tolist()
        [[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, num_words: int = 1000, **options: Any) -> None:
        text = import_extra("sklearn.feature_extraction.text", "demo", "TextToNodes")
        self.num_words = checked_count(num_words, "TextToNodes: num_words")
        self.vectorizer = text.CountVectorizer(max_features=self.num_words, **options)
        self.names: tuple[str, ...] = ()
        if options.get("vocabulary") is not None:
            self._remember(self.vectorizer)

    def fit(self, texts: Iterable[str]) -> TextToNodes:
        """Choose the vocabulary from training texts."""
        try:
            self._remember(self.vectorizer.fit(_strings(texts)))
        except ValueError as error:
            raise ValueError(f"TextToNodes: no vocabulary in these texts ({error})") from error
        return self

    def forward(self, texts: str | Sequence[str]) -> Tensor:
        """Counts ``[S, V, 1]`` of texts, or ``[V, 1]`` of one."""
        if not self.names:
            raise ValueError("TextToNodes: the vocabulary isn't known yet; call fit(texts), or give vocabulary=words")
        several = [texts] if isinstance(texts, str) else _strings(texts)
        counts = self.vectorizer.transform(several)
        x = torch.from_numpy(counts.astype("float32").toarray()).unsqueeze(2)
        return x[0] if isinstance(texts, str) else x

    def _remember(self, vectorizer: Any) -> None:
        self.names = tuple(map(str, vectorizer.get_feature_names_out()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.names)} words)" if self.names else f"{type(self).__name__}()"


def _strings(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise TypeError("TextToNodes: expected several texts, got one string; put it into a list")
    several = list(texts)
    for place, text in enumerate(several):
        if not isinstance(text, str):
            raise TypeError(
                f"TextToNodes: text {place} is of type {type(text).__name__}, not a string; "
                "replace missing texts, as by frame['text'].fillna('')"
            )
    return several

import collections
import re

import pytest
import torch

pytest.importorskip("sklearn")

from scge_pyg.transforms import TextToNodes

TEXTS = ["The cat sat on the mat.", "A dog, the dog and THE cat", "mat mat mat", "bird"]


def test_counts_against_a_counter():
    convert = TextToNodes(4).fit(TEXTS)
    words = [re.findall(r"\b\w\w+\b", text.lower()) for text in TEXTS]
    total = collections.Counter(word for text in words for word in text)
    assert set(convert.names) == {word for word, _ in total.most_common(3)} | (set(convert.names) & {"cat", "dog"})
    x = convert(TEXTS)
    assert x.shape == (4, 4, 1)
    assert x.dtype == torch.float32
    expected = [[collections.Counter(text)[word] for word in convert.names] for text in words]
    assert x[:, :, 0].tolist() == expected
    assert torch.equal(convert(TEXTS[1]), x[1])


def test_a_known_vocabulary_needs_no_fit():
    convert = TextToNodes(vocabulary=["dog", "bird"])
    assert convert.names == ("dog", "bird")
    assert convert(TEXTS)[:, :, 0].tolist() == [[0, 0], [2, 0], [0, 0], [0, 1]]


def test_options_go_to_the_vectorizer():
    assert TextToNodes(stop_words="english").fit(TEXTS).names == ("bird", "cat", "dog", "mat", "sat")


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match="got one string; put it into a list"):
        TextToNodes().fit("the cat")
    with pytest.raises(TypeError, match="text 1 is of type NoneType, not a string; replace missing texts"):
        TextToNodes().fit(["a cat", None])
    with pytest.raises(ValueError, match=r"no vocabulary in these texts \(empty vocabulary"):
        TextToNodes().fit(["a", "!"])
    with pytest.raises(ValueError, match=r"call fit\(texts\)"):
        TextToNodes()(TEXTS)
    with pytest.raises(ValueError, match="num_words must be a whole number of at least 1, got 0"):
        TextToNodes(0)


def test_repr():
    assert str(TextToNodes().fit(TEXTS)) == "TextToNodes(8 words)"

import pytest
import torch

pytest.importorskip("sklearn")

from scge_pyg.datasets import AGNewsNodes

TRAIN = (
    '"3","Wall St. Bears","Short-sellers, Wall Street\'s dwindling\\band"\n"2","Cup ""final"" tonight","Wall of fans"\n'
)
TEST = '"4","Moon","A band of fans on the moon"\n'


def write(raw_folder, train=TRAIN, test=TEST):
    return raw_folder(AGNewsNodes, {"train.csv": train.encode(), "test.csv": test.encode()})


def test_words_of_both_splits(raw_folder):
    root = write(raw_folder)
    train = AGNewsNodes(root, num_words=100)
    assert train.y.tolist() == [2, 1]
    assert [train.classes[label] for label in train.y] == ["Business", "Sports"]
    assert train.x[0, train.names.index("wall")] == 2
    assert train.x[:, train.names.index("final"), 0].tolist() == [0, 1]
    assert {"dwindling", "band"} <= set(train.names)
    test = AGNewsNodes(root, train=False, vocabulary=train.names)
    assert test.names == train.names
    assert {name for name, count in zip(test.names, test.x[0, :, 0], strict=True) if count} == {"band", "of", "fans"}
    assert AGNewsNodes(root, num_words=1).names == ("wall",)


def test_texts_are_read_once(raw_folder, monkeypatch):
    root = write(raw_folder)
    first = AGNewsNodes(root)
    monkeypatch.setattr(AGNewsNodes, "read", lambda self: pytest.fail("read again"))
    assert torch.equal(AGNewsNodes(root).x, first.x)


def test_another_table_is_refused(raw_folder):
    with pytest.raises(ValueError, match=r"row 2 of .*train.csv isn't class, title, description"):
        AGNewsNodes(write(raw_folder, train='"1","a","b"\n"5","c","d"\n'))

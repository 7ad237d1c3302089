"""Tables against pandas' own dummies and scikit-learn's encoder, and back."""

import numpy as np
import pytest
import torch

from scge_pyg.transforms import TableToNodes

pandas = pytest.importorskip("pandas")


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pandas.DataFrame(
        {
            "age": rng.integers(18, 90, 40),
            "weight": rng.random(40).astype(np.float32),
            "smoker": rng.random(40) < 0.5,
            "city": rng.choice(["Oslo", "Rome", "Łódź"], 40),
            "grade": pandas.Categorical(rng.choice(["b", "a"], 40), categories=["c", "b", "a"], ordered=True),
            "ward": rng.choice([3, 11], 40),
        },
        index=np.arange(40) + 100,
    )


def test_against_pandas_and_back(frame):
    convert = TableToNodes(categorical=["city", "ward"]).fit(frame)
    assert convert.names == (
        *("age", "weight", "smoker", "city=Oslo", "city=Rome", "city=Łódź"),
        *("grade=c", "grade=b", "grade=a", "ward=3", "ward=11"),
    )
    x = convert(frame)
    assert x.shape == (40, 11, 1)
    assert x.dtype == torch.float32
    expected = pandas.get_dummies(frame, columns=["city", "grade", "ward"], dtype=float)
    assert np.array_equal(x[:, :, 0].numpy(), expected.to_numpy(dtype=np.float32))
    back = convert.inverse(x)
    pandas.testing.assert_frame_equal(back, frame.reset_index(drop=True))


def test_against_the_encoder_of_scikit_learn(frame):
    encoder = pytest.importorskip("sklearn.preprocessing").OneHotEncoder(sparse_output=False)
    convert = TableToNodes(categorical=["city"]).fit(frame[["city"]])
    assert np.array_equal(convert(frame[["city"]])[:, :, 0].numpy(), encoder.fit_transform(frame[["city"]]))


def test_columns_may_come_in_another_order(frame):
    convert = TableToNodes(categorical=["city", "ward"]).fit(frame)
    assert torch.equal(convert(frame[list(frame.columns)[::-1]]), convert(frame))


@pytest.fixture
def gaps(frame):
    holed = frame.astype({"age": float, "smoker": "boolean"})
    holed.loc[103, "age"] = np.nan
    holed.loc[105, "city"] = None
    holed.loc[105, "smoker"] = pandas.NA
    holed.loc[109, "grade"] = np.nan
    return holed


def test_missing_values_need_a_policy(gaps):
    convert = TableToNodes(categorical=["city", "ward"]).fit(gaps)
    with pytest.raises(
        ValueError, match=r"empty cells in columns 'age' \(1\), 'smoker' \(1\), 'city' \(1\), 'grade' \(1\)"
    ):
        convert(gaps)
    assert convert(gaps.dropna()).shape == (37, 11, 1)


def test_rows_with_gaps_are_dropped(gaps):
    convert = TableToNodes(categorical=["city", "ward"], missing="drop").fit(gaps)
    assert torch.equal(convert(gaps), convert(gaps.dropna()))


def test_gaps_are_filled(gaps):
    convert = TableToNodes(categorical=["city", "ward"], missing="fill").fit(gaps)
    back = convert.inverse(convert(gaps))
    assert back["age"][3] == np.float32(gaps["age"].mean())
    for column, row in (("city", 5), ("grade", 9)):
        assert back[column][row] == gaps[column].mode()[0]
    assert float(convert(gaps)[5, 2]) == np.float32(gaps["smoker"].astype(float).mean())
    whole = gaps.reset_index(drop=True).dropna()
    pandas.testing.assert_frame_equal(back.loc[whole.index], whole)


def test_gaps_are_kept(gaps):
    convert = TableToNodes(categorical=["city", "ward"], missing="keep").fit(gaps)
    x = convert(gaps)
    assert int(x.isnan().sum()) == 1 + 1 + 3 + 3
    back = convert.inverse(x)
    assert back.isna().to_numpy().tolist() == gaps.isna().to_numpy().tolist()
    pandas.testing.assert_frame_equal(back.dropna(), gaps.reset_index(drop=True).dropna())


def test_the_category_with_the_largest_value():
    frame = pandas.DataFrame({"city": ["Oslo", "Rome"]})
    convert = TableToNodes(["city"]).fit(frame)
    x = torch.tensor([[0.2, 0.3], [1.5, -2], [torch.nan, 0.1]]).unsqueeze(2)
    assert convert.inverse(x)["city"].tolist() == ["Rome", "Oslo", "Rome"]


def test_bad_input_is_refused(frame):
    with pytest.raises(
        TypeError, match=r"hold no numbers: 'city'; if they hold categories, give categorical=\['city'\]"
    ):
        TableToNodes(categorical=["ward"]).fit(frame)
    with pytest.raises(TypeError, match=r"hold no numbers: 'day'"):
        TableToNodes().fit(pandas.DataFrame({"day": pandas.date_range("2020-01-01", periods=3)}))
    with pytest.raises(TypeError, match=r"expected a pandas data frame, got ndarray"):
        TableToNodes().fit(np.zeros((3, 2)))
    with pytest.raises(TypeError, match=r"categorical must be a list of columns, got 'city'"):
        TableToNodes("city")
    with pytest.raises(ValueError, match=r"categorical names columns that aren't there: 'town'"):
        TableToNodes(["town"]).fit(frame)
    with pytest.raises(ValueError, match=r"missing must be one of 'drop', 'fill', 'keep', got 'zero'"):
        TableToNodes(missing="zero")
    with pytest.raises(ValueError, match=r"call fit\(frame\)"):
        TableToNodes()(frame)
    with pytest.raises(ValueError, match=r"column 'x' is empty; drop it"):
        TableToNodes().fit(pandas.DataFrame({"x": [np.nan, np.nan]}))
    with pytest.raises(ValueError, match="same name"):
        TableToNodes().fit(pandas.DataFrame(np.zeros((2, 2)), columns=["a", "a"]))
    convert = TableToNodes(["city", "ward"]).fit(frame)
    with pytest.raises(ValueError, match=r"columns that fit saw lack: 'age', 'ward'"):
        convert(frame.drop(columns=["age", "ward"]))
    with pytest.raises(ValueError, match=r"columns that fit didn't see: 'extra'; drop them"):
        convert(frame.assign(extra=1))
    with pytest.raises(ValueError, match=r"column 'city' holds categories that fit didn't see: 'Paris'"):
        convert(frame.replace("Rome", "Paris"))
    with pytest.raises(TypeError, match=r"column 'age' held numbers when it was fitted, but now"):
        convert(frame.assign(age="old"))
    with pytest.raises(ValueError, match=r"x must be \[S, 11, 1\], got \[3, 10, 1\]"):
        convert.inverse(torch.zeros(3, 10, 1))


def test_repr(frame):
    assert str(TableToNodes(missing="drop").fit(frame[["age"]])) == "TableToNodes(1 columns, missing='drop')"

import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals.samples import read


@pytest.fixture
def values():
    return np.random.default_rng(0).standard_normal((600, 4)).astype(np.float32)


def assert_holds(samples, values, names):
    torch.testing.assert_close(
        samples.values.squeeze(2).double(), torch.tensor(values).double(), rtol=0, atol=0, equal_nan=True
    )
    assert samples.names == names


class Table:
    """What the package asks of a table."""

    def __init__(self, values, columns, dtypes):
        self.values, self.columns, self.dtypes = values, columns, dtypes

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        return Table(self.values[rows], self.columns, self.dtypes)

    def to_numpy(self):
        return self.values


class Labelled:
    """What the package asks of a labelled array."""

    dims = ("time", "node")

    def __init__(self, values, coords):
        self.values, self.coords, self.shape = values, coords, values.shape

    def __getitem__(self, rows):
        return Labelled(self.values[rows], self.coords)

    def __array__(self, dtype=None, copy=None):
        return self.values


class ArrayOnly:
    """Converts itself, and can do nothing else."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_a_table_gives_names(values):
    assert_holds(read(Table(values, list("abcd"), [values.dtype] * 4)), values, tuple("abcd"))


def test_a_column_without_numbers_is_named(values):
    values = values.astype(object)
    values[:, 3] = "north"
    table = Table(values, ["a", "b", "when", "d"], [np.dtype("f4"), np.dtype("f4"), np.dtype("M8[s]"), np.dtype("O")])
    with pytest.raises(TypeError, match=r"'when' \(datetime64\[s\]\), 'd' \(object\).*x\.drop\(\['when', 'd'\]\)"):
        read(table)


def test_columns_of_text_that_hold_numbers_are_to_be_converted(values):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(values.astype(float), columns=list("abcd"))
    for other in (frame.astype(str), frame.astype(object)):
        with pytest.raises(TypeError, match=r"'a' .*their cells do, convert them, x\.apply\(pandas\.to_numeric\)$"):
            read(other)
        assert_holds(read(other.apply(pandas.to_numeric)), values, tuple("abcd"))
    mixed = frame.astype(str).assign(where="north")
    with pytest.raises(TypeError, match=r"leave out those of text, x = x\.drop\(columns=\['where'\]\), and convert"):
        read(mixed)


@pytest.mark.parametrize("label", [str, "s{}".format])
def test_long_tables_are_to_be_pivoted(values, label):
    pandas = pytest.importorskip("pandas")
    wide = pandas.DataFrame(values, columns=[label(node) for node in range(4)]).rename_axis("t")
    long = wide.reset_index().melt("t", var_name="sensor", value_name="v")
    with pytest.raises(TypeError, match="each row is one reading of one sensor") as error:
        read(long)
    call = str(error.value).rsplit("first, ", 1)[1]
    assert_holds(read(eval(call, {"x": long})), values, tuple(wide.columns))


def test_columns_of_one_name_are_refused(values):
    table = Table(values, ["a", "b", "b", "c"], [values.dtype] * 4)
    with pytest.raises(ValueError, match=r"x has 2 columns named 'b', .*discover\(x\.to_numpy\(\)\)"):
        read(table)


def test_a_labelled_array_gives_the_coordinate_of_its_second_dimension(values):
    assert_holds(read(Labelled(values, {"node": np.array(list("abcd"))})), values, tuple("abcd"))
    assert_holds(read(Labelled(values, {"node": np.array([0.5, 1, 2, 3])})), values, ("0.5", "1.0", "2.0", "3.0"))
    assert_holds(read(Labelled(values, {"time": np.arange(600)})), values, None)


@pytest.mark.parametrize("wrap", [lambda x: ArrayOnly(x), lambda x: [ArrayOnly(x[:100]), ArrayOnly(x[100:])]])
def test_whatever_converts_itself(values, wrap):
    assert_holds(read(wrap(values)), values, None)


def test_a_mask_survives_the_conversion(values):
    masked = np.ma.masked_array(values, mask=values > 1)
    assert_holds(read(ArrayOnly(masked)), np.where(values > 1, np.nan, values), None)


def test_a_failed_conversion_says_what_to_do():
    class Far:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("values live on another device")

    with pytest.raises(TypeError, match=r"values live on another device.*convert the Far to a dense array on the CPU"):
        read(Far())


def test_long_arrays_are_cut_before_they_are_converted(values, monkeypatch):
    from scge_pyg.discovery.signals import reading

    monkeypatch.setattr(reading, "_BLOCK_BYTES", 8 * 4 * 100)
    sizes = []

    class Watched(Labelled):
        def __getitem__(self, rows):
            sizes.append(rows.stop - rows.start)
            return super().__getitem__(rows)

    assert_holds(read(Watched(values, {})), values, None)
    assert sizes == [100] * 6


# The packages themselves --------------------------------------------------------------------------------------


def test_pandas(values):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(values, columns=list("abcd"), index=pandas.date_range("2020", periods=600))
    samples = read(frame)
    assert_holds(samples, values, tuple("abcd"))
    assert samples.values.dtype == torch.float32
    assert_holds(read(frame[i : i + 100] for i in range(0, 600, 100)), values, tuple("abcd"))
    assert_holds(read([(frame, "label")]), values, tuple("abcd"))
    pairs = pandas.MultiIndex.from_product([["eeg", "emg"], [1, 2]])
    assert read(frame.set_axis(pairs, axis=1)).names == ("eeg/1", "eeg/2", "emg/1", "emg/2")


def test_pandas_missing_values():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "a": pandas.array([1, None, 3], dtype="Int64"),
            "b": pandas.array([0.5, None, 0], dtype="Float64"),
            "c": pandas.array([True, None, False], dtype="boolean"),
            "d": [0, 2, 4],
        }
    )
    nan = np.nan
    assert_holds(read(frame), np.array([[1, 0.5, 1, 0], [nan, nan, nan, 2], [3, 0, 0, 4]]), tuple("abcd"))
    assert read(frame, missing_value=0).values.isnan().sum() == 6


def test_pandas_columns_that_hold_no_numbers(values):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(values, columns=list("abcd")).assign(when=pandas.Timestamp("2020"), kind="x")
    with pytest.raises(TypeError, match=r"'when' .*'kind' .*x\.drop\(columns=\['when', 'kind'\]\).*select_dtypes"):
        read(frame)
    assert_holds(read(frame.select_dtypes("number")), values, tuple("abcd"))
    assert_holds(read(frame.drop(columns=["when", "kind"])), values, tuple("abcd"))


def test_polars(values):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(values, schema=list("abcd"))
    assert_holds(read(frame), values, tuple("abcd"))
    assert read(frame).values.dtype == torch.float32
    gaps = polars.DataFrame({"a": [1, None, 3], "b": [True, None, False]})
    assert_holds(read(gaps), np.array([[1, 1], [np.nan, np.nan], [3, 0]]), ("a", "b"))
    with pytest.raises(TypeError, match=r"'kind' \(String\).*x\.drop\(\['kind'\]\)"):
        read(frame.with_columns(kind=polars.lit("x")))
    with pytest.raises(TypeError, match=r"got LazyFrame; pass x\.collect\(\)"):
        read(frame.lazy())


def test_xarray(values):
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(values, dims=("time", "sensor"), coords={"sensor": list("abcd")})
    assert_holds(read(array), values, tuple("abcd"))
    assert_holds(read(array.drop_vars("sensor")), values, None)
    with pytest.raises(TypeError, match=r"got Dataset; pass one of its variables, x\['speed'\]"):
        read(array.to_dataset(name="speed"))


def test_arrow(values):
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({name: values[:, place] for place, name in enumerate("abcd")})
    assert_holds(read(table), values, tuple("abcd"))

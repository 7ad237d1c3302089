"""Which columns of a file become nodes, and what is said about the others."""

import gzip
import warnings
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from scge_pyg.cli.inputs import open_input
from scge_pyg.tables.columns import Pick
from scge_pyg.usage import UsageError

RNG = np.random.default_rng(0)
WALK = RNG.normal(size=(30, 5)).cumsum(1).round(3)
DATES = [str(datetime(2024, 1, 1) + timedelta(minutes=5 * row)) for row in range(30)]


def write(path, header, *columns):
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join(([header] if header is not None else []) + lines) + "\n")
    return path


def read(path, **options):
    data = open_input(path, **options)
    values = torch.cat(list(data.read()))
    return data, (values.squeeze(2) if values.shape[2:] == (1,) else values).numpy()


def test_header_of_station_numbers(tmp_path):
    path = write(tmp_path / "x.csv", "773869,767541,716337,760043,717446", *WALK.T)
    data, values = read(path)
    np.testing.assert_array_equal(values, WALK)
    assert data.names == ("773869", "767541", "716337", "760043", "717446")
    assert data.table.notes() == [
        "header of numeric ids (773869, 767541, 716337, ...); --no-header reads it as a sample"
    ]
    data, values = read(path, header=False)
    assert values.shape == (31, 5)
    assert data.names is None
    assert data.table.notes() == []


@pytest.mark.parametrize("header", [",a,b,c,d,e", "Unnamed: 0,a,b,c,d,e", "index,a,b,c,d,e", None])
def test_row_numbers_are_no_node(tmp_path, header):
    data, values = read(write(tmp_path / "x.csv", header, range(30), *WALK.T))
    np.testing.assert_array_equal(values, WALK)
    assert data.names == (("1", "2", "3", "4", "5") if header is None else tuple("abcde"))
    shown = "0 (counted from 0)" if header is None else f'"{header.split(",")[0]}"'
    assert data.table.notes() == [f"left out row-number column {shown}"]
    assert data.table.to_dict()["left_out"][0]["why"] == "row-number"


def test_row_numbers_beside_station_numbers(tmp_path):
    data, values = read(write(tmp_path / "x.csv", ",0,1,2,3,4", range(30), *WALK.T))
    np.testing.assert_array_equal(values, WALK)
    assert data.names == tuple("01234")
    assert data.table.header == "numeric ids"


def test_dates_and_missing_cells(tmp_path):
    cells = WALK.astype(str)
    cells[[0, 3, 7], [0, 2, 4]] = ["NA", "", "NaN"]
    data, values = read(write(tmp_path / "x.csv", "a,b,when,c,d,e", *cells.T[:2], DATES, *cells.T[2:]))
    expected = WALK.copy()
    expected[[0, 3, 7], [0, 2, 4]] = np.nan
    np.testing.assert_array_equal(values, expected)
    assert data.names == tuple("abcde")
    assert data.table.notes() == ['left out time column "when"']


@pytest.mark.parametrize(
    ("pick", "taken"),
    [
        (Pick(columns="c,a"), [3, 1]),
        (Pick(columns="1-3"), [1, 2, 3]),
        (Pick(columns="5, b ,4-5"), [5, 2, 4]),
        (Pick(columns="0,a"), [0, 1]),  # what is named is taken, row numbers as well
        (Pick(columns="0-5", drop="b,4"), [0, 1, 3, 5]),
        (Pick(drop="e"), [1, 2, 3, 4]),
        (Pick(time="n"), [1, 2, 3, 4, 5]),
        (Pick(columns="n-e", time="0"), None),
    ],
)
def test_columns_by_name_number_and_range(tmp_path, pick, taken):
    table = np.column_stack([np.arange(30), WALK])
    path = write(tmp_path / "x.csv", "n,a,b,c,d,e", *table.T)
    if taken is None:
        with pytest.raises(UsageError, match="no column 'n-e'"):
            read(path, pick=pick)
        return
    data, values = read(path, pick=pick)
    np.testing.assert_array_equal(values, table[:, taken])
    assert data.names == tuple("nabcde"[j] for j in taken)
    assert data.num_nodes == len(taken)


def test_names_go_before_numbers(tmp_path):
    path = write(tmp_path / "x.csv", "3,1,2,0,4", *WALK.T)
    _, values = read(path, pick=Pick(columns="3,0-4"), header=True)
    np.testing.assert_array_equal(values, WALK[:, [0, 3, 4]])


def test_names_of_nodes_differ(tmp_path):
    data, _ = read(write(tmp_path / "x.csv", "a,a,,b,a", *WALK.T))
    assert data.names == ("a", "a (1)", "2", "b", "a (4)")


def test_a_comment_sign_is_no_part_of_a_name(tmp_path):
    np.savetxt(tmp_path / "x.csv", WALK, delimiter=",", header="17,4,8,15,16")
    data, values = read(tmp_path / "x.csv")
    np.testing.assert_array_equal(values, WALK)
    assert data.names == ("17", "4", "8", "15", "16")


@pytest.mark.parametrize("name", ["x.csv", "x.npy"])
def test_times_that_go_back_are_reported(tmp_path, name):
    times = np.arange(30.0) * 5
    times[17] = 3
    if name == "x.csv":
        write(tmp_path / name, "a,b,c,d,e,clock", *WALK.T, times)
    else:
        np.save(tmp_path / name, np.column_stack([WALK, times]))
    with pytest.warns(UserWarning, match=r"time column .* goes back at row 18 \(3.0 after 80.0\)"):
        _, values = read(tmp_path / name, pick=Pick(time="5"))
    np.testing.assert_array_equal(values, WALK)


def test_dates_that_go_back_in_a_quoted_table(tmp_path):
    quoted = [f'"{date}"' for date in [*DATES[:9], DATES[0], *DATES[10:]]]
    path = write(tmp_path / "x.csv", '"a","when"', WALK[:, 0], quoted)
    with pytest.warns(UserWarning, match="'when' goes back at row 10"):
        read(path)


def test_arrays_have_numbered_columns(tmp_path):
    np.savez(tmp_path / "x.npz", np.column_stack([np.arange(30), WALK]))
    data, values = read(tmp_path / "x.npz")
    np.testing.assert_array_equal(values, WALK)
    assert data.names == ("1", "2", "3", "4", "5")
    _, values = read(tmp_path / "x.npz", pick=Pick(columns="4,1-2"))
    np.testing.assert_array_equal(values, WALK[:, [3, 0, 1]])
    channels = RNG.normal(size=(30, 6, 2))
    np.save(tmp_path / "c.npy", channels)
    _, values = read(tmp_path / "c.npy", pick=Pick(drop="0,3"))
    np.testing.assert_array_equal(values, channels[:, [1, 2, 4, 5]])


def test_parquet_knows_times_by_their_type(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    moments = [datetime.fromisoformat(date) for date in DATES]
    columns = {"when": moments, **{name: WALK[:, j] for j, name in enumerate("abcde")}}
    columns |= {"day": [moment.date() for moment in moments], "__index_level_0__": range(30)}
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), tmp_path / "x.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data, values = read(tmp_path / "x.parquet")
    np.testing.assert_array_equal(values, WALK)
    assert data.table.notes() == [
        'left out time column "when"',
        'left out time column "day"',
        'left out row-number column "__index_level_0__"',
    ]
    _, values = read(tmp_path / "x.parquet", pick=Pick(columns="e,2"))
    np.testing.assert_array_equal(values, WALK[:, [4, 1]])


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("speed,flow,c,d,e", {"pick": Pick(columns="sped,c")}, "--columns: .* no column 'sped'; close to it: 'speed'"),
        ("a,b,c,d,e", {"pick": Pick(drop="zzz")}, "--drop: .* it has 'a', 'b', 'c', 'd', 'e'"),
        ("a,b,c,d,e", {"pick": Pick(columns="1-5")}, "--columns: .* no column '5'"),
        ("a,b,c,d,e", {"pick": Pick(columns="3-1")}, "the range 3-1 runs backwards; write 1-3"),
        ("a,b,c,d,e", {"pick": Pick(time="f")}, "--time-column: .* no column 'f'"),
        ("a,b,a,d,e", {"pick": Pick(columns="a")}, r"2 columns 'a'; name them by number \(\[0, 2\]\)"),
        (None, {"pick": Pick(columns="9")}, "it has 5 columns without names, numbered 0 to 4"),
        ("a,b,c,d,e", {"pick": Pick(drop="0-4")}, "no column is left"),
    ],
)
def test_unknown_columns_are_named(tmp_path, header, options, message):
    with pytest.raises(UsageError, match=message):
        open_input(write(tmp_path / "x.csv", header, *WALK.T), **options)


def test_text_can_be_left_out_as_the_message_says(tmp_path):
    path = write(tmp_path / "x.csv", 'a,b,"who, where",c', *WALK.T[:2], ["Ann"] * 30, WALK[:, 2])
    with pytest.raises(UsageError, match="text in column 'who, where'; leave it out with --drop '\"who, where\"'"):
        open_input(path)
    np.testing.assert_array_equal(read(path, pick=Pick(drop='"who, where"'))[1], WALK[:, :3])
    with pytest.raises(UsageError, match="has no numeric columns"):
        open_input(write(tmp_path / "y.csv", "name,city", ["Ann"] * 9, ["Rome"] * 9))
    late = write(tmp_path / "late.csv", "a,b", [*range(0, 6000, 3), "x"], range(2001))
    data = open_input(late, pick=Pick(columns="a,b"))
    with pytest.raises(UsageError, match="text in column 'a'"):
        list(data.read())
    assert read(late, pick=Pick(drop="a", columns="0-1"))[1].shape == (2001, 1)


def test_images_have_no_columns(tmp_path):
    np.save(tmp_path / "x.npy", RNG.normal(size=(4, 3, 3)))
    with pytest.raises(UsageError, match="--drop chooses columns of a table"):
        open_input(tmp_path / "x.npy", image=True, pick=Pick(drop="0"))


@pytest.mark.parametrize("header", [True, False])
def test_decimal_commas_between_semicolons(tmp_path, header):
    rows = [";".join(str(value).replace(".", ",") for value in row) for row in WALK]
    (tmp_path / "x.csv").write_text("\n".join(["a;b;c;d, left;e"] * header + rows) + "\n")
    data, values = read(tmp_path / "x.csv")
    np.testing.assert_array_equal(values, WALK)
    assert data.names == (("a", "b", "c", "d, left", "e") if header else None)


def test_commas_and_semicolons_as_ever(tmp_path):
    rows = [";".join(map(str, row)) for row in WALK]
    (tmp_path / "x.csv").write_text("\n".join(["a;b;c;d;e", *rows]) + "\n")
    np.testing.assert_array_equal(read(tmp_path / "x.csv")[1], WALK)
    write(tmp_path / "y.csv", "a,b;c,d,e,f", *WALK.T)
    data, values = read(tmp_path / "y.csv")
    np.testing.assert_array_equal(values, WALK)
    assert data.names == ("a", "b;c", "d", "e", "f")


def test_a_table_under_gzip(tmp_path):
    plain = write(tmp_path / "x.csv", "a,b,c,d,e", *WALK.T).read_bytes()
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(plain))
    data, values = read(tmp_path / "x.csv.gz")
    np.testing.assert_array_equal(values, WALK)
    assert data.names == tuple("abcde")
    for broken in (plain, gzip.compress(plain)[:-20]):
        (tmp_path / "x.csv.gz").write_bytes(broken)
        with pytest.raises(UsageError, match=r"x\.csv\.gz (can't be read|is not a readable text table)"):
            read(tmp_path / "x.csv.gz")
    (tmp_path / "x.npy.gz").write_bytes(b"")
    with pytest.raises(UsageError, match=r"unknown suffix '\.gz'"):
        open_input(tmp_path / "x.npy.gz")

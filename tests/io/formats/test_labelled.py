"""Labelled arrays and frames, against their own selections."""

import numpy as np
import pandas
import pytest
import xarray

from scge_pyg.io import read

RNG = np.random.default_rng(0)


@pytest.fixture
def field():
    """Six days of 2 levels, 3 latitudes and 4 longitudes; land at one place."""
    values = RNG.normal(size=(2, 3, 6, 4))
    values[:, 1, :, 2] = np.nan
    coords = {
        "lat": [50.0, 51.0, 52.0],
        "lon": [4.0, 5.0, 6.0, 7.0],
        "time": pandas.date_range("2024", periods=6, freq="D"),
    }
    return xarray.DataArray(values, dims=("level", "lat", "time", "lon"), coords=coords, attrs={"units": "K"})


def test_every_node_is_the_selection_of_its_name(field):
    signals = read(field, node_dims=("lat", "lon"))
    assert signals.samples.shape == (6, 12, 2)
    assert signals.rate == pytest.approx(1 / 86400)
    assert signals.unit == "K"
    for place, name in enumerate(signals.names):
        lat, lon = map(float, name.split("/"))
        expected = field.sel(lat=lat, lon=lon).transpose("time", "level").values
        np.testing.assert_array_equal(signals.samples[:, place], expected)
        assert signals.dead[place] == np.isnan(expected).all()
    assert signals.dead.sum() == 1
    assert signals.layout.names == signals.names


def test_latitude_and_longitude_are_nodes_by_themselves(field):
    assert read(field).names == read(field, node_dims=("lat", "lon")).names
    assert read(field.isel(level=0, lon=0)).samples.shape == (6, 3)
    assert read(field.isel(level=0, lon=0).transpose("lat", "time")).names == ("50", "51", "52")


def test_stations_along_one_dimension_have_places(field):
    stations = xarray.DataArray(
        RNG.normal(size=(6, 3)),
        dims=("time", "station"),
        coords={
            "station": ["a", "b", "c"],
            "lat": ("station", [50.0, 50.0, 51.0]),
            "lon": ("station", [4.0, 5.0, 4.0]),
        },
    )
    signals = read(stations)
    assert signals.names == signals.layout.names == ("a", "b", "c")
    step = signals.layout.positions[1] - signals.layout.positions[0]
    assert step == pytest.approx([6_371_008.8 * np.pi / 180 * np.cos(np.deg2rad(50 + 1 / 3)), 0])


def test_fill_values_of_an_array_that_was_opened_raw(field):
    raw = field.fillna(-99.0).assign_attrs(_FillValue=-99.0)
    signals = read(raw)
    np.testing.assert_array_equal(signals.samples, read(field).samples)
    assert signals.dead.sum() == 1


def test_a_data_set_needs_a_key_unless_it_holds_one_array(field):
    assert read(field.to_dataset(name="t")).samples.shape == (6, 12, 2)
    two = xarray.Dataset({"t": field, "u": field})
    with pytest.raises(ValueError, match="the data set holds t, u; choose one with key=, got None"):
        read(two)
    assert read(two, key="u").samples.shape == (6, 12, 2)


def test_frames_keep_names_gaps_and_rate():
    index = pandas.date_range("2024", periods=5, freq="5min")
    frame = pandas.DataFrame({"a": [1, 2, 3, 4, 5], "b": [1.0, np.nan, 3, 4, 5], "c": np.nan}, index=index)
    signals = read(frame)
    np.testing.assert_array_equal(signals.samples, frame.to_numpy())
    assert signals.names == ("a", "b", "c")
    assert signals.dead.tolist() == [False, False, True]
    assert signals.rate == pytest.approx(1 / 300)
    assert read(frame.iloc[[0, 1, 3]]).rate is None
    levels = pandas.DataFrame(np.eye(2), columns=pandas.MultiIndex.from_tuples([("s", "x"), ("s", "y")]))
    assert read(levels).names == ("s/x", "s/y")
    assert read(frame.astype({"a": "Int64"})).samples[0, 0] == 1
    with pytest.raises(ValueError, match=r"columns that hold no numbers: when; leave them out, frame.select_dtypes"):
        read(frame.assign(when="noon"))

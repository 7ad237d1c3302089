"""Files without further libraries, against what was written into them."""

import numpy as np
import pytest
from scipy.io import netcdf_file, savemat, wavfile

from scge_pyg.io import read

RNG = np.random.default_rng(0)


def test_bare_numbers_are_mapped_and_not_read(tmp_path):
    values = RNG.integers(-3000, 3000, (50, 6)).astype("int16")
    path = tmp_path / "rec.dat"
    path.write_bytes(b"header" + values.tobytes())
    signals = read(path, raw="int16", channels=6, rate=30000, skip=6)
    assert isinstance(signals.samples, np.memmap)
    np.testing.assert_array_equal(signals.samples, values)
    assert signals.rate == 30000
    swapped = tmp_path / "rec.any"
    swapped.write_bytes(values.astype(">i2").tobytes())
    np.testing.assert_array_equal(read(swapped, raw=">i2", channels=6).samples, values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say raw='int16' .their type. and channels=64"),
        ({"raw": "int16", "channels": 7}, r"has 600 bytes after 0, .* samples of 7 int16 .14 bytes each, 12 left over"),
        ({"raw": "int17", "channels": 6}, "raw must be a type of numbers such as 'int16' or 'float32', got 'int17'"),
        ({"raw": "object", "channels": 6}, "raw must be a type of real numbers"),
        ({"raw": "int16", "channels": 0}, "channels must be at least 1 and skip at least 0, got 0 and 0"),
        ({"raw": "int16", "channels": 6, "skip": 600}, "no whole number of samples"),
    ],
)
def test_bare_numbers_that_do_not_fit(tmp_path, options, message):
    path = tmp_path / "rec.bin"
    path.write_bytes(bytes(600))
    with pytest.raises(ValueError, match=message):
        read(path, **options)


@pytest.mark.parametrize("kind", ["int16", "float32", "uint8"])
def test_wave_channels_are_nodes(tmp_path, kind):
    values = (RNG.uniform(0, 1, (90, 3)) * 100).astype(kind)
    wavfile.write(tmp_path / "a.wav", 8000, values)
    signals = read(tmp_path / "a.wav")
    np.testing.assert_array_equal(signals.samples, values)
    assert signals.rate == 8000.0


def test_wave_windows(tmp_path):
    values = np.arange(200, dtype=np.int16)
    wavfile.write(tmp_path / "a.wav", 8000, np.stack([values, -values], 1))
    signals = read(tmp_path / "a.wav", window=64)
    np.testing.assert_array_equal(signals.samples[:3], values[:192].reshape(3, 64))
    np.testing.assert_array_equal(signals.samples[3:], -values[:192].reshape(3, 64))
    assert signals.notes == ("left out 8 moments at the end, less than a window",)
    with pytest.raises(ValueError, match="window must be from 1 to the 200 moments"):
        read(tmp_path / "a.wav", window=201)
    (tmp_path / "b.wav").write_bytes(b"RIFX nothing of the kind")
    with pytest.raises(ValueError, match="can't be read as a wave file"):
        read(tmp_path / "b.wav")


def test_matlab_takes_names_and_rate_from_beside(tmp_path):
    values = RNG.normal(size=(40, 3))
    labels = np.array(["Fz", "Cz", "Pz"], dtype=object)
    savemat(tmp_path / "a.mat", {"data": values, "Labels": labels, "fs": 250.0})
    signals = read(tmp_path / "a.mat")
    np.testing.assert_array_equal(signals.samples, values)
    assert signals.names == ("Fz", "Cz", "Pz")
    assert signals.rate == 250.0
    savemat(tmp_path / "b.mat", {"data": values.T, "labels": np.array(["Fz", "Cz", "Pz"])})
    turned = read(tmp_path / "b.mat")
    np.testing.assert_array_equal(turned.samples, values)
    assert turned.names == ("Fz", "Cz", "Pz")
    savemat(tmp_path / "c.mat", {"data": values.T})
    np.testing.assert_array_equal(read(tmp_path / "c.mat", nodes_first=True).samples, values)


def test_matlab_asks_which_array(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.zeros((4, 3)), "y": np.zeros((5, 6)), "s": "text"})
    with pytest.raises(ValueError, match=r"holds x \[4, 3\], y \[5, 6\]; choose one with key="):
        read(tmp_path / "a.mat")
    with pytest.raises(ValueError, match="has no array of numbers key='s'"):
        read(tmp_path / "a.mat", key="s")
    assert read(tmp_path / "a.mat", key="y").samples.shape == (5, 6)
    (tmp_path / "b.mat").write_bytes(b"no such thing" * 40)
    with pytest.raises(ValueError, match="can't be read as a file of MATLAB"):
        read(tmp_path / "b.mat")


def netcdf(path, values, **attributes):
    with netcdf_file(path, "w") as file:
        for name, size in zip(("time", "lat", "lon"), values.shape, strict=True):
            file.createDimension(name, size)
        for name, coordinate in (("lat", [10.0, 12.5]), ("lon", [-5.0, 0.0, 5.0])):
            file.createVariable(name, "f8", (name,))[:] = coordinate
        file.createDimension("bound", 2)
        file.variables["lat"].bounds = "lat_bounds"
        file.createVariable("lat_bounds", "f4", ("lat", "bound"))[:] = 0
        field = file.createVariable("sst", values.dtype, ("time", "lat", "lon"))
        field[:] = values
        for name, value in attributes.items():
            setattr(field, name, value)
    return path


def test_netcdf_land_is_dead_and_packed_numbers_are_unpacked(tmp_path):
    values = RNG.integers(-500, 500, (7, 2, 3)).astype("i2")
    values[:, 0, 1] = -999  # land
    values[2, 1, 2] = -999  # a gap
    path = netcdf(
        tmp_path / "a.nc", values, _FillValue=np.int16(-999), scale_factor=0.01, add_offset=20.0, units="degC"
    )
    signals = read(path)
    expected = np.where(values == -999, np.nan, values * 0.01 + 20).reshape(7, 6)
    np.testing.assert_allclose(signals.samples, expected)
    assert signals.dead.tolist() == [False, True, False, False, False, False]
    assert signals.names == ("10/-5", "10/0", "10/5", "12.5/-5", "12.5/0", "12.5/5")
    assert signals.unit == "degC"
    east = signals.layout.positions.reshape(2, 3, 2)[0, :, 0]
    assert np.diff(east) == pytest.approx([east[1] - east[0]] * 2)
    assert east[0] < east[2]
    assert read(path, node_dims="lon").samples.shape == (7, 3, 2)


def test_netcdf_default_fill_and_errors(tmp_path):
    values = RNG.normal(size=(7, 2, 3)).astype("f4")
    values[:, 1, 1] = 9.969209968386869e36
    signals = read(netcdf(tmp_path / "a.nc", values))
    assert signals.dead.tolist() == [False] * 4 + [True, False]
    doubles = values.astype("f8")
    doubles[:, 1, 1] = 1e20
    rounded = read(netcdf(tmp_path / "d.nc", doubles, missing_value=1e20))  # scipy stores the mark as float32
    assert rounded.dead.tolist() == [False] * 4 + [True, False]
    with pytest.raises(ValueError, match="node_dims names 'depth'; the dimensions are 'time', 'lat', 'lon'"):
        read(tmp_path / "a.nc", node_dims=("depth",))
    with pytest.raises(ValueError, match="one must be left for the samples"):
        read(tmp_path / "a.nc", node_dims=("time", "lat", "lon"))
    with pytest.raises(ValueError, match=r"holds sst \(time, lat, lon\); choose one with key="):
        read(tmp_path / "a.nc", key="salt")
    (tmp_path / "b.nc").write_bytes(b"CDF\x01 and nothing more")
    with pytest.raises(ValueError, match="can't be read as a netCDF file"):
        read(tmp_path / "b.nc")
    (tmp_path / "c.nc").write_bytes(b"text")
    with pytest.raises(ValueError, match="no netCDF file; it starts with b'text'"):
        read(tmp_path / "c.nc")


def test_arrays_of_numpy(tmp_path):
    values = RNG.normal(size=(9, 4, 2))
    np.save(tmp_path / "a.npy", values)
    signals = read(tmp_path / "a.npy", rate=20.0)
    assert isinstance(signals.samples, np.memmap)
    np.testing.assert_array_equal(signals.rows(2, 5), values[2:5])
    np.savez(tmp_path / "a.npz", x=values, y=values[0])
    np.testing.assert_array_equal(read(tmp_path / "a.npz", key="x").samples, values)
    with pytest.raises(ValueError, match="holds x, y; choose one with key=, got None"):
        read(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.array([["a", "b"]]))
    with pytest.raises(ValueError, match=r"can't be read as a file of numpy .*values are of type <U1"):
        read(tmp_path / "b.npy")

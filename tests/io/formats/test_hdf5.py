"""HDF5, MATLAB 7.3, netCDF 4 and coolers against the libraries that write them (`make test-extras`)."""

import numpy as np
import pandas
import pytest
import xarray

from scge_pyg.io import read

h5py = pytest.importorskip("h5py")
RNG = np.random.default_rng(0)


def test_an_array_stays_on_disk(tmp_path):
    values = RNG.normal(size=(40, 6))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["run/x"] = values
        file["run/when"] = np.arange(40.0)
    signals = read(tmp_path / "a.h5", rate=20.0)
    assert isinstance(signals.samples, h5py.Dataset)
    np.testing.assert_array_equal(signals.rows(3, 9), values[3:9])
    np.testing.assert_array_equal(read(tmp_path / "a.h5", key="/run/x", nodes_first=True).samples, values.T)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = file["y"] = values
    with pytest.raises(ValueError, match=r"holds x \[40, 6\], y \[40, 6\]; choose one with key="):
        read(tmp_path / "b.h5")
    (tmp_path / "c.h5").write_bytes(b"text")
    with pytest.raises(ValueError, match="can't be read as an HDF5 file"):
        read(tmp_path / "c.h5")


def test_matlab_7_3_reverses_the_axes(tmp_path):
    values = RNG.normal(size=(40, 6))
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["data"] = values.T
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: now".ljust(124) + b"\x00\x02IM"
    with open(tmp_path / "a.mat", "r+b") as file:
        file.write(head)
    np.testing.assert_array_equal(read(tmp_path / "a.mat").samples, values)


def test_netcdf_4_has_names_fill_and_packing(tmp_path):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        for name, scale in (("time", np.arange(5.0)), ("lat", [10.0, 20.0]), ("lon", [1.0, 2.0, 3.0])):
            file[name] = scale
            file[name].make_scale(name)
        values = RNG.integers(-99, 99, (5, 2, 3)).astype("i2")
        values[:, 1, 1] = -999
        field = file.create_dataset("sst", data=values)
        for axis, name in enumerate(("time", "lat", "lon")):
            field.dims[axis].attach_scale(file[name])
        field.attrs.update({"_FillValue": np.int16(-999), "scale_factor": 0.5, "units": "K"})
    signals = read(tmp_path / "a.nc")
    np.testing.assert_array_equal(signals.samples, np.where(values == -999, np.nan, values * 0.5).reshape(5, 6))
    assert signals.names == ("10/1", "10/2", "10/3", "20/1", "20/2", "20/3")
    assert signals.dead.tolist() == [False] * 4 + [True, False]
    assert signals.unit == "K"


def test_netcdf_4_as_xarray_writes_it(tmp_path):
    pytest.importorskip("h5netcdf")
    field = xarray.DataArray(RNG.normal(size=(5, 2, 3)), dims=("time", "y", "x"), coords={"y": [0, 1], "x": [0, 1, 2]})
    field.to_dataset(name="t").to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    signals = read(tmp_path / "a.nc")
    np.testing.assert_array_equal(signals.samples, field.values.reshape(5, 6))
    assert signals.names == ("0/0", "0/1", "0/2", "1/0", "1/1", "1/2")


@pytest.fixture
def cool(tmp_path):
    """Two chromosomes of 5 and 3 bins; bin 2 has no contacts and balancing masks it."""
    cooler = pytest.importorskip("cooler")
    counts = RNG.poisson(4, (8, 8))
    counts = counts + counts.T
    counts[2] = counts[:, 2] = 0
    bins = pandas.DataFrame({"chrom": ["chr1"] * 5 + ["chrX"] * 3, "start": [*range(0, 50, 10), *range(0, 30, 10)]})
    bins["end"] = bins["start"] + 10
    bins["weight"] = np.where(np.arange(8) == 2, np.nan, 0.5)
    first, second = np.triu_indices(8)
    pixels = pandas.DataFrame({"bin1_id": first, "bin2_id": second, "count": counts[first, second]})
    cooler.create_cooler(str(tmp_path / "a.cool"), bins, pixels[pixels["count"] > 0])
    return cooler.Cooler(str(tmp_path / "a.cool"))


def test_contacts_names_and_masked_bins(cool):
    signals = read(cool.filename)
    assert signals.kind == "affinity"
    np.testing.assert_array_equal(signals.samples.toarray(), cool.matrix(balance=False)[:])
    table = cool.bins()[:]
    assert signals.names == tuple(
        f"{c}:{s}-{e}" for c, s, e in table[["chrom", "start", "end"]].itertuples(index=False)
    )
    np.testing.assert_array_equal(signals.dead, table["weight"].isna())
    part = read(cool.filename, region="chrX")
    np.testing.assert_array_equal(part.samples.toarray(), cool.matrix(balance=False).fetch("chrX"))
    assert part.names[0] == "chrX:0-10"
    with pytest.raises(ValueError, match="region must be one of chr1, chrX, got 'chr2'"):
        read(cool.filename, region="chr2")


def test_one_resolution_of_many(cool, tmp_path):
    cooler = pytest.importorskip("cooler")
    path = str(tmp_path / "a.mcool")
    cooler.zoomify_cooler(cool.filename, path, [10, 20], chunksize=1000)
    for size in (10, 20):
        signals = read(f"{path}::/resolutions/{size}")
        matrix = cooler.Cooler(f"{path}::/resolutions/{size}").matrix(balance=False)[:]
        np.testing.assert_array_equal(signals.samples.toarray(), matrix)
    with pytest.raises(ValueError, match=r"choose one of its resolutions, .*::/resolutions/10 or ::/resolutions/20"):
        read(path)
    with pytest.raises(ValueError, match="names no matrix of contacts"):
        read(f"{path}::/resolutions/5")

"""Files of layouts against places computed by hand; against mne and probeinterface in test_second_source."""

import json

import numpy as np
import pytest

from scge_pyg.io import Layout, read_layout


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_locs_stand_on_the_unit_sphere(tmp_path):
    lines = ["1 0 0.5 Fpz", "2\t90\t0.5\tT8.", "3 -90 0.25 C3", "4 180 0.5 Oz", "5 17 0 Cz"]
    layout = read_layout(written(tmp_path / "cap.locs", "\n".join(lines)))
    half = np.sqrt(0.5)
    expected = [[0, 1, 0], [1, 0, 0], [-half, 0, half], [0, -1, 0], [0, 0, 1]]
    np.testing.assert_allclose(layout.positions, expected, atol=1e-12)
    assert layout.names == ("Fpz", "T8.", "C3", "Oz", "Cz")
    assert layout.unit is None


ELC = """# ASA electrode file
ReferenceLabel	avg
UnitPosition	mm
NumberPositions=	3
Positions
{}
Labels
{}
"""


@pytest.mark.parametrize(
    ("positions", "labels"),
    [
        ("-86.0 -20 -48\n0.1 2 3e1\n 1 2 3", "LPA\tA1\tB 2"),
        ("-86.0 -20 -48\n0.1 2 3e1\n 1 2 3", "LPA\nA1\nB 2"),
        ("LPA : -86.0 -20 -48\nA1: 0.1 2 3e1\nB 2 :1 2 3", ""),
    ],
)
def test_elc_with_names_in_front_or_at_the_end(tmp_path, positions, labels):
    layout = read_layout(written(tmp_path / "cap.elc", ELC.format(positions, labels)))
    assert layout.names == ("A1", "B 2")
    np.testing.assert_array_equal(layout.positions, [[0.1, 2, 30], [1, 2, 3]])
    assert layout.landmarks == {"lpa": (-86.0, -20.0, -48.0)}
    assert layout.unit == "mm"


def test_sfp_sets_fiducials_aside(tmp_path):
    text = "FidNz\t0\t9.1\t-2\nE 1\t5\t6\t7\nE2  1.5 2 3\n"
    layout = read_layout(written(tmp_path / "net.sfp", text))
    assert layout.names == ("E 1", "E2")
    np.testing.assert_array_equal(layout.positions, [[5, 6, 7], [1.5, 2, 3]])
    assert layout.landmarks == {"nasion": (0.0, 9.1, -2.0)}


def test_electrodes_with_their_coordinate_system(tmp_path):
    path = written(
        tmp_path / "sub-1_electrodes.tsv", "name\tx\ty\tz\ttype\nFz\t1\t2\t3\tcup\nREF\tn/a\tn/a\tn/a\tcup\n"
    )
    assert read_layout(path).unit is None
    system = {"EEGCoordinateUnits": "mm", "AnatomicalLandmarkCoordinates": {"NAS": [0, 90, 1], "inion": [0, -90, 0]}}
    written(tmp_path / "sub-1_coordsystem.json", json.dumps(system))
    layout = read_layout(path)
    np.testing.assert_array_equal(layout.positions, [[1, 2, 3], [np.nan] * 3])
    assert layout.unit == "mm"
    assert layout.landmarks == {"nasion": (0.0, 90.0, 1.0), "inion": (0.0, -90.0, 0.0)}


@pytest.mark.parametrize(
    ("text", "names", "places"),
    [
        ("x,y\n1,2\n3,4\n", ("0", "1"), [[1, 2], [3, 4]]),
        ("1,2\n3,4\n", ("0", "1"), [[1, 2], [3, 4]]),
        ("a,1,2\nb,3,4\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("node,name,x,y,component\n0,a,1,2,0\n1,b,,,0\n", ("a", "b"), [[1, 2], [np.nan] * 2]),
        ("Label;Z;Y;X\np;3;2;1\n", ("p",), [[1, 2, 3]]),
    ],
)
def test_tables(tmp_path, text, names, places):
    layout = read_layout(written(tmp_path / "places.csv", text))
    assert layout.names == names
    np.testing.assert_array_equal(layout.positions, places)


def test_latitude_and_longitude_become_metres_over_the_date_line(tmp_path):
    text = "index,sensor_id,latitude,longitude\n0,s7,60,179.9\n1,s8,60,-179.9\n2,s9,60.2,180\n"
    layout = read_layout(written(tmp_path / "stations.csv", text))
    assert layout.names == ("s7", "s8", "s9")
    assert layout.unit == "m"
    degree = 6_371_008.8 * np.pi / 180
    east = layout.positions[1, 0] - layout.positions[0, 0]
    assert east == pytest.approx(0.2 * degree * np.cos(np.deg2rad(60.0667)), rel=1e-4)
    assert layout.positions[2, 1] - layout.positions[0, 1] == pytest.approx(0.2 * degree)


PROBE = {
    "ndim": 2,
    "si_units": "um",
    "contact_positions": [[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]],
    "contact_ids": ["e1", "e2", "e3"],
    "shank_ids": ["0", "0", "1"],
    "device_channel_indices": [2, 0, -1],
}


def probe_file(path, *probes):
    return written(path, json.dumps({"specification": "probeinterface", "version": "0.4.2", "probes": list(probes)}))


def test_probe_keeps_ids_shanks_and_wiring(tmp_path):
    layout = read_layout(probe_file(tmp_path / "one.json", PROBE))
    assert layout.names == ("e1", "e2", "e3")
    assert layout.group == ("0", "0", "1")
    assert layout.channel.tolist() == [2, 0, -1]
    np.testing.assert_array_equal(layout.positions, PROBE["contact_positions"])
    assert repr(layout) == "Layout(channels=3, dim=2, unit='um', groups=2)"


def test_two_probes_with_the_same_ids_are_told_apart(tmp_path):
    layout = read_layout(probe_file(tmp_path / "two.json", PROBE, PROBE | {"shank_ids": ["", "", ""]}))
    assert layout.names == ("0:e1", "0:e2", "0:e3", "1:e1", "1:e2", "1:e3")
    assert layout.group == ("0:0", "0:0", "0:1", "1:", "1:", "1:")


def test_without_ids_contacts_are_called_by_their_channels(tmp_path):
    bare = {key: PROBE[key] for key in ("ndim", "contact_positions")}
    layout = read_layout(probe_file(tmp_path / "a.json", bare | {"device_channel_indices": [2, 0, 1]}))
    assert layout.names == ("2", "0", "1")
    assert read_layout(probe_file(tmp_path / "b.json", bare)).names == ("0", "1", "2")


@pytest.mark.parametrize(
    "text",
    [
        "total_nb_channels = 4\nradius = 100\nchannel_groups = {1: {'channels': list(range(3)), 'graph': [],"
        " 'geometry': {0: [0, 0], 1: [0.0, -20], 2: (5 * 2, 20 + 1.5)}}}",
        '"""A probe."""\nplaces = {2: [10, 21.5], 0: [0, 0], 1: [0, -20]}\n'
        "channel_groups = {0: dict(channels=[0, 1, 2], geometry=places)}",
        "channel_groups = {0: {'channels': (0, 1, 2), 'geometry': [[0, 0], [0, -20], [10, 21.5]]}}",
        "channel_groups = {0: {'channels': [np.int64(0), np.int64(1), np.int64(2)], 'geometry': {0: [0, 0],"
        " 1: [np.float64(0), np.float64(-20.0)], 2: np.array([10, 21.5])}}}",
    ],
)
def test_prb_is_read_and_not_run(tmp_path, text):
    layout = read_layout(written(tmp_path / "a.prb", text))
    assert layout.names == ("0", "1", "2")
    np.testing.assert_array_equal(layout.positions, [[0, 0], [0, -20], [10, 21.5]])
    assert layout.channel.tolist() == [0, 1, 2]
    assert layout.unit == "um"
    assert layout.group is None


def test_prb_that_computes_is_refused_and_does_nothing(tmp_path):
    flag = tmp_path / "flag"
    for line in (f"open({str(flag)!r}, 'w').close()", f"channel_groups = open({str(flag)!r}, 'w')", "import os"):
        with pytest.raises(ValueError, match=r"not a \.prb of plain values.*probeinterface\.read_prb runs such a file"):
            read_layout(written(tmp_path / "a.prb", line))
    assert not flag.exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xyz", "", "unknown suffix '.xyz'; known are .json"),
        ("a.json", "{}", "it must hold 'probes'"),
        ("a.json", "[1, 2", "Expecting"),
        ("a.locs", "1 90 C3", "line 1 must be number, angle, radius and name"),
        ("a.sfp", "E1 a b c", "line 1 must hold coordinates"),
        ("a.elc", ELC.format("1 2 3", "A\tB"), "1 places for 2 names"),
        ("a.elc", "UnitPosition", "a.elc: "),
        ("a.json", '{"probes": [{"contact_positions": 3}]}', "a.json: "),
        ("a.csv", "name,u,v\na,1,2\n", "it needs columns x and y .and z., or latitude and longitude, got 'name', 'u'"),
        ("a.csv", "name,x,y\na,1\n", "line 2 has 2 cells where the first has 3"),
        ("a.csv", "name,x,y\na,1,left\n", "coordinates must be numbers, from line 2 on"),
        ("a.csv", "name,x,y\na,1,2\na,3,4\n", "names must differ, 'a' came 2 times"),
        ("a.csv", "name,x,y\na,1,inf\n", "that of 'a' is infinite"),
        ("a.csv", "", "it is empty"),
        ("a.prb", "channel_groups = {0: {'channels': [0, 1], 'geometry': {0: [0, 0]}}}", "no place for channel 1"),
        ("a.prb", "channels = 4", "it must assign channel_groups"),
    ],
)
def test_what_is_no_layout_says_why(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        read_layout(written(tmp_path / name, text))


def test_places_come_in_the_order_of_the_data():
    layout = Layout(("Fp1", "Cz", "Oz"), np.array([[0.0, 1.0], [0.0, 0.0], [0.0, -1.0]]))
    np.testing.assert_array_equal(layout.places_of(["Oz", "EOG", "Fp1"]), [[0, -1], [np.nan] * 2, [0, 1]])
    np.testing.assert_array_equal(layout.places_of(["OZ..", "fp1."]), [[0, -1], [0, 1]])
    with pytest.raises(ValueError, match=r"names other channels \('Fp1', 'Cz', 'Oz'\) than the data \('a', 'b'\)"):
        layout.places_of(["a", "b"])


def test_layout_checks_sizes():
    with pytest.raises(ValueError, match=r"one row for each of the 2 names, got \[3, 2\]"):
        Layout(("a", "b"), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"group must be \[2\], one entry a channel, got 1"):
        Layout(("a", "b"), np.eye(2), group=("s",))

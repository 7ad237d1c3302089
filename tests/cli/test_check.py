"""`scge check` from files to words, table, picture and exit status."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from scge_pyg.cli import main

PLACES = np.argwhere(np.ones((4, 5))).astype(float)
NAMES = [f"E{k}" for k in range(20)]


def samples():
    root = np.linalg.cholesky(np.exp(-cdist(PLACES, PLACES) / 2.5))
    return np.random.default_rng(0).standard_normal((1500, 20)) @ root.T


@pytest.fixture
def layout(tmp_path):
    path = tmp_path / "places.csv"
    rows = [f"{name},{x},{y}" for name, (x, y) in zip(NAMES, PLACES.tolist(), strict=True)]
    path.write_text("\n".join(["name,x,y", *reversed(rows)]))
    return path


@pytest.fixture
def data(tmp_path):
    """Writer of a table of samples with these columns swapped."""

    def write(*pair, names=NAMES):
        x = samples()
        if pair:
            x[:, list(pair)] = x[:, list(pair)[::-1]]
        np.savetxt(tmp_path / "x.csv", x, delimiter=",", header=",".join(names), comments="", fmt="%.6f")
        return tmp_path / "x.csv"

    return write


@pytest.fixture
def run(capsys):
    def run(*args):
        code = main(["check", *map(str, args)])
        return code, *capsys.readouterr()

    return run


def test_a_right_layout_exits_with_0_whatever_its_order(run, data, layout):
    code, out, err = run(data(), "--layout", layout)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "all channels fit."
    assert lines[3].split("  ")[0] == "channel"
    assert [line.split()[0] for line in lines[4:]] == NAMES


def test_a_wrong_one_says_so_draws_arrows_and_exits_with_1(run, data, layout, tmp_path):
    picture = tmp_path / "layout.png"
    code, out, err = run(data(1, 18), "--layout", layout, "-o", picture)
    assert (code, err) == (1, "")
    assert out.startswith("channels E1 and E18 are swapped (p = 0.01); all others fit.\n")
    row = next(line.split() for line in out.splitlines() if line.startswith("E1 "))
    assert row[2] == "E18"
    assert float(row[3]) > float(row[1])
    assert row[4:] == ["0.01", "0.68"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, _, err = run(data(), "--layout", layout, "-o", picture)
    assert code == 2
    assert "--overwrite" in err
    assert run(data(), "--layout", layout, "-o", picture, "--overwrite", "-q") == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layout.png", "places.csv", "x.csv"]


def test_json_holds_every_channel(run, data, layout):
    code, out, _ = run(data(1, 18), "--layout", layout, "--json", "--seed", 3)
    found = json.loads(out)
    assert code == 1
    assert found["suspects"] == [1, 18]
    assert found["best_place"][1] == 18
    assert found["findings"][0]["kind"] == "exchanged"
    assert found["names"] == NAMES
    assert len(found["gain"]) == 20


def test_numbered_channels_follow_the_layout(run, layout, tmp_path):
    np.save(tmp_path / "x.npy", samples()[:, ::-1])  # the file lists places in reverse
    code, out, _ = run(tmp_path / "x.npy", "--layout", layout)
    assert code == 0
    assert out.splitlines()[4].startswith("E19")
    np.save(tmp_path / "x.npy", samples()[:, :19])
    code, _, err = run(tmp_path / "x.npy", "--layout", layout)
    assert code == 2
    assert "places 20 channels, but the data have 19 without names" in err


def test_a_probe_says_which_column_each_contact_is_wired_to(run, tmp_path):
    wired = np.random.default_rng(1).permutation(20)
    geometry = {int(channel): place for channel, place in zip(wired, (20 * PLACES).tolist(), strict=True)}
    shank = {"channels": wired.tolist(), "geometry": geometry}
    (tmp_path / "probe.prb").write_text(f"channel_groups = {{0: {shank}}}\n")
    x = np.empty((1500, 20))
    x[:, wired] = samples()
    (1000 * x).astype(np.int16).tofile(tmp_path / "x.dat")
    raw = (tmp_path / "x.dat", "--raw", "int16", "--channels", 20, "--layout", tmp_path / "probe.prb")
    code, out, err = run(*raw)
    assert (code, err) == (0, "")
    assert out.startswith("all channels fit.\n")


def test_channels_without_a_place_are_named(run, data, layout):
    code, out, _ = run(data(names=[*NAMES[:-1], "EOG"]), "--layout", layout)
    assert code == 0
    assert "without a place, not judged: EOG." in out
    assert "all 19 channels that were judged fit." in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layout", "missing.csv"], "missing.csv"),
        (["--layout", "{other}"], "unknown suffix"),
        (["--layout", "{layout}", "--replicates", "5"], "replicates must be an integer of at least 99"),
        (["--layout", "{layout}", "-o", "picture.gif"], "-o names a picture"),
        (["--layout", "{layout}", "-o", "nowhere/picture.png"], "is no folder"),
        (["--layout", "{layout}", "--columns", "E1,E2,E5,E9,E12"], "at least 8 channels"),
    ],
)
def test_bad_input_exits_with_2_and_one_line(run, data, layout, arguments, message):
    other = layout.with_suffix(".xyz")
    other.touch()
    code, out, err = run(data(), *(argument.format(layout=layout, other=other) for argument in arguments))
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_layout_of_other_channels_names_them(run, data, layout):
    code, _, err = run(data(names=[f"A{k}" for k in range(20)]), "--layout", layout)
    assert code == 2
    assert "'E19'" in err
    assert "'A0'" in err

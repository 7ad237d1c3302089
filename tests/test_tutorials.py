"""Every tutorial runs from its first cell to its last and shows what its text claims."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "tutorials").glob("*.py"))
# prints the numbers that a script leaves in `results`, after whatever it prints itself
RUNNER = """
import json, runpy, sys
results = runpy.run_path(sys.argv[1], run_name="__main__").get("results", {})
print(json.dumps([[list(key), values] for key, values in results.items()] if results else []))
"""


def run(path, folder, **variables):
    """What a script prints, and its results, in quick mode."""
    environment = {
        **os.environ,
        "SCGE_QUICK": "1",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        **variables,
    }
    strict = ["-W", "error", "-W", "ignore:`torch.jit.script` is deprecated:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *strict, "-c", RUNNER, str(path)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text, _, last = done.stdout.rstrip().rpartition("\n")
    return text, {tuple(key): values for key, values in json.loads(last)}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Each script runs once."""
    cache = {}

    def output(name):
        if name not in cache:
            folder = tmp_path_factory.mktemp(name)
            picture = folder / "picture.png"
            cache[name] = (*run(ROOT / "tutorials" / f"{name}.py", folder, SCGE_PICTURE=str(picture)), picture)
        return cache[name]

    return output


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_it_runs(path, outputs):
    text, _, _ = outputs(path.stem)
    assert text.strip()
    assert path.read_text().count("# %% [markdown]") >= 3


def test_mix_into_pyg_shows_what_it_claims(outputs):
    text, results, picture = outputs("mix_into_pyg")
    operators = ("GATConv", "GINConv", "SAGEConv")
    versions = ("no graph", "discovered graph", "SCGEConv in front")
    assert set(results) == {(name, version) for name in operators for version in versions}
    mean = {key: sum(values) / len(values) for key, values in results.items()}
    for name in operators:
        assert mean[name, "discovered graph"] > mean[name, "no graph"] + 0.05
        assert mean[name, "SCGEConv in front"] > mean[name, "no graph"] + 0.05
    front, graph = (sum(mean[name, version] for name in operators) for version in reversed(versions[1:]))
    assert front > graph
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    assert [row[0].strip() for row in rows] == ["version", "---", *versions]
    for row in rows[2:]:
        for name, entry in zip(operators, row[1:], strict=True):
            assert float(entry.split("±")[0]) == pytest.approx(100 * mean[name, row[0].strip()], abs=0.06)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_why_convolution_shows_what_it_claims(outputs):
    text, results, picture = outputs("why_convolution")
    models = {name for name, _ in results}
    assert len(models) == 13
    error = {name: results[name, "error"] for name in models}
    assert error["convolutional"] < error["MLP"] < error["PCA"]
    assert max(error["locally linear"], error["second order"]) < error["PCA"]
    assert error["conv. shuffled"] > 1.5 * error["convolutional"]
    for found in ("SCGE", "SCGE never snapped"):
        assert error[found] < 1.3 * error["convolutional"]
    assert error["SCGE random places"] > 2 * error["SCGE never snapped"]
    assert {results[name, "pairs that break it"] for name in models} == {0}
    assert all(0 < results[name, "bound used"] < 1 for name in models)
    # a linear decoder moves on a straight line, evenly, with one Jacobian
    assert results["PCA", "straightness"] == pytest.approx(1, abs=1e-4)
    assert results["PCA", "unevenness of the Jacobian"] == pytest.approx(0, abs=1e-4)
    assert results["PCA", "slack"] > 0
    assert max(abs(value) for (_, measure), value in results.items() if measure == "Hutchinson") < 3
    # a code that knows of neighbours moves straighter than any that does not
    straight = {name: results[name, "straightness of latent"] for name in models}
    neighbours = {"locally connected", "convolutional", "SCGE", "SCGE never snapped", "SCGE learned", "SCGE content"}
    assert min(straight[name] for name in neighbours) > max(straight[name] for name in models - neighbours)
    assert straight["convolutional"] > straight["MLP"] + 0.03
    rows = [line for line in text.splitlines() if line.startswith("| SCGE never snapped |")]
    assert f" {error['SCGE never snapped']:.3f} " in rows[0]
    for name in ("strips", "jacobian", "examples"):
        assert picture.with_stem(f"picture-{name}").read_bytes().startswith(b"\x89PNG")


def test_search_out_a_cnn_shows_what_it_claims(outputs):
    text, results, picture = outputs("search_out_a_cnn")
    score = {name: value for (name, measure), value in results.items() if measure == "accuracy"}
    assert set(score) == {"learned", "settled", "lowered", "fine-tuned", "told the grid", "shuffled pixels"}
    assert results["learned", "neighbours"] > 0.98
    assert score["shuffled pixels"] + 0.3 < score["learned"]
    # a thousandth of a spacing beside the cells, a thousandth beside the convolution's outputs
    assert results["settled", "difference"] < 0.01
    assert score["settled"] == pytest.approx(score["learned"], abs=0.005)
    assert score["lowered"] == score["settled"]
    assert score["fine-tuned"] > score["told the grid"] - 0.04
    assert "Conv2d(1, 8, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), bias=False)" in text
    assert "lattice=12x12" in text
    film = [line.split() for line in text.splitlines() if line.startswith("step ")]
    assert (film[0][2], film[-1][2]) == ("places", "weights")
    assert float(film[0][4]) < 0.1
    assert float(film[0][-1]) < 0.4
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_is_my_channel_map_right_shows_what_it_claims(outputs):
    text, results, picture = outputs("is_my_channel_map_right")
    assert results["right", "suspects"] == 0
    assert all(results[fault, "repaired"] == 1 for fault in ("swapped", "turned", "shifted"))
    assert results["odd", "suspects"] == 1
    assert results["3 to 9 spacings", "found"] == results["1.5 to 3 spacings", "found"] == 1
    for line in (
        "all channels fit.",
        "channels E5 and E26 are swapped (p = 0.01); all others fit.",
        "channels E8 to E15 are plugged in the other way round (p = 0.01); all others fit.",
        "channels E12 to E27 are shifted by one pin, each belongs to the next place (p = 0.01); all others fit.",
        "channel E20 carries the signal of channel E30; all others fit.",
        "inverted against the channels around: E9.",
        "without a signal, not judged: E3.",
    ):
        assert line in text.splitlines()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_sensor_map_shows_what_it_claims(outputs):
    text, results, picture = outputs("sensor_map")
    for measure in ("precision", "recall"):
        assert results["discovered", measure] > max(0.65, results["largest correlations", measure] + 0.05)
    assert results["near on the map", "AUC"] > 0.96 > results["correlation", "AUC"]
    assert results["near on the map", "AUC"] > results["7 days", "AUC"]
    assert results["map", "trustworthiness"] > 0.95
    assert results["formats", "agree"] == results["names", "kept"] == 1
    kinds = ("none but its own", "of detectors drawn at random", "of its neighbours on the graph")
    alone, drawn, graph = (results[name, "error"] for name in kinds)
    assert graph + 0.1 < drawn < alone
    assert results["later", "neighbours"] >= 0.5
    assert "verdict 'geometry'" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_shuffled_senses_shows_what_it_claims(outputs):
    text, results, picture = outputs("shuffled_senses")
    assert results["pile", "modalities"] == 2
    assert results["pile", "accuracy"] > 0.98
    assert results["later", "accuracy"] > 0.98
    assert results["pictures", "cells"] == results["sounds", "cells"] == 1
    assert {line.partition("lattice=")[2] for line in text.splitlines() if line.startswith("modality")} == {
        "16x16)",
        "256)",
    }
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_parts_shows_what_it_claims(outputs):
    text, results, picture = outputs("parts")
    assert results["shapes", "cosine"] > 0.95
    assert results["parts", "counted"] > 0.95
    assert results["noise", "found"] == pytest.approx(0.05, rel=0.2)
    assert results["error", "over the noise"] < 1.25
    first = next(line for line in text.splitlines() if line.startswith("first image: "))
    assert all(
        0 <= k < 6 and 0 <= i < 20 and 0 <= j < 20
        for k, i, j in json.loads(first[13:].replace("(", "[").replace(")", "]"))
    )
    assert picture.read_bytes().startswith(b"\x89PNG")

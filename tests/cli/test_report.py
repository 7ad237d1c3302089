"""``scge report``: a page of a graph's file, and what is refused before anything is read."""

import json

import numpy as np
import pytest

from scge_pyg import SharedGraph
from scge_pyg.cli import main


def test_the_command_writes_a_page(tmp_path, capsys):
    pytest.importorskip("plotly")
    graph = SharedGraph.from_grid((2, 3))
    graph.save(tmp_path / "graph.safetensors")
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(2, 2, 3))
    page = tmp_path / "report.html"
    words = ["report", str(tmp_path / "graph.safetensors"), "-o", str(page)]
    assert main([*words, "--samples", str(tmp_path / "x.npy"), "--image", "--title", "Six"]) == 0
    assert capsys.readouterr().out.startswith(f"written to {page}: ")
    assert '"given":2,"count":2,"channels":1' in page.read_text(encoding="utf-8")
    assert "<title>Six</title>" in page.read_text(encoding="utf-8")
    assert main(words) == 2
    assert f"{page} exists" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == page.stat().st_size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "RUN_OR_GRAPH is needed"),
        (["missing.safetensors"], "missing.safetensors does not exist"),
        ([".", "-o", "page.png"], "-o names a page, .html"),
        ([".", "--image"], "--image belongs to --samples"),
    ],
)
def test_the_command_says_what_is_wrong(words, message, capsys, tmp_path):
    output = [] if "-o" in words else ["-o", str(tmp_path / "report.html")]
    assert main(["report", *words, *output]) == 2
    assert message in capsys.readouterr().err

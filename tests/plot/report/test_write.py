"""The page as a file: what it holds, what it escapes, that it appears whole, and what is refused."""

import base64
import gzip
import json
import os
import re
import sys
import types

import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.plot import write_report
from scge_pyg.plot.report.arrays import edge_arrays, node_arrays
from scge_pyg.plot.report.page import _plotly, in_script
from scge_pyg.plot.report.samples import sample_content

KINDS = {"f4": "<f4", "i4": "<i4", "u4": "<u4", "u2": "<u2", "i1": "<i1", "u1": "<u1"}
NASTY = ("</script><!--", "<script>alert(1)</script>", "\"'&<>\u2028\u2029", "]]>\\u003c")


@pytest.fixture(autouse=True)
def without_plotly(monkeypatch):
    """The 5 MB of plotly have no part in these tests."""
    monkeypatch.setattr("scge_pyg.plot.report.page._plotly", lambda: "var Plotly = {};")


def content_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.S)[1])


def decoded(packed):
    return np.frombuffer(base64.b64decode(packed["data"]), KINDS[packed["type"]])


def pairs_by_hand(graph):
    """Weight and lag of each pair of joined nodes, one edge at a time."""
    found = {}
    for (i, j), weight, lag in zip(
        graph.edge_index.T.tolist(), graph.edge_weight.tolist(), graph.lag.tolist(), strict=True
    ):
        pair = min(i, j), max(i, j)
        found[pair] = max(found.get(pair, (0, 0))[0], weight), lag if i < j else found.get(pair, (0, -lag))[1]
    return found


def test_the_page_asks_nothing_of_the_network_and_holds_the_graph(tmp_path):
    graph = SharedGraph.from_grid((3, 4))
    path = write_report(graph, tmp_path / "report.html", title="A & B <c>")
    text = path.read_text(encoding="utf-8")
    assert "<title>A &amp; B &lt;c&gt;</title>" in text
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == ["#main"]
    assert "://" not in text
    assert "default-src 'none'" in text
    (tmp_path / "back.safetensors").write_bytes(gzip.decompress(base64.b64decode(content_of(path)["graph"]["file"])))
    assert torch.equal(SharedGraph.load(tmp_path / "back.safetensors").edge_index, graph.edge_index)


def test_arrays_are_those_of_the_graph():
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(0, 9, (2, 40), generator=generator)
    weight, lag = torch.rand(40, generator=generator), torch.randint(-3, 4, (40,), generator=generator)
    both = torch.cat([edges, edges.flip(0)], 1)
    pos = torch.rand(11, 2, generator=generator)
    pos[9:] = torch.nan
    graph = SharedGraph(
        pos, both, weight.repeat(2), lag=torch.cat([lag, -lag]), confidence=torch.rand(11, generator=generator)
    )
    node, edge = ({name: decoded(one) for name, one in arrays(graph).items()} for arrays in (node_arrays, edge_arrays))
    np.testing.assert_array_equal(node["pos"].reshape(11, 2), graph.pos.numpy())
    np.testing.assert_array_equal(node["part"], graph.component.numpy())
    np.testing.assert_array_equal(node["confidence"][:9], graph.confidence[:9].numpy())
    assert np.isnan(node["confidence"][9:]).all()
    assert "gain" not in node
    rows = zip(
        edge["source"].tolist(), edge["target"].tolist(), edge["weight"].tolist(), edge["lag"].tolist(), strict=True
    )
    assert {(i, j): (w, t) for i, j, w, t in rows} == {p: v for p, v in pairs_by_hand(graph).items() if p[0] != p[1]}


def test_edges_that_close_an_axis_are_marked():
    ring = SharedGraph.from_grid((2, 5), (False, True))
    edge = {name: decoded(one) for name, one in edge_arrays(ring).items()}
    closing = {
        (int(i), int(j))
        for i, j in zip(edge["source"][edge["wraps"] == 1], edge["target"][edge["wraps"] == 1], strict=True)
    }
    assert closing == {(0, 4), (5, 9)}
    assert "wraps" not in edge_arrays(SharedGraph.from_grid((2, 5)))


@pytest.mark.parametrize("name", NASTY)
def test_no_name_leads_out_of_its_script(tmp_path, name):
    graph = SharedGraph.from_grid((1, 3))
    graph.names = (name, "b", "c")
    path = write_report(graph, tmp_path / "report.html", title=name)
    text = path.read_text(encoding="utf-8")
    assert content_of(path)["graph"]["names"][0] == name
    assert text.count("<script") == text.count("</script>") == 3
    assert json.loads(in_script([name])) == [name]
    assert not set(in_script([name])) & set("<>&\u2028\u2029")


def test_samples_are_kept_to_a_step():
    x = torch.randn(14, 5, 2, generator=torch.Generator().manual_seed(0))
    x[3, 2, 0] = torch.nan
    content = sample_content(x, 5)
    steps = decoded(content["values"]).reshape(12, 5)
    mean = x[:12].mean(2)
    step = (content["high"] - content["low"]) / 254
    back = np.where(steps == 0, np.nan, content["low"] + (steps - 1.0) * step)
    np.testing.assert_allclose(back, mean.numpy(), atol=step / 2 + 1e-6)
    assert (content["given"], content["count"], content["channels"]) == (14, 12, 1)
    assert sample_content(torch.rand(2, 5, 3), 5)["channels"] == 3
    assert decoded(sample_content([[float("inf"), float("nan")]], 2)["values"]).tolist() == [0, 0]


def test_a_page_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    graph = SharedGraph.from_grid((2, 2))
    path = write_report(graph, tmp_path / "report.html")
    before = path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(SharedGraph.from_grid((3, 3)), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        (3, {}, TypeError, "must be a SharedGraph or a path, got int"),
        ("nowhere", {}, FileNotFoundError, "nowhere does not exist"),
        (SharedGraph.from_grid((2, 2)), {"samples": torch.rand(2, 5)}, ValueError, r"must be \[S, 4\].*got \[2, 5\]"),
        (SharedGraph.from_grid((2, 2)), {"samples": [["a"] * 4]}, TypeError, "samples must be numbers"),
        (SharedGraph.from_grid((2, 2)), {"samples": torch.rand(0, 4)}, ValueError, "at least one sample"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path, source, options, error, message):
    with pytest.raises(error, match=message):
        write_report(source, tmp_path / "report.html", **options)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_page_and_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        write_report(SharedGraph.from_grid((2, 2)), tmp_path / "none" / "report.html")
    with pytest.raises(ValueError, match="is a folder"):
        write_report(SharedGraph.from_grid((2, 2)), tmp_path)


def test_plotly_is_an_extra_that_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.delitem(sys.modules, "plotly.offline", raising=False)
    with pytest.raises(ImportError, match=r"write_report needs the extra 'report': pip install 'scge-pyg\[report\]'"):
        _plotly()


def test_plotly_cannot_end_its_own_script(monkeypatch):
    offline = types.ModuleType("plotly.offline")
    offline.get_plotlyjs = lambda: "a = '</script>' + '</SCRIPT>'"
    monkeypatch.setitem(sys.modules, "plotly", types.ModuleType("plotly"))
    monkeypatch.setitem(sys.modules, "plotly.offline", offline)
    assert _plotly() == r"a = '<\/script>' + '<\/SCRIPT>'"

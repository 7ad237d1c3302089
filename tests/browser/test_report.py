"""The report in a real browser: what it shows, what the pointer and the keyboard do, what it hands over."""

import csv

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.cli.nodes_table import write_nodes
from scge_pyg.graph import Fit

NASTY = ("</script><script>alert(1)</script>", '<b>"bold"</b> & co', "<img src=x onerror=alert(2)>", "it's; a, b\nc")


def judged(num_nodes, **figures):
    figures = {"verdict": "geometry", "gain": 1.5, "columns": 2, "gain_by_columns": (0.9, 1.5), "factors": 0} | figures
    gain = torch.linspace(0.5, 2.0, num_nodes)
    known = {"coupling": "correlation", "ceiling": 1.53, "chance": 0.03, "ratio": 0.98, "error": 0.01}
    return Fit(**known, **figures, node_gain=gain, num_samples=900, effective_samples=700.0, seconds={})


@pytest.fixture
def grid():
    """A 6 x 5 lattice with names, weights and confidence of its own for each node."""
    plain = SharedGraph.from_grid((6, 5))
    weight = (plain.edge_index.sum(0) % 7 + 1) / 8
    names = [*NASTY, *(f"node {i}" for i in range(4, 30))]
    confidence = torch.linspace(0.2, 1.0, 30)
    return SharedGraph(
        plain.pos, plain.edge_index, weight, lattice=plain.lattice, names=names, confidence=confidence, fit=judged(30)
    )


def islands(*shapes):
    """Grids that are joined to no other, each with a frame of its own, and one node that is not live."""
    grids = [SharedGraph.from_grid(shape) for shape in shapes]
    starts = torch.tensor([0, *(one.num_nodes for one in grids)]).cumsum(0).tolist()
    edges = torch.cat([one.edge_index + start for one, start in zip(grids, starts, strict=False)], 1)
    dead = torch.full((1, grids[0].pos.shape[1]), torch.nan)
    return SharedGraph(torch.cat([*(one.pos for one in grids), dead]), edges)


def without_geometry(num_nodes=12):
    edges = torch.combinations(torch.arange(num_nodes)).T
    weight = torch.linspace(1, 0.1, edges.shape[1])
    both = torch.cat([edges, edges.flip(0)], 1)
    fit = judged(num_nodes, verdict="no geometry", gain=0.1, columns=1, gain_by_columns=(0.1,), factors=2)
    options = {"dim": 0, "live": torch.ones(num_nodes, dtype=torch.bool), "fit": fit}
    return SharedGraph(torch.zeros(num_nodes, 0), both, weight.repeat(2), **options)


def ring(num_nodes=24):
    angle = torch.arange(num_nodes) * (2 * torch.pi / num_nodes)
    pos = torch.stack([angle.sin(), angle.cos()], 1) * num_nodes / 6.28
    edges = torch.stack([torch.arange(num_nodes), (torch.arange(num_nodes) + 1) % num_nodes])
    return SharedGraph(pos, torch.cat([edges, edges.flip(0)], 1), dim=1)


def drawn(page):
    """Kind and number of points of each trace of the map; lines are counted by their ends."""
    return page.evaluate("byId('map').data.map((trace) => [trace.mode, trace.type, trace.x.length])")


def nodes_drawn(page):
    return sum(count for mode, _, count in drawn(page) if mode == "markers")


def point_at(page, x, y):
    """Move the pointer to a place of a two-dimensional map, in its coordinates."""
    page.locator("#map").evaluate("(map) => map.scrollIntoView({ block: 'center' })")
    where = page.evaluate(
        """([x, y]) => { const map = byId('map'), box = map.getBoundingClientRect(), { xaxis, yaxis } = map._fullLayout;
        return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)]; }""",
        [x, y],
    )
    page.mouse.move(where[0] + 25, where[1] + 25)
    page.mouse.move(*where, steps=3)
    return where


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("graph", "nodes", "kind"),
    [
        (SharedGraph.from_grid((7,)), 7, "scatter"),
        (SharedGraph.from_grid((3, 4, 2)), 24, "scatter3d"),
        (SharedGraph.from_grid((40, 30)), 1200, "scattergl"),
        (SharedGraph.from_grid((5, 6), (True, True)), 30, "scatter"),
        (ring(), 24, "scatter"),
        (islands((4, 5), (3, 3), (2, 2)), 33, "scatter"),
        (SharedGraph(torch.rand(9, 2), torch.zeros(2, 0, dtype=torch.long)), 9, "scatter"),
        (SharedGraph(torch.zeros(1, 2), torch.zeros(2, 0, dtype=torch.long)), 1, "scatter"),
        (SharedGraph.from_pos(torch.rand(20, 4)), 20, "scatter3d"),
    ],
    ids=["line", "volume", "many", "torus", "ring", "parts", "no edges", "one node", "four coordinates"],
)
def test_every_geometry_is_drawn_by_what_suits_it(open_report, graph, nodes, kind):
    opened = open_report(graph)
    assert nodes_drawn(opened.page) == nodes
    bar = opened.page.locator("#map .modebar-btn").evaluate_all("(all) => all.map((one) => one.dataset.title)")
    assert bar
    assert not [title for title in bar if "hare" in title or "loud" in title]  # plotly's own would send the data away
    assert drawn(opened.page)[-1][:2] == ["markers", kind]


@pytest.mark.parametrize("what", ["no geometry", "none live"])
def test_without_places_there_is_no_map_and_the_page_says_so(open_report, what):
    graph = (
        without_geometry()
        if what == "no geometry"
        else SharedGraph(torch.full((3, 2), torch.nan), torch.zeros(2, 0).long())
    )
    opened = open_report(graph)
    assert not opened.page.locator("#map").is_visible()
    words = opened.text("#words")
    if what == "no geometry":
        assert "Verdict: no geometry. 2 factors explain the samples as well as a map does" in words
        first = opened.page.locator("#couplings tbody tr").first.inner_text().split()
        assert first == ["0", "1", "1"]  # the strongest of all
        assert opened.page.locator("#couplings tbody tr").count() == 66
    else:
        assert "No node is live" in words
        assert "Not live, so without a place (3): 0, 1, 2." in words


def test_hovering_shows_name_neighbours_coupling_and_confidence(open_report, grid):
    opened = open_report(grid)
    page, node = opened.page, 12
    row, column = grid.pos[node].tolist()
    point_at(page, column, row)
    page.wait_for_selector("#tip:not([hidden])")
    told = opened.text("#tip")
    assert told.splitlines()[0] == "node 12"
    assert f"confidence {float(grid.confidence[node]):.2f}" in told
    near = grid.edge_index[0] == node
    for other, weight in zip(grid.edge_index[1, near].tolist(), grid.edge_weight[near].tolist(), strict=True):
        assert f"{grid.names[other]} ({weight:.3f})" in " ".join(told.split()), told
    page.mouse.move(2, 2)
    page.wait_for_selector("#tip", state="hidden")


def test_a_click_keeps_the_node_and_leads_to_its_neighbours(open_report, grid):
    opened = open_report(grid)
    page = opened.page
    row, column = grid.pos[17].tolist()
    where = point_at(page, column, row)
    page.wait_for_selector("#tip:not([hidden])")
    page.mouse.click(*where)
    page.get_by_role("heading", name="node 17").wait_for()
    strongest = page.locator("#details li button").first
    name = strongest.inner_text()
    near = grid.edge_index[0] == 17
    assert name == grid.names[grid.edge_index[1, near][grid.edge_weight[near].argmax()]]
    strongest.click()
    assert opened.text("#details h3") == name
    lines = [trace for trace in drawn(page) if trace[0] == "lines"]
    degree = int((grid.edge_index[0] == grid.names.index(name)).sum())
    assert [trace[2] for trace in lines] == [3 * grid.num_undirected_edges, 3 * degree]


def test_names_are_shown_as_they_are_and_run_nothing(open_report, grid):
    opened = open_report(grid, title=NASTY[0])
    page = opened.page
    assert page.title() == NASTY[0] == opened.text("h1")
    assert page.locator("main img, main b").count() == 0
    row, column = grid.pos[1].tolist()
    point_at(page, column, row)
    page.wait_for_selector("#tip:not([hidden])")
    assert opened.text("#tip strong") == NASTY[1]
    assert page.evaluate("nameOf(3)") == NASTY[3]


def test_edges_come_and_go_and_are_off_where_they_are_many(open_report, grid):
    page = open_report(grid).page
    assert drawn(page)[0][0] == "lines"
    page.get_by_label("Edges").uncheck()
    assert all(mode == "markers" for mode, *_ in drawn(page))
    page.get_by_label("Edges").check()
    assert drawn(page)[0] == ["lines", "scatter", 3 * grid.num_undirected_edges]


def test_colours_are_what_was_chosen(open_report, grid):
    page = open_report(grid, samples=torch.arange(60.0).view(2, 30)).page

    def colors():
        return torch.tensor(page.evaluate("Array.from(byId('map').data.at(-1).marker.color)"))

    torch.testing.assert_close(colors(), grid.confidence)
    page.locator("#color").select_option("gain")
    torch.testing.assert_close(colors(), grid.fit.node_gain)
    page.locator("#color").select_option("degree")
    assert colors().tolist() == torch.bincount(grid.edge_index[0]).tolist()
    page.locator("#samples button").nth(1).click()
    torch.testing.assert_close(colors(), torch.arange(30.0, 60.0), atol=60 / 254, rtol=0)
    assert page.locator("#color").input_value() == "sample-1"


def test_one_part_can_be_chosen_and_all_stand_side_by_side(open_report):
    graph = islands((4, 5), (3, 3), (2, 2))
    page = open_report(graph).page
    x, y = (page.evaluate(f"Array.from(byId('map').data.at(-1).{axis})") for axis in "xy")
    places = torch.tensor([x, y], dtype=torch.float).T
    assert torch.pdist(places).min() == 1.0  # in their own frames they lie on one another
    for part, size in enumerate((20, 9, 4)):
        page.locator("#part").select_option(str(part))
        assert nodes_drawn(page) == size
    torch.testing.assert_close(
        torch.tensor(
            [page.evaluate(f"Array.from(byId('map').data.at(-1).{axis})") for axis in "yx"], dtype=torch.float
        ).T,
        graph.pos[graph.component == 2],
    )
    assert page.locator("#parts tbody tr").count() == 3


def test_keyboard_finds_nodes_and_zooms(open_report, grid):
    opened = open_report(grid)
    page = opened.page
    page.get_by_label("Find a node").fill("node 1")
    assert page.locator("#found button").count() == 10  # node 10 to 19
    page.get_by_label("Find a node").fill("BOLD")
    page.keyboard.press("Enter")
    assert opened.text("#details h3") == NASTY[1]
    width = "Math.abs(byId('map')._fullLayout.xaxis.range[1] - byId('map')._fullLayout.xaxis.range[0])"
    before = page.evaluate(width)
    page.locator("#map").focus()
    page.keyboard.press("+")
    page.wait_for_timeout(300)
    assert page.evaluate(width) == pytest.approx(before / 1.5, rel=0.02)
    page.keyboard.press("0")
    page.wait_for_timeout(300)
    assert page.evaluate(width) == pytest.approx(before, rel=0.02)


def test_a_volume_is_turned_by_keys_and_a_short_click_keeps_a_node(open_report):
    opened = open_report(SharedGraph.from_grid((8, 8, 8)))
    page = opened.page
    eye = "Object.values(byId('map')._fullLayout.scene._scene.getCamera().eye)"
    page.locator("#map").evaluate("(map) => map.scrollIntoView({ block: 'center' })")
    box = page.locator("#map").bounding_box()
    for step in range(60):  # the node in the middle is somewhere near the middle
        page.mouse.move(box["x"] + box["width"] / 2 - 60 + 2 * step, box["y"] + box["height"] / 2 - 30 + step)
        page.wait_for_timeout(60)
        if page.locator("#tip").is_visible():
            break
    name = opened.text("#tip strong")
    page.mouse.down()
    page.mouse.up()
    page.get_by_role("heading", name=name, exact=True).wait_for()
    before = page.evaluate(eye)
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"Math.abs({eye}[0] - {before[0]}) > 0.1")
    assert page.evaluate(eye)[2] == pytest.approx(before[2])
    page.keyboard.press("0")
    page.wait_for_function(f"Math.abs({eye}[0] - {before[0]}) < 1e-6")


def test_samples_are_put_back_pixel_by_pixel(open_report):
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    plain = SharedGraph.from_grid((6, 5))
    shuffled = SharedGraph(plain.pos[order], order.argsort()[plain.edge_index])
    image = torch.arange(30.0).view(6, 5)
    shuffled.lattice = type(plain.lattice)(plain.lattice.cell[order], (6, 5))
    page = open_report(shuffled, samples=image.flatten()[order][None]).page
    pixels = """(n) => { const canvas = document.querySelectorAll('#samples canvas')[n], { width, height } = canvas;
        return [width, height, Array.from(canvas.getContext('2d').getImageData(0, 0, width, height).data)]; }"""
    width, height, data = page.evaluate(pixels, 1)
    assert (width, height) == (5, 6)
    torch.testing.assert_close(torch.tensor(data).view(6, 5, 4)[..., 0].float(), image * (254 / 29), atol=0.51, rtol=0)
    before = torch.tensor(page.evaluate(pixels, 0)[2]).view(-1, 4)[:30, 0]
    torch.testing.assert_close(before.float(), order * (254 / 29), atol=0.51, rtol=0)


def test_what_is_downloaded_is_what_was_given(open_report, grid, tmp_path):
    page = open_report(grid).page

    def saved(button):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    loaded = SharedGraph.load(saved("Graph (.safetensors)"))
    assert loaded.names == grid.names
    assert torch.equal(loaded.edge_weight, grid.edge_weight)
    assert torch.equal(loaded.lattice.cell, grid.lattice.cell)
    write_nodes(tmp_path / "theirs.csv", grid)
    ours, theirs = rows_of(saved("Nodes (.csv)")), rows_of(tmp_path / "theirs.csv")
    assert [float(row.pop("gain")) for row in ours] == pytest.approx(grid.fit.node_gain.tolist(), rel=1e-5)
    assert ours == theirs
    rows = rows_of(saved("Edges (.csv)"))
    half = grid.edge_index[0] < grid.edge_index[1]
    pairs = [(grid.names[i], grid.names[j]) for i, j in grid.edge_index[:, half].T.tolist()]
    assert [(row["source"], row["target"]) for row in rows] == pairs
    assert [float(row["weight"]) for row in rows] == grid.edge_weight[half].tolist()


def test_light_and_dark_follow_the_system_until_one_is_chosen(open_report, grid):
    page = open_report(grid, scheme="dark").page
    back = "getComputedStyle(document.body).backgroundColor"
    ink = "byId('map')._fullLayout.font.color"
    dark = page.evaluate(back), page.evaluate(ink)
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("html[data-theme=light]")
    light = page.evaluate(back), page.evaluate(ink)
    assert light[0] == "rgb(255, 255, 255)"
    assert light[1] != dark[1]
    page.get_by_label("Theme").select_option("dark")
    assert (page.evaluate(back), page.evaluate(ink)) == dark
    page.reload()
    page.wait_for_selector("html[data-page=ready]")
    assert page.evaluate(back) == dark[0]


@pytest.mark.parametrize("graph", [islands((12, 5), (3, 30)), without_geometry()], ids=["parts", "no geometry"])
def test_nothing_runs_off_a_phone(open_report, graph):
    opened = open_report(graph, width=360, samples=torch.rand(3, graph.num_nodes))
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_run_shows_its_curves_and_a_row_for_each_version(open_report, tmp_path, grid):
    run = tmp_path / "run"
    for version, loss in (("version_0", 0.5), ("version_1", 0.25)):
        (run / version).mkdir(parents=True)
        lines = [
            "epoch,step,train_loss,val_loss",
            *(f"0,{step},{1 / (1 + step)}," for step in range(5)),
            f"0,2,,{2 * loss}",
            f"0,4,,{loss}",
        ]
        (run / version / "metrics.csv").write_text("\n".join(lines))
    grid.save(run / "graph.safetensors")
    (run / "config.yaml").write_text("name: '</script><img src=x>'\n")
    opened = open_report(run)
    rows = [row.inner_text().split() for row in opened.page.locator("#comparison tbody tr").all()]
    assert rows == [["version_0", "0.2000", "0.5000"], ["version_1", "0.2000", "0.2500"]]
    curves = opened.page.locator("#curves .chart").evaluate_all("(all) => all.map((box) => box.data.length)")
    assert curves == [4]  # of both runs, in training and in validation
    assert "There is no versions.json in the folder." in opened.text("#missing")
    opened.page.get_by_text("config.yaml").click()
    assert opened.text("pre").strip() == "name: '</script><img src=x>'"


def test_65536_nodes_answer_the_pointer(open_report):
    graph = SharedGraph.from_grid((256, 256))
    opened = open_report(graph)
    page = opened.page
    assert not page.get_by_label("Edges").is_checked()
    assert nodes_drawn(page) == 256**2
    for _ in range(5):
        page.locator("#closer").click()
    point_at(page, 140, 120)
    page.locator("#tip strong", has_text=str(120 * 256 + 140)).wait_for()

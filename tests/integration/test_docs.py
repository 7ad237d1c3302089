"""The pages: their code runs, their links lead somewhere, and the site has all of them."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
OTHER_FIELDS = {"anndata", "mne", "scanpy"}
WITH_CODE = ("index", "concepts", "coming_from", "cost", "faq")


@pytest.fixture
def site_pages(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import site_pages

    return site_pages


def blocks(page):
    """Python blocks of a page, each on its lines."""
    text = page.read_text()
    for block in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S):
        yield "\n" * text.count("\n", 0, block.start(1)) + block[1]


def absent(block):
    """Libraries that a block imports and that are not here."""
    imports = [node for node in ast.walk(ast.parse(block)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {name.split(".")[0] for node in imports for name in [getattr(node, "module", None) or node.names[0].name]}
    return {name for name in names if importlib.util.find_spec(name) is None}


@pytest.fixture
def one_thread():
    """Small networks on two threads wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", WITH_CODE)
def test_code_runs(name):
    """One after the other; blocks of libraries that aren't installed are left out."""
    page = DOCS / f"{name}.md"
    found, shared = list(blocks(page)), {}
    assert found
    for block in found:
        lacking = absent(block)
        assert lacking <= OTHER_FIELDS
        if not lacking:
            exec(compile(block, str(page), "exec"), shared)


def targets(text):
    """What a page links to within the repository, outside of code."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.M | re.S)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def anchors(page):
    """Anchors of headings, as git hosts and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in targets(page.read_text()):
        path, _, anchor = target.partition("#")
        aim = page.parent / path if path else page
        assert aim.exists(), target
        if anchor and aim.suffix == ".md":
            assert anchor in anchors(aim), target


def test_every_page_is_on_the_site():
    entries = re.findall(r"^```\{toctree\}\n(.*?)^```", (DOCS / "index.md").read_text(), re.M | re.S)
    named = [re.sub(r".*<(.+)>", r"\1", line) for entry in entries for line in entry.splitlines()]
    named = [name for name in named if name and not name.startswith(":")]
    assert len(named) == len(set(named))
    assert {name for name in named if "/" not in name} == {page.stem for page in PAGES} - {"index"}
    tutorials = {path.stem for path in (ROOT / "tutorials").glob("*.py")}
    assert {name.partition("/")[2] for name in named if name.startswith("tutorials/")} == tutorials


def test_every_picture_is_in_the_gallery():
    shown = set(re.findall(r"\]\(([\w-]+\.png)\)", (DOCS / "gallery.md").read_text()))
    assert shown == {path.name for path in DOCS.glob("*.png")}


def test_api_names_everything_public(site_pages):
    import scge_pyg

    packages = site_pages.packages()
    assert {"scge_pyg.nn", "scge_pyg.discovery", "scge_pyg.models.autoencoders", "scge_pyg.testing"} <= set(packages)
    assert not [name for name in packages if name.startswith("scge_pyg.cli")]
    for package in packages:
        page = site_pages.api_page(package)
        for name in sys.modules[package].__all__:
            assert re.search(rf"^\.\. auto\w+:: {name}$", page, re.M), name
    front = site_pages.front_page(packages)
    assert all(f".{name}\n" in front for name in scge_pyg.__all__)
    assert "~scge_pyg.nn.SCGEConv" in front


@pytest.mark.parametrize(
    ("text", "source", "there"),
    [
        ("[a](../tutorials/b.py)", "layer", "[a](tutorials/b.py)"),
        ("[a](../datasets/README.md)", "modalities", "[a](datasets/README.md)"),
        ("[a](../docs/fusion.md)", "tutorials/b", "[a](../fusion.md)"),
        ("[a](docs/fusion.md)", "project/CHANGELOG", "[a](../fusion.md)"),
        ("[a](layer.md#speed)", "cost", "[a](layer.md#speed)"),
        ("[a](../benchmarks/b.py)", "cost", "[a](https://host/x/blob/main/benchmarks/b.py)"),
    ],
)
def test_links_on_the_site(text, source, there, site_pages):
    assert site_pages.on_site(text, source, "https://host/x") == there


def test_without_an_address_files_are_downloads(site_pages):
    assert site_pages.on_site("[a](../benchmarks/b.py)", "cost", None) == "{download}`a <../benchmarks/b.py>`"

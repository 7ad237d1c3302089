"""Pages that the site makes of other files: the API from docstrings, the tutorials, the data cards, the changes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
ROOT = DOCS.parent
NOT_LIBRARY = {"scge_pyg.cli", "scge_pyg.importing"}  # commands, and what no user calls
ZOO = [f"scge_pyg.zoo.{name}" for name in ("embeddings", "generative", "markov", "meshes", "operators")]
INNER = ["scge_pyg.models.autoencoders", *ZOO]  # public packages within another one
NOTE = "*Run as this page was built, in the quick form of the script (`SCGE_QUICK=1`).*"
# a tutorial saves its pictures where this says, and they are shown below it
SAVE = """\
import os, tempfile
os.environ["SCGE_PICTURE"] = os.path.join(tempfile.mkdtemp(), "picture.png")"""
SHOW = """\
from pathlib import Path
from IPython.display import Image, display
for path in sorted(Path(os.environ["SCGE_PICTURE"]).parent.glob("*.png"), key=lambda path: path.stat().st_mtime):
    display(Image(filename=str(path)))"""


def packages() -> list[str]:
    """Public packages and modules of scge_pyg: those of its first level that name what they offer."""
    import scge_pyg

    names = [f"scge_pyg.{module.name}" for module in pkgutil.iter_modules(scge_pyg.__path__)]
    names = [name for name in names if not name.endswith("__main__") and name not in NOT_LIBRARY]
    return [name for name in sorted([*names, *INNER]) if getattr(importlib.import_module(name), "__all__", ())]


def entry(name: str, thing: Any) -> list[str]:
    """The directive of one name; a class comes with what it has of our own classes, not of torch's or PyG's."""
    if not inspect.isclass(thing):
        return [f".. {'autofunction' if callable(thing) else 'autodata'}:: {name}", ""]
    others = sorted({base.__name__ for base in thing.__mro__ if not base.__module__.startswith("scge_pyg")})
    return [f".. autoclass:: {name}", "   :members:", f"   :inherited-members: {', '.join(others)}", ""]


def api_page(package: str) -> str:
    """reStructuredText: what the package is, a table of its names, then each of them."""
    module = importlib.import_module(package)
    names = sorted(module.__all__, key=str.lower)
    lines = [package, "=" * len(package), "", f".. automodule:: {package}", "", f".. currentmodule:: {package}", ""]
    lines += [".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in names), ""]
    for name in names:
        lines += entry(name, getattr(module, name))
    return "\n".join(lines)


def front_page(names: list[str]) -> str:
    """The page above the packages, with the names at the top of scge_pyg and where they are described."""
    import scge_pyg

    homes = {name: package for package in reversed(names) for name in importlib.import_module(package).__all__}
    lines = ["API", "===", "", "From docstrings. ``import scge_pyg`` offers by itself", ""]
    lines += [".. autosummary::", "   :nosignatures:", ""]
    lines += [f"   ~{homes[name]}.{name}" for name in sorted(scge_pyg.__all__, key=str.lower)]
    lines += ["", "and its packages", "", ".. list-table::", "   :widths: auto", "   :class: autosummary", ""]
    for name in names:
        said = inspect.getdoc(importlib.import_module(name)).split("\n\n")[0].replace("\n", " ")
        lines += [f"   * - :doc:`{name}`", f"     - {said}"]
    return "\n".join([*lines, "", ".. toctree::", "   :hidden:", "", *(f"   {name}" for name in names), ""])


def write(path: Path, text: str) -> None:
    """Write where the text is another one, so that pages that stand are not built again."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def write_pages() -> None:
    """All of them, into folders that git ignores."""
    names = packages()
    pages = {DOCS / "api" / f"{name}.rst": api_page(name) for name in names}
    pages[DOCS / "api" / "index.rst"] = front_page(names)
    for source in (*(ROOT / "tutorials").glob("*.py"), *(ROOT / "datasets").glob("*.md"), ROOT / "CHANGELOG.md"):
        folder = DOCS / (source.parent.name if source.parent != ROOT else "project")
        pages[folder / source.name] = source.read_text()
    cards = sorted(path.stem for path in (ROOT / "datasets").glob("*.md") if path.stem != "README")
    pages[DOCS / "datasets" / "README.md"] += "\n".join(["\n```{toctree}", ":hidden:", "", *cards, "```", ""])
    for folder in {path.parent for path in pages}:
        for stale in set(folder.glob("*.*")) - set(pages):
            stale.unlink()
    for path, text in pages.items():
        write(path, text)


def read_tutorial(text: str) -> Any:
    """A percent script as a notebook whose last cell shows the pictures."""
    import jupytext
    import nbformat

    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    cells = [(SAVE, "remove-cell"), (SHOW, "remove-input")]
    first, last = (nbformat.v4.new_code_cell(text, metadata={"tags": [tag]}) for text, tag in cells)
    note = nbformat.v4.new_markdown_cell(NOTE)
    notebook.cells = [first, notebook.cells[0], note, *notebook.cells[1:], last]
    return notebook


def on_site(text: str, source: str, repository: str | None) -> str:
    """Links of a page that is also read in the repository, as the site has them.

    Tutorials, data cards and changes are pages here. Other files are on ``repository``; without one they stay links to
    the file, which Sphinx hands out as a download.
    """
    made = source.startswith(("tutorials/", "datasets/", "project/"))
    up = "../" if "/" in source else ""
    text = re.sub(r"\]\(\.\./((?:tutorials|datasets)/)", rf"]({up}\1", text)
    text = re.sub(r"\]\(\.\./CHANGELOG.md", f"]({up}project/CHANGELOG.md", text)
    if made:
        text = re.sub(r"\]\((?:\.\./)?docs/", "](../", text)
    outside = r"\[([^\]]+)\]\((?:\.\./)+((?:benchmarks|scge_pyg|tests|findings|configs)/[^)]+)\)"
    if repository is not None:
        return re.sub(outside, rf"[\1]({repository}/blob/main/\2)", text)
    return re.sub(outside, rf"{{download}}`\1 <../{up}\2>`", text)

"""Sphinx: the pages of this folder, the API and the tutorials as one site; `make docs` builds it."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import re
import sys
from importlib.metadata import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import site_pages

import scge_pyg

project = "scge_pyg"
author = copyright = "The scge_pyg authors"
version = release = scge_pyg.__version__
# where files outside the site are linked to: project.urls in pyproject.toml; without it they are downloads
urls = dict(entry.split(", ", 1) for entry in metadata("scge-pyg").get_all("Project-URL") or [])
repository = urls.get("Repository")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # formulas without a network
    "myst_nb",
]
exclude_patterns = ["_build", "conf.py", "site_pages.py"]
nitpicky = True

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
# for torch and PyG, not to be called
machinery = ["edge_updater", "extra_repr", "get_extra_state", "propagate", "register_table", "set_extra_state"]
autodoc_default_options = {"exclude-members": ", ".join(machinery)}
autodoc_inherit_docstrings = False  # what others describe is on their pages
autodoc_typehints = "none"  # types stand in the text of Args, with shapes
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Shapes", ("Fields", "params_style")]

# tutorials run in their quick form; the cache is another one as soon as a line of the package is
os.environ.update(SCGE_QUICK="1", MPLBACKEND="Agg", OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore")
sources = sorted(Path(scge_pyg.__file__).parent.rglob("*.py"))
state = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
nb_custom_formats = {".py": "site_pages.read_tutorial"}
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / "executed" / state)
nb_execution_raise_on_error = True
nb_execution_timeout = 1800

html_theme = "furo"
html_title = "scge_pyg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_theme_options = {"source_directory": "docs/", "source_branch": "main"}
if repository is not None:
    html_theme_options["source_repository"] = repository

site_pages.write_pages()


def homes() -> dict[str, str]:
    """Where each public name is described."""
    return {name: package for package in site_pages.packages() for name in importlib.import_module(package).__all__}


def found(name: str) -> bool:
    """Whether there is something of that name in an installed library."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            if inspect.isclass(thing) and not hasattr(thing, part):
                return re.search(rf"\b{part}\b", inspect.getsource(thing)) is not None  # set by its methods
            thing = getattr(thing, part, None)
        return thing is not None
    return False


def resolve(app, env, node, contnode):
    """Names in docstrings: public ones by whatever path, others as plain text if they exist at all."""
    if node.get("refdomain") != "py":
        return None
    target, public, domain = node["reftarget"].lstrip("~."), homes(), env.get_domain("py")
    parts = target.split(".")
    for at, part in enumerate(parts):
        full = ".".join([public[part], *parts[at:]]) if part in public else ""
        if full in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, contnode)
    here = node.get("py:module") or "scge_pyg"
    where = [here, f"{here}.{node.get('py:class')}", "torch", "builtins"]
    written = re.search(r"(scge_pyg/[\w/]+)\.py:docstring", source_of(node))
    if written:
        module = written[1].replace("/", ".").removesuffix(".__init__")
        where += [module, module.rpartition(".")[0]]
    owners = [public[part] for part in parts if part in public]
    return contnode if any(map(found, [target, *(f"{name}.{target}" for name in where + owners)])) else None


def source_of(node) -> str:
    """File and object whose docstring a node is from."""
    while node is not None and not node.source:
        node = node.parent
    return node.source if node is not None else ""


def plain(app, what, name, thing, options, lines):
    """A property's first line is a sentence, not a type before a colon as napoleon reads it."""
    if what in ("attribute", "property") and lines and ": " in lines[0]:
        lines[0] = f": {lines[0]}"


def links(app, name, source):
    """Links of pages that are also read in the repository."""
    source[0] = site_pages.on_site(source[0], name, repository)


def setup(app):
    app.connect("autodoc-process-docstring", plain, priority=100)
    app.connect("missing-reference", resolve)
    app.connect("source-read", links)

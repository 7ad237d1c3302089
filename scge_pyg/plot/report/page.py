"""The page put together from its template, style, scripts, plotly and content, with everything escaped."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files
from typing import Any

from scge_pyg.importing import import_extra

__all__ = ["in_script", "page"]

_FOLDER = "scge_pyg.plot.report"
_SCRIPTS = ("data", "theme", "arrange", "map", "colors", "nodes", "samples", "charts", "downloads", "start")


def page(title: str, content: dict[str, Any]) -> str:
    """The HTML text.

    Raises:
        ImportError: If plotly is not installed.
    """
    folder = files(_FOLDER) / "assets"
    scripts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    parts = {
        "title": html.escape(" ".join(title.split()) or "Graph"),
        "style": (folder / "page.css").read_text(encoding="utf-8"),
        "plotly": _plotly(),
        "content": in_script(content),
        "script": "\n".join(scripts),
    }
    template = (folder / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found.group(1)], template)


def in_script(content: Any) -> str:
    """JSON that no text inside can lead out of a script element.

    Example:
        >>> in_script({"name": "</script><b>"})
        '{"name":"\\\\u003c/script\\\\u003e\\\\u003cb\\\\u003e"}'
    """
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plotly() -> str:
    """The library that draws, as one script."""
    script: str = import_extra("plotly.offline", "report", "write_report").get_plotlyjs()
    return re.sub(r"</(?=script)", r"<\\/", script, flags=re.IGNORECASE)

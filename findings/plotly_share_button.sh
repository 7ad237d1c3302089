#!/usr/bin/env bash
# plotly 7.1: every page that Figure.write_html makes has a button "Share chart..." in its tool bar, whose code uploads
# what is drawn to https://cloud.plotly.com/newchart after one dialog. It is on by default (showSendToCloud), where
# plotly 6 had it off, with the same call and no warning; pages with patients' recordings get it when the package is
# updated. Remedy: write_html(config={"showSendToCloud": False}), which both versions take.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
cd "$work"
for version in 6.3.0 7.1.0; do
    "$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check "plotly==$version" narwhals==2.29.0
    "$work/venv/bin/python" - <<'E'
import re
from importlib.metadata import version

import plotly.graph_objects as go

figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4], text=["one name", "another name"]))
figure.write_html("page.html")
figure.write_html("private.html", config={"showSendToCloud": False})
page, private = open("page.html").read(), open("private.html").read()
shown = re.search(r'showSendToCloud:\{valType:"boolean",dflt:(!0|!1)\}', page)
server = re.search(r'plotlyServerURL:\{valType:"string",dflt:"([^"]*)"\}', page)
set_on_page = re.search(r'\{[^{}]*"showSendToCloud":\s*(true|false)[^{}]*\}', page[-5000:])
default = {"!0": True, "!1": False}[shown[1]]
print(f"plotly {version('plotly')}: button by default {default}, goes to {server[1]!r}, page itself says {set_on_page}")
assert set_on_page is None
assert re.search(r'"showSendToCloud":\s*false', private[-5000:])
major = int(version("plotly").split(".")[0])
assert default == (major >= 7), "the default changed"
if major >= 7:
    assert server[1] == "https://cloud.plotly.com/newchart"
E
done

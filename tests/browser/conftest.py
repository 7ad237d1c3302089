"""A headless Chromium that opens reports: Debian's, or the one that SCGE_CHROMIUM names, driven by playwright."""

import os
import shutil
from typing import NamedTuple

import pytest

from scge_pyg.plot import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# WebGL in software, as in a machine without a graphics card; without a sandbox, as root has none
FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


class Opened(NamedTuple):
    """A page that is ready, what its console said, and what it asked the network for."""

    page: object
    console: list
    requests: list

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def check_quiet(self):
        assert not [line for line in self.console if line.startswith(("error", "pageerror"))], self.console
        assert not self.requests


@pytest.fixture(scope="session")
def browser():
    pytest.importorskip("plotly", reason="plotly, of the extra 'report', is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; see make test-browser")
    path = os.environ.get("SCGE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on the path, and SCGE_CHROMIUM names none")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def open_report(browser, tmp_path):
    """Write a report and open it; at the end of the test the console must have no errors and nothing was fetched."""
    contexts, pages = [], []

    def open_report(source, *, width=1280, scheme="light", **options):
        path = write_report(source, tmp_path / f"report-{len(pages)}.html", **options)
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        opened = Opened(page, [], [])
        page.on("console", lambda message: opened.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: opened.console.append(f"pageerror: {error}"))
        page.on("dialog", lambda dialog: (opened.console.append(f"error: dialog {dialog.message}"), dialog.dismiss()))
        fetched = ("http:", "https:", "ws:", "wss:", "ftp:")
        page.on("request", lambda sent: opened.requests.append(sent.url) if sent.url.startswith(fetched) else None)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-page=ready]", timeout=60_000)
        pages.append(opened)
        return opened

    yield open_report
    for opened in pages:
        opened.check_quiet()
    for context in contexts:
        context.close()

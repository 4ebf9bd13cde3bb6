"""The documentation site: built without warnings, the same text as in the repository, and no request to elsewhere."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import runpy
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from helpers.mlflow_ui import CHROMIUM, browser_page
from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
MADE = {"docs/api.md"}
"""Pages that are longer on the site."""
COUNTED = ("h1", "h2", "h3", "h4", "ol", "ul", "li", "tr", "pre", "blockquote", "img", "code", "strong", "em")
MARKDOWN = MarkdownIt("commonmark").enable("table")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("mkdocs") is None and not os.environ.get("REQUIRE_DOCS"),
        reason="the extra docs is not installed",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


@functools.cache
def pages() -> dict[str, str]:
    """Every page of the repository and its address on the site."""
    hooks = runpy.run_path(str(ROOT / "docs" / "hooks.py"))
    return {path.as_posix(): hooks["address"](path) for path in hooks["repository_pages"]()}


class Article(HTMLParser):
    """Counts the elements of the text of a page, without what the theme adds to it."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.inside = whole

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Count an element."""
        if tag == "article":
            self.inside = True
        if self.inside and tag in COUNTED and dict(attributes).get("class") != "md-source-file":
            self.counts[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        """Leave the article."""
        if tag == "article":
            self.inside = False


def counted(text: str, *, whole: bool) -> Counter[str]:
    """The number of elements of each kind."""
    article = Article(whole=whole)
    article.feed(text)
    return article.counts


def test_every_page_of_the_repository_is_a_page_with_the_same_elements(site: Path) -> None:
    different = []
    for name, address in pages().items():
        built = counted((site / address).read_text(encoding="utf-8"), whole=False)
        source = counted(MARKDOWN.render((ROOT / name).read_text(encoding="utf-8")), whole=True)
        if name not in MADE and built != source:
            different.append(f"{name}: site {dict(built - source)}, repository {dict(source - built)}")

    assert not different, "\n".join(different)


def test_the_page_of_the_python_interface_has_every_public_name_with_its_description(site: Path) -> None:
    import lstmgru
    import search

    text = (site / pages()["docs/api.md"]).read_text(encoding="utf-8")

    for module in (search, lstmgru):
        described = re.findall(rf'id="{module.__name__}\.(\w+)"', text)
        assert set(module.__all__) <= set(described), module.__name__
    assert "Number of parallel trials" in text
    assert not re.findall(r":(?:func|class|meth|data|attr|mod):", text)


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[str]:
    """Address of a server of the site."""
    handler = functools.partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Write nothing."""


@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
)
def test_pages_fit_a_phone_request_nothing_from_elsewhere_and_can_be_searched(server: str) -> None:
    problems: list[str] = []
    with browser_page() as page:
        page.set_viewport_size({"width": 390, "height": 800})
        page.on("request", lambda request: _note(problems, request.url, server))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        for name, address in pages().items():
            if not re.match(r"docs/decisions/\d", name):
                page.goto(f"{server}/{address.removesuffix('index.html')}", wait_until="networkidle")
                if (width := page.evaluate("document.documentElement.scrollWidth")) > 390:
                    problems.append(f"{name} is {width} pixels wide")

        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(f"{server}/?q=seasonal+naive")
        page.locator(".md-search-result__link").first.wait_for()

    assert not problems, "\n".join(problems)


def _note(problems: list[str], url: str, server: str) -> None:
    if not url.startswith((server, "data:", "blob:")):
        problems.append(f"request to {url}")

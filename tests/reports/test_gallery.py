"""Every page of five studies in a browser: no violation of accessibility, small, nothing from elsewhere."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import optuna
import pytest
from gallery import MOST_BYTES, look
from helpers.gallery_pages import write_pages
from helpers.mlflow_ui import CHROMIUM

from search.reports.page import html_page

optuna.logging.set_verbosity(optuna.logging.WARNING)

VIEWS = ((1440, "light"), (390, "dark"))
"""A short form of the script's."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        (CHROMIUM is None or find_spec("axe_playwright_python") is None) and not os.environ.get("REQUIRE_BROWSER"),
        reason="there is no chromium or no axe on this machine",
    ),
]


def test_no_page_of_five_studies_has_a_problem(tmp_path: Path) -> None:
    pages = write_pages(tmp_path, trials=9)

    assert len(pages) == 9
    assert look(pages, views=VIEWS) == []


def test_a_report_of_thirty_trials_is_small(tmp_path: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in write_pages(tmp_path, trials=30)}

    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<p style='color: #ccc; background: #fff'>pale</p>", "axe color-contrast"),
        ("<input>", "axe label"),
        ("<h2>a</h2><h4>b</h4>", "axe heading-order"),
        ("<details><summary>more</summary><p style='color: #bbb; background: #fff'>pale</p></details>", "axe color"),
        ("<div style='width: 2000px'>wide</div>", "is wider than the window"),
        ("<details><summary>more</summary><div style='width: 2000px'>wide</div></details>", "window, unfolded"),
        ('<img alt="" src="http://127.0.0.1:9/x.png">', "console: "),
        ("<p>" + 600_000 * "a " + "</p>", "bytes, more than 500,000"),
    ],
    ids=["contrast", "label", "headings", "folded contrast", "width", "folded width", "request", "size"],
)
def test_problems_are_found(tmp_path: Path, body: str, said: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(html_page("title", body), encoding="utf-8")

    found = look([path], views=[(390, "light")])

    assert [problem.text for problem in found if said in problem.text]

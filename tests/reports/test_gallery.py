"""Every page of several studies in a browser: no violation of accessibility, small, nothing from elsewhere."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import optuna
import pytest
from gallery import LONG_VIEWS, MOST_BYTES, MOST_LONG_BYTES, PAPER_WIDTH, look, measure
from helpers.gallery_pages import write_long_pages, write_pages
from helpers.mlflow_ui import CHROMIUM

from search.reports.page import html_page

optuna.logging.set_verbosity(optuna.logging.WARNING)

PHONE, PAPER = (390, "light"), (PAPER_WIDTH, "print")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        (CHROMIUM is None or find_spec("axe_playwright_python") is None) and not os.environ.get("REQUIRE_BROWSER"),
        reason="there is no chromium or no axe on this machine",
    ),
]


@pytest.mark.timeout(1200)
def test_no_page_of_five_studies_has_a_problem(tmp_path: Path) -> None:
    pages = write_pages(tmp_path, trials=9)

    assert len(pages) == 9
    assert look(pages) == []  # at all widths, in both color schemes and in print


def test_the_reports_of_a_long_study_and_of_a_wide_panel_have_no_problem(tmp_path: Path) -> None:
    long, wide = write_long_pages(tmp_path)

    assert (long.name, wide.name) == ("long-report.html", "wide-report.html")
    assert look([long], views=LONG_VIEWS[::2], most_bytes=MOST_LONG_BYTES) == []
    assert look([wide], views=LONG_VIEWS[::2]) == []


def test_a_report_of_thirty_trials_is_small(tmp_path: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in write_pages(tmp_path, trials=30)}

    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}


@pytest.mark.parametrize(
    ("body", "said", "view"),
    [
        ("<p style='color: #ccc; background: #fff'>pale</p>", "axe color-contrast", PHONE),
        ("<input>", "axe label", PHONE),
        ("<h2>a</h2><h4>b</h4>", "axe heading-order", PHONE),
        (
            "<details><summary>more</summary><p style='color: #bbb; background: #fff'>pale</p></details>",
            "axe color",
            PHONE,
        ),
        ("<div style='width: 2000px'>wide</div>", "is wider than the window", PHONE),
        ("<details><summary>more</summary><div style='width: 2000px'>wide</div></details>", "window, unfolded", PHONE),
        ('<img alt="" src="http://127.0.0.1:9/x.png">', "console: ", PHONE),
        ("<p>" + 600_000 * "a " + "</p>", "bytes, more than 500,000", PHONE),
        ("<p>" + 41 * '<a href="#a">a</a> ' + "</p>", "has 41 stops of the Tab key", (1440, "light")),
        ("<div class='scroll'><div style='width: 2000px'>wide</div></div>", "is wider than the paper", PAPER),
        ("<figure style='font-size: 9px'>small</figure>", "has text below 8 px on paper", PAPER),
    ],
    ids=[
        "contrast",
        "label",
        "headings",
        "folded contrast",
        "width",
        "folded width",
        "request",
        "size",
        "tab stops",
        "paper",
        "small print",
    ],
)
def test_problems_are_found(tmp_path: Path, body: str, said: str, view: tuple[int, str]) -> None:
    path = tmp_path / "page.html"
    path.write_text(html_page("title", body), encoding="utf-8")

    found = look([path], views=[view])

    assert [problem.text for problem in found if said in problem.text]


def test_a_diagram_without_room_is_printed_on_the_next_page_and_its_tables_stay(tmp_path: Path) -> None:
    diagram = '<div class="scroll"><svg class="diagram" width="200" height="600"></svg></div>'
    rows = "".join(f"<tr><td>row {number}</td></tr>" for number in range(34))
    tables = f'<div class="beside"><div><table>{rows}</table></div></div>'
    figure = '<figure style="height: 560px"></figure>'
    path = tmp_path / "page.html"
    body = f'<div style="height: 500px"></div><div class="beside">{diagram}{tables}</div><h2>next</h2>{figure}'
    path.write_text(html_page("title", body), encoding="utf-8")

    assert measure([path])[0].printed_pages == 2


def test_a_chart_beside_another_is_printed_on_the_page_of_its_heading(tmp_path: Path) -> None:
    half = '<div><h4>shop</h4><p>Of 72 values.</p><figure style="height: 500px"></figure></div>'
    path = tmp_path / "page.html"
    halves = f'<div class="halves">{half}{half}</div>'
    body = f'<div style="height: 840px"></div>{halves}<figure style="height: 820px"></figure>'
    path.write_text(html_page("title", body), encoding="utf-8")

    assert measure([path])[0].printed_pages == 3


def test_first_paint_tab_stops_and_printed_pages_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    folded = '<details><summary>more</summary><a href="#b">b</a></details>'
    path.write_text(html_page("title", f'<p><a href="#a">a</a></p>{folded}' + 60 * "<p>A line.</p>"), encoding="utf-8")

    [found] = measure([path])

    assert (found.page, found.size) == ("page.html", path.stat().st_size)
    assert (found.tab_stops, found.printed_pages) == (2, 2)
    assert 0 < found.first_paint < 60_000

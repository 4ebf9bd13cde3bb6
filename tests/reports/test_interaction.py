"""What a reader does on a page, in a browser: pin a trial, move a slider, follow a number to its texts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from gallery import violations
from helpers.gallery_pages import panel_pages, pareto_pages, series_pages, text_pages
from helpers.mlflow_ui import CHROMIUM, browser_page

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

optuna.logging.set_verbosity(optuna.logging.WARNING)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
    ),
]
_PINNED = "[...document.querySelectorAll('.pinned')].map((each) => each.dataset.trial)"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of a browser."""
    with browser_page() as page:
        yield page


def opened(page: Page, folder: Path, html: str) -> Page:
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    page.goto(path.as_uri())
    return page


def pinned(page: Page) -> set[str]:
    """Numbers of the pinned trials."""
    return set(page.evaluate(_PINNED))


def charts_with_a_pin(page: Page) -> list[str]:
    """Names of the charts in which a trial is pinned."""
    svgs = page.locator(".plot > svg:has(.pinned)")
    return [svg.get_attribute("aria-label") or "" for svg in svgs.all()]


def test_a_click_on_a_point_pins_its_trial_in_every_chart_and_in_the_leaderboard(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, series_pages(tmp_path, 12)["report"])
    point = page.locator("svg[aria-label='MAE by trial'] circle[data-trial='5']")

    point.scroll_into_view_if_needed()
    point.click()

    assert pinned(page) == {"5"}
    charts = charts_with_a_pin(page)
    assert {"MAE by trial", "MAE by epoch, trial by trial", "When each trial ran"} <= set(charts)
    assert "MAE and parameters of each trial" in charts
    assert page.locator("table.sort tr.pinned").count() == 1
    assert page.locator(".pins[role=status]").inner_text().startswith("Trial 5 is pinned: ")
    point.click()
    assert pinned(page) == set()
    assert page.locator(".pins[role=status]").inner_text() == ""


def test_the_keyboard_pins_a_trial_of_the_leaderboard(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, series_pages(tmp_path, 12)["report"])
    first = page.get_by_role("button", name="Pin trial 4", exact=True)
    first.focus()

    page.keyboard.press("Enter")

    assert pinned(page) == {"4"}
    assert first.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Pin trial 6", exact=True).press("Space")
    assert pinned(page) == {"6"}
    assert first.get_attribute("aria-pressed") == "false"
    page.keyboard.press("Escape")
    assert pinned(page) == set()


def test_tab_reaches_one_row_and_the_arrow_keys_the_others(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, series_pages(tmp_path, 20)["report"])
    rows = page.locator("table[data-title=leaderboard] tbody button")
    names = [row.get_attribute("aria-label") for row in rows.all()]
    focused = "document.activeElement.getAttribute('aria-label')"
    page.get_by_role("searchbox", name="Filter rows: leaderboard").focus()
    heads = 0
    while page.evaluate(focused) != names[0]:
        page.keyboard.press("Tab")
        heads += 1
        assert heads < 5, "the head of the table has one stop"

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == names[2]
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == names[1]
    page.keyboard.press("End")
    assert page.evaluate(focused) == names[-1]
    page.keyboard.press("Tab")
    assert page.evaluate(focused) not in names
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == names[-1]

    page.get_by_role("searchbox", name="Filter rows: leaderboard").fill("baseline")
    assert page.locator("table[data-title=leaderboard] tbody button:visible").count() == 0
    page.get_by_role("searchbox", name="Filter rows: leaderboard").fill("pruned")
    stops = page.locator("table[data-title=leaderboard] tbody button[tabindex='0']:visible")
    assert stops.count() == 1


def test_a_thin_line_is_hit_from_a_few_pixels_away(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, series_pages(tmp_path, 3)["report"])
    plot = page.locator(".plot:has(svg[aria-label='MAE by epoch, trial by trial'])")
    plot.scroll_into_view_if_needed()
    ends = page.evaluate(
        """() => {
          const path = document.querySelector("svg[aria-label='MAE by epoch, trial by trial'] path[data-trial='0']");
          const at = path.getPointAtLength(5).matrixTransform(path.getScreenCTM());
          return [at.x, at.y];
        }"""
    )

    page.mouse.click(ends[0], ends[1] + 4)

    assert len(pinned(page)) == 1


def test_a_slider_goes_through_the_preferences_and_pins_the_trial_that_each_exports(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, pareto_pages(tmp_path, 20)["report"])
    slider = page.get_by_role("slider", name="Weight of the score")
    rows = page.locator("table.slider tbody tr")
    assert (slider.input_value(), rows.count()) == ("10", 11)
    assert rows.nth(10).get_attribute("class") == "winner chosen"

    slider.press("Home")

    quickest = rows.nth(0).get_attribute("data-trial")
    assert rows.nth(0).get_attribute("class") == "chosen pinned"
    assert rows.nth(10).get_attribute("class") == "winner"
    assert pinned(page) == {quickest}
    assert "MAE against latency (ms)" in charts_with_a_pin(page)
    assert (slider.get_attribute("aria-valuetext") or "").startswith(
        f"search.prefer {{latency: 1}}, trial {quickest}, "
    )


def test_a_slider_goes_through_the_thresholds_of_two_classes(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, text_pages(tmp_path, 4)["report"])
    slider = page.get_by_role("slider", name="Threshold for good")
    assert (slider.get_attribute("aria-valuetext") or "").startswith("threshold 0.50, precision ")

    slider.press("ArrowLeft")

    assert page.locator("table.slider tr.chosen td").first.inner_text() == "0.45"
    assert pinned(page) == set()


def test_a_number_of_the_confusion_matrix_leads_to_its_texts(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, text_pages(tmp_path, 4)["report"])
    cell = page.locator("table.confusion td:not(.right) a").first
    count, target = int(cell.inner_text().split()[0]), cell.get_attribute("href")
    texts = page.locator(f"{target} tbody tr")
    assert not texts.first.is_visible()

    cell.click()

    texts.first.wait_for()
    assert texts.count() == min(10, count)
    assert len(texts.first.locator("td").nth(1).inner_text().split()) == 12


def test_without_scripts_everything_is_in_tables(page: Page, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "pareto").mkdir()
    pages = [text_pages(tmp_path / "texts", 4)["report"], pareto_pages(tmp_path / "pareto", 20)["report"]]
    assert page.context.browser is not None
    plain = page.context.browser.new_page(java_script_enabled=False)
    found = []
    for html in pages:
        opened(plain, tmp_path, html)
        found.append([row.inner_text() for row in plain.locator("table.slider tbody tr").all()])
        assert plain.locator("input, button").count() == 0
    thresholds, preferences = found
    assert (len(thresholds), len(preferences)) == (19, 11)
    assert preferences[5].startswith("{score: 0.5, latency: 0.5}\t")


def test_all_series_of_a_panel_have_a_picture_and_can_be_filtered(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, panel_pages(tmp_path, 4)["report"])
    rows = page.locator("table[data-title=series] tbody tr")
    assert rows.count() == rows.locator("svg.spark").count() == 14

    page.get_by_role("searchbox", name="Filter rows: series").fill("shop 12")

    assert [row.locator("td").first.inner_text() for row in rows.all() if row.is_visible()] == ["shop 12"]


def test_a_row_of_a_panel_draws_its_series_with_mouse_and_keyboard(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, panel_pages(tmp_path, 4)["report"])
    source = page.locator("div:has(> script[data-series])")
    before = source.locator("path.line").last.get_attribute("d")

    page.get_by_role("row", name="shop 12 ").locator("td").nth(1).click()

    source.locator("h3", has_text="shop 12").wait_for()
    figures = source.locator("h3 + p").inner_text()
    assert re.fullmatch(
        r"MAE 3\.100, skill \+3% against the best baseline\. Of 120 values, \d+% lie in the 80% interval\.", figures
    )
    assert source.locator("path.line").last.get_attribute("d") != before
    assert page.locator("tr.chosen button").all_inner_texts() == ["shop 12"]
    page.get_by_role("button", name="shop 3", exact=True).press("Enter")
    source.locator("h3", has_text="shop 3").wait_for()
    assert page.get_by_role("button", name="shop 3", exact=True).get_attribute("aria-pressed") == "true"


def test_the_chart_of_a_chosen_series_has_the_values_of_its_table_of_forecasts(page: Page, tmp_path: Path) -> None:
    """The script draws what Python draws: the series that is drawn first, chosen again, looks and reads the same."""
    opened(page, tmp_path, panel_pages(tmp_path, 4)["report"])
    source = page.locator("div:has(> script[data-series])")
    points = """(svg) => [...svg.querySelectorAll("path.line, path.fill")].map((path) => {
        const box = path.getBBox();
        return [box.x, box.y, box.width, box.height].map(Math.round);
    })"""
    cells = "(table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent))"

    ticks = source.locator(".axes text[text-anchor=end]")
    heights = "(texts) => texts.map((text) => Math.round(text.getAttribute('y')))"
    labels = ticks.all_text_contents(), ticks.evaluate_all(heights)
    drawn, listed = source.locator(".plot").evaluate(points), source.locator("table").evaluate(cells)
    name = source.locator("h3").inner_text()
    page.get_by_role("button", name="shop 3", exact=True).click()
    source.locator("h3", has_text="shop 3").wait_for()
    page.get_by_role("button", name=name.partition(":")[0], exact=True).click()
    source.locator("h3", has_text=name).wait_for()
    again, relisted = source.locator(".plot").evaluate(points), source.locator("table").evaluate(cells)

    assert (ticks.all_text_contents(), ticks.evaluate_all(heights)) == labels
    assert len(drawn) == len(again) > 0
    assert all(abs(a - b) <= 2 for old, new in zip(drawn, again, strict=True) for a, b in zip(old, new, strict=True))
    by_time = {row[0]: row[1:] for row in relisted}
    for time, *values in listed:
        for old, new in zip(values, by_time[time], strict=True):
            assert [float(text) for text in new.split(" to ") if text] == pytest.approx(
                [float(text) for text in old.split(" to ") if text], abs=0.02
            )


def drag_over_the_worst_scores(page: Page) -> Locator:
    """Select the lower part of the first axis of the parallel coordinates; the figure."""
    figure = page.locator("figure[data-name=brush]")
    figure.scroll_into_view_if_needed()
    box = figure.locator(".plot > svg").bounding_box()
    assert box is not None
    across = box["x"] + box["width"] / (2 * figure.locator("th").count() - 2)
    page.mouse.move(across, box["y"] + box["height"] * 0.55)
    page.mouse.down()
    page.mouse.move(across, box["y"] + box["height"], steps=4)
    page.mouse.up()
    return figure


def trials_of(page: Page, selector: str) -> set[str]:
    """Numbers of the trials of the elements that a reader sees unfaded."""
    return set(
        page.evaluate(
            """(selector) => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility()
                && getComputedStyle(each).opacity > 0.11).map((each) => each.dataset.trial)""",
            selector,
        )
    )


def test_a_range_on_an_axis_keeps_its_trials_in_every_chart_and_in_the_leaderboard(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, series_pages(tmp_path, 12)["report"])
    every = trials_of(page, "figure[data-name=brush] path[data-trial]")
    charts = [f"svg[aria-label='{svg.get_attribute('aria-label')}'] [data-trial]"
              for svg in page.locator(".plot > svg:has([data-trial])").all()]  # fmt: skip
    assert len(charts) > 5

    drag_over_the_worst_scores(page)

    kept = trials_of(page, "figure[data-name=brush] path[data-trial]")
    assert kept < every
    status = page.locator(".brushed [role=status]")
    assert status.inner_text() == f"{len(kept)} of {len(every)} trials"
    assert [chart for chart in charts if not trials_of(page, chart) <= kept] == []
    assert trials_of(page, "table.sort tr[data-trial]") == kept
    assert page.locator("table.sort tr.baseline").first.is_visible()
    assert list(violations(page)) == []
    page.get_by_role("button", name="Clear").click()
    assert trials_of(page, "figure[data-name=brush] path[data-trial]") == every
    assert trials_of(page, "table.sort tr[data-trial]") > every
    assert page.locator(".out").count() == 0
    assert status.inner_text() == ""


_LISTED = """() => [...document.querySelectorAll("table.sort tr[data-trial]:not(.pruned)")].map((row) => {
  const place = [...row.closest("table").tHead.rows[0].cells].findIndex((cell) => cell.textContent === "folds");
  return [row.dataset.trial, Number(row.cells[place].textContent), row.classList.contains("out")];
})"""


def test_a_range_selects_among_the_trials_that_a_long_study_does_not_draw(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, series_pages(tmp_path, 900)["report"])
    drawn = trials_of(page, "figure[data-name=brush] path[data-trial]")
    complete = sum(number % 9 != 8 and number % 4 != 3 for number in range(900))
    assert len(drawn) == 500 < complete

    drag_over_the_worst_scores(page)

    listed = page.evaluate(_LISTED)
    kept = {trial: score for trial, score, out in listed if not out}
    pixel = 0.01
    assert max(kept.values()) <= min(score for _, score, out in listed if out) + pixel
    assert set(kept) - drawn
    assert page.locator(".brushed [role=status]").inner_text().endswith(f" of {complete} trials")
    assert "Ranges select among all of them." in page.locator("body").inner_text()


def test_a_pinned_trial_outside_of_the_range_is_not_faded(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, series_pages(tmp_path, 12)["report"])
    drag_over_the_worst_scores(page)
    out = page.locator("figure[data-name=brush] path.out").first.get_attribute("data-trial")
    selector = f"svg[aria-label='MAE by trial'] [data-trial='{out}']"
    assert trials_of(page, selector) == set()

    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name=f"Pin trial {out}", exact=True).click()
    drag_over_the_worst_scores(page)

    assert trials_of(page, selector) == {out}


def test_the_keyboard_sets_a_range_and_clears_it(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, series_pages(tmp_path, 12)["report"])
    summary = page.locator("figure[data-name=brush] summary", has_text="Ranges")
    summary.press("Enter")
    page.get_by_role("slider").first.press("PageUp")
    assert page.locator("figure[data-name=brush] path.out").count() > 0
    assert page.locator(".brushed [role=status]").inner_text()

    page.get_by_role("button", name="Clear").press("Enter")

    assert page.locator(".out").count() == 0
    assert summary.evaluate("(each) => each === document.activeElement")


_OVERLAPS = """() => {
  const box = (each) => each.getBoundingClientRect();
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top + 1 < b.bottom - 1 && b.top + 1 < a.bottom - 1;
  const svg = document.querySelector("svg[aria-label='MAE against latency (ms)']");
  const labels = [...svg.querySelectorAll("text[data-trial]")].filter((each) => box(each).width);
  const others = [...labels, ...svg.querySelectorAll("circle[data-trial]")];
  return [labels.length, labels.filter((each) => others.some((other) => other !== each && meet(box(each), box(other))))
    .map((each) => each.textContent)];
}"""


def test_labels_of_the_pareto_front_cover_neither_each_other_nor_points(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, pareto_pages(tmp_path, 120)["report"])
    counts = []
    for width in (390, 700, 900, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        count, overlapping = page.evaluate(_OVERLAPS)
        assert overlapping == [], width
        counts.append(count)
    front = len(page.locator("svg[aria-label='MAE against latency (ms)'] circle[class~=orange]").all())
    assert 0 < counts[0] <= counts[-1] <= front
    assert counts[-1] > front / 2

"""The files of a comparison: Markdown, the JSON with its documented keys, and the page, which a browser opens."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from helpers.chart_texts import unreadable
from helpers.comparisons import (
    make_comparison,
    make_family,
    make_label_comparison,
    make_label_family,
    unscored,
)
from helpers.mlflow_ui import CHROMIUM, browser_page

from search.compare.figures import colors, differences_chart, scores_chart
from search.compare.heat import heat_html
from search.compare.markdown import brief, markdown
from search.compare.page import comparison_html, write_files
from search.compare.results import Advice
from search.compare.tables import all_tables
from search.reports.charts.chart import legend_entries
from search.reports.charts.marks import Dots
from search.study.paths import COMPARISON_FILES, COMPARISON_JSON
from search.tasks.compare import ClassScore

WRITTEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_markdown_holds_the_words_and_every_table() -> None:
    comparison = make_comparison(make_family("gru", words="a|b *c* <script>", standing="best", difference=None))

    text = markdown(comparison)

    assert text.startswith("# weather: strengths and weaknesses of each family\n\n**gru is better than fused.**\n")
    assert "a\\|b \\*c\\* \\<script\\>" in text
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [each.title for each in all_tables(comparison)]
    assert re.search(r"\|seasonal naive\|(\|){5}2.500\|", text), "in the scores, on the holdout alone"
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for block in tables:
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1, block


def test_the_brief_form_has_no_tables_of_numbers() -> None:
    text = brief(make_comparison())

    assert "gru is better than fused." in text
    assert "Strength: quick" in text
    assert "##" not in text


@pytest.mark.parametrize(
    ("make", "make_one"), [(make_comparison, make_family), (make_label_comparison, make_label_family)]
)
def test_the_page_holds_every_table_and_loads_nothing(make: Any, make_one: Any) -> None:
    comparison = make(make_one("gru", words="<b>bold</b>", standing="best", difference=None), unscored())

    page = comparison_html(comparison, WRITTEN)

    assert all(f"<h2>{each.title}</h2>" in page for each in all_tables(comparison))
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>bold" not in page
    assert len(page.encode()) < 100_000
    outside = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", outside)


def test_the_page_says_how_far_is_forecast_and_nothing_of_it_for_labels() -> None:
    assert "for the study weather, 3 steps ahead, scored by MAE: 4 trials each" in comparison_html(
        make_comparison(), WRITTEN
    )
    assert "for the study vowels, scored by accuracy: 4 trials each" in comparison_html(
        make_label_comparison(), WRITTEN
    )


def test_bad_trials_that_are_not_drawn_are_those_with_a_small_accuracy() -> None:
    astray = make_label_family("gru", trial_scores=(0.1, 0.8, 0.81, 0.82, 0.83))

    page = comparison_html(make_label_comparison(astray, make_label_family()), WRITTEN)

    assert "1 trial lies below the plotted range." in page


def test_a_class_is_not_marked_as_the_best_family_of_that_name() -> None:
    classes = (ClassScore("gru", 30, 0.9, 0.8), ClassScore("lstm", 30, 0.9, 0.8))

    page = comparison_html(
        make_label_comparison(make_label_family("gru", classes=classes), baseline_results=()), WRITTEN
    )

    assert page.count('class="winner"') == 6  # in the advice, and in each table with a row for a family


def test_the_best_value_of_a_column_has_the_darkest_shade() -> None:
    small = make_label_family("gru", standing="best", difference=None, n_parameters=100, latency=0.01)
    comparison = make_label_comparison(small, make_label_family(n_parameters=1000), baseline_results=())

    made = heat_html(comparison)

    rows = re.findall(r"<tr><th scope=\"row\">(\w+)</th>(.*?)</tr>", made)
    shades = {name: [int(share) for share in re.findall(r"--share: (\d+)%", cells)] for name, cells in rows}
    assert shades == {"gru": [0, 55, 0, 0], "lstm": [0, 0, 55, 0]}  # equal scores have no shade
    assert "1,000</td>" in made
    assert heat_html(make_comparison(make_family(), baseline_results=())) == ""


def test_families_and_baselines_have_one_color_and_shapes_say_the_rest() -> None:
    comparison = make_comparison()
    looks, baselines = colors(comparison), [each.title for each in comparison.baseline_results]

    differences, scores = differences_chart(comparison), scores_chart(comparison)

    for chart in (differences, scores):
        names = chart.y.words
        drawn = {(names[round(mark.y[0])], mark.color) for mark in chart.marks if isinstance(mark, Dots) and mark.y}
        assert drawn == {(name, looks[name]) for name in names}
        assert {mark.color for mark in chart.marks if mark.legend} == {"ink"}
    shapes = {
        differences.y.words[mark.y[0]]: mark.shape for mark in differences.marks if isinstance(mark, Dots) and mark.y
    }
    assert shapes == {"lstm": "ring", "fused": "dot", **dict.fromkeys(baselines, "dot")}
    assert list(legend_entries(scores)) == ["folds, a seed", "folds, mean", "holdout, a seed", "holdout, mean"]


@pytest.mark.parametrize(
    ("changes", "said", "look"),
    [
        ({"advice": (Advice("accuracy", "linear", "x", "baseline"),)}, "Use linear", "verdict bad"),
        ({"advice": (Advice("accuracy", "gru", "x"),)}, "No clear difference", "verdict"),  # lstm is not worse
        ({"advice": ()}, "No result", "verdict"),
    ],
)
def test_the_page_begins_with_what_to_use(changes: dict[str, Any], said: str, look: str) -> None:
    page = comparison_html(make_comparison(**changes), WRITTEN)

    assert f'<p class="{look}"><strong>{said}</strong> gru is better than fused.</p>' in page


def test_a_family_is_used_if_all_others_are_worse() -> None:
    families = make_family("gru", standing="best", difference=None), make_family("lstm", standing="worse")

    assert '<p class="verdict good"><strong>Use gru</strong>' in comparison_html(make_comparison(*families), WRITTEN)


def test_a_page_without_any_score_says_so() -> None:
    nothing = make_comparison(
        unscored(), best=None, verdict="No family has a score.", advice=(), baselines={}, baseline_results=()
    )

    page = comparison_html(nothing, WRITTEN)

    assert "No family has a score." in page
    assert "No score." in page


def test_the_files_stand_side_by_side(tmp_path: Path) -> None:
    comparison = make_comparison()

    write_files(comparison, tmp_path / "weather.report")

    assert sorted(path.name for path in (tmp_path / "weather.report").iterdir()) == sorted(COMPARISON_FILES)
    written = json.loads((tmp_path / "weather.report" / COMPARISON_JSON).read_text())
    assert written == json.loads(json.dumps(comparison.to_json()))


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
)
@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("make", [make_comparison, make_label_comparison])
def test_a_browser_draws_the_comparison_within_its_width(make: Any, width: int, tmp_path: Path) -> None:
    path = tmp_path / "compare.html"
    path.write_text(comparison_html(make(), WRITTEN), encoding="utf-8")
    asked: list[str] = []
    with browser_page() as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.on("console", lambda message: asked.append(message.text))
        page.goto(path.as_uri())
        assert page.locator("figure.chart").count() == 6
        assert unreadable(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [entry for entry in asked if not entry.startswith(path.as_uri())] == []

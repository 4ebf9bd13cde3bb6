"""Numbers, tables, Markdown and JSON of a comparison; the page is opened in a browser below."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from helpers.comparisons import (
    make_comparison,
    make_counts,
    make_family,
    make_label_comparison,
    make_label_family,
    make_score,
)
from helpers.mlflow_ui import CHROMIUM, browser_page

from search.cli.comparison_table import print_comparison
from search.compare.page import brief, comparison_html, markdown, write_files
from search.compare.results import Comparison, FamilyResult, Trait
from search.compare.tables import TextTable, all_tables, megabytes, number, probability, score, seconds, signed
from search.study.paths import COMPARISON_FILES, COMPARISON_JSON
from search.tasks.compare import ClassScore

WRITTEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCS = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (number, 0.012345, "0.0123"),
        (number, 12345.6, "12,346"),
        (number, None, ""),
        (score, 2.5, "2.500"),
        (score, 0.9611, "0.9611"),
        (score, 123.45678, "123.5"),
        (score, 1234.5, "1234"),
        (score, 54321.0, "54,321"),
        (signed, 0.5, "+0.5"),
        (signed, -1234.5, "-1,234"),
        (signed, 0.0, "0"),
        (seconds, 0.00082, "0.82 ms"),
        (seconds, 0.9996, "1 s"),
        (seconds, 12.34, "12.3 s"),
        (seconds, None, ""),
        (megabytes, 12_340_000, "12.3 MB"),
        (megabytes, 0, "< 1 MB"),
        (megabytes, None, ""),
        (probability, 0.0341, "0.034"),
        (probability, 0.0004, "< 0.001"),
    ],
)
def test_numbers_are_readable(function: Any, value: float | None, text: str) -> None:
    assert function(value) == text


def unscored() -> FamilyResult:
    """A family none of whose trials was complete."""
    return FamilyResult("fused", "only fused layers", make_counts(2, failed=2, pruned=0))


def sheet(comparison: Comparison, title: str) -> TextTable:
    (found,) = [each for each in all_tables(comparison) if each.title == title]
    return found


def test_every_table_has_a_row_for_each_family_that_it_is_about() -> None:
    comparison = make_comparison(make_family("gru", standing="best", difference=None), make_family("lstm"), unscored())

    rows = {each.title: [row[0] for row in each.rows] for each in all_tables(comparison)}

    assert rows == {
        "Families": ["gru", "lstm", "fused"],
        "Scores": ["gru", "lstm"],
        "Against the best family": ["gru", "lstm"],
        "Costs": ["gru", "lstm"],
        "Trials": ["gru", "lstm", "fused"],
        "By step of the horizon": ["gru", "lstm"],
        "By context length": ["gru", "gru", "lstm", "lstm"],
    }
    assert all(len(row) == len(each.head) for each in all_tables(comparison) for row in each.rows)


def test_a_long_horizon_is_shown_at_five_of_its_steps() -> None:
    family = make_family(steps=tuple(float(step) for step in range(1, 25)))

    found = sheet(make_comparison(family, horizon=24), "By step of the horizon")

    assert found.head == ("family", "step 1", "step 7", "step 13", "step 18", "step 24", "growth")
    assert found.rows == (("lstm", "1.000", "7.000", "13.00", "18.00", "24.00", "24"),)


def test_a_horizon_of_one_step_has_no_table() -> None:
    titles = [each.title for each in all_tables(make_comparison(make_family(steps=(1.0,)), horizon=1))]

    assert "By step of the horizon" not in titles


def test_of_labels_lengths_and_classes_have_tables_and_steps_have_none() -> None:
    comparison = make_label_comparison(make_label_family("gru", standing="best", difference=None), make_label_family())

    found = {each.title: each for each in all_tables(comparison)}

    assert not {"By step of the horizon", "By context length"} & found.keys()
    assert found["By length"].head == ("steps", "sequences", "gru", "lstm")
    assert found["By length"].rows == (("3 to 5", "40", "0.7000", "0.7000"), ("6 to 9", "40", "0.9000", "0.9000"))
    assert found["By class"].head == ("class", "sequences", "gru", "lstm")
    assert found["By class"].rows[1] == ("b", "30", "0.7500", "0.7500")
    assert found["Scores"].rows[1] == (
        "lstm", "0.8100", "0.05", "0.1", "0.8000", "0.8200", "0.8000", "0.05", "0.7900", "0.8100",
    )  # fmt: skip
    assert found["Scores"].caption.startswith("Accuracy, larger is better: mean over 2 folds and all seeds")
    assert "below 0 is worse; paired bootstrap over sequences" in found["Against the best family"].caption
    assert {"1 sequence", "64 sequences"} < set(found["Costs"].head)


def test_of_texts_characters_are_counted_and_of_a_loss_smaller_is_better() -> None:
    comparison = make_label_comparison(metric="log_loss", direction="minimize", cases="texts")

    assert sheet(comparison, "By length").head[:2] == ("characters", "texts")
    assert sheet(comparison, "By length").rows[0][2] == "0.7000"
    assert sheet(comparison, "Scores").caption.startswith("Log loss, smaller is better")
    assert "above 0 is worse" in sheet(comparison, "Against the best family").caption


def test_a_part_that_a_family_has_no_score_of_stays_empty() -> None:
    short = make_label_family("gru").lengths[:1]
    comparison = make_label_comparison(make_label_family("gru"), make_label_family("lstm", lengths=short))

    assert sheet(comparison, "By length").rows[1] == ("6 to 9", "40", "0.9000", "")


def test_of_many_classes_those_in_which_families_differ_most_are_shown() -> None:
    def family(name: str, shift: float) -> FamilyResult:
        scores = (0.5 + shift * (code % 2) for code in range(50))
        return make_label_family(name, classes=tuple(ClassScore(f"c{n}", 9, f1, f1) for n, f1 in enumerate(scores)))

    found = sheet(make_label_comparison(family("gru", 0.1), family("lstm", 0.3)), "By class")

    assert [row[0] for row in found.rows] == [f"c{code}" for code in range(1, 40, 2)]
    assert "Shown are the 20 of 50 classes in which families differ most." in found.caption


def test_with_one_seed_and_one_fold_there_is_no_spread() -> None:
    family = make_family(folds=make_score(2.0, folds_sd=None), holdout=make_score(1.9, folds_sd=None), seeds=1)

    (row,) = sheet(make_comparison(family), "Scores").rows

    assert row == ("lstm", "2.000", "", "", "2.000", "2.000", "1.900", "", "1.900", "1.900")


@pytest.mark.parametrize("columns", ["80", "200"])
@pytest.mark.parametrize("make", [make_comparison, make_label_comparison])
def test_the_terminal_shows_it_in_eighty_columns(
    make: Any, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    traits = {"strengths": (Trait("latency", "quick"),), "weaknesses": (Trait("far", "far"),)}
    comparison = make()
    first, *others = comparison.families

    print_comparison(replace(comparison, families=(replace(first, **traits), *others)))

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(lines)
    for expected in ("gru is better than fused.", "not significantly", "the best score", "+ quick", "- far"):
        assert expected in text


def test_names_are_shown_as_they_are_and_not_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(make_comparison(make_family("lstm", words="[red]a[/] or b")))

    assert "[red]a[/] or b" in capsys.readouterr().out


def test_markdown_holds_the_words_and_every_table() -> None:
    comparison = make_comparison(make_family("gru", words="a|b *c* <script>", standing="best", difference=None))

    text = markdown(comparison)

    assert text.startswith("# weather: strengths and weaknesses of each family\n\n**gru is better than fused.**\n")
    assert "a\\|b \\*c\\* \\<script\\>" in text
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [each.title for each in all_tables(comparison)]
    assert "Baselines on the folds: naive 3.5, seasonal naive 2.5." in text
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
    assert page.count("plotly.js v") == 1
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

    assert "1 trial lies below what is drawn." in page


def test_a_class_is_not_marked_as_the_best_family_of_that_name() -> None:
    classes = (ClassScore("gru", 30, 0.9, 0.8), ClassScore("lstm", 30, 0.9, 0.8))

    page = comparison_html(make_label_comparison(make_label_family("gru", classes=classes)), WRITTEN)

    assert page.count('class="winner"') == 6  # in the advice, and in each table with a row for a family


def test_a_page_without_any_score_says_so() -> None:
    nothing = make_comparison(unscored(), best=None, verdict="No family has a score.", advice=(), baselines={})

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
        page.on("console", lambda message: asked.append(message.caption))
        page.goto(path.as_uri())
        charts = page.locator(".js-plotly-plot")
        charts.last.locator(".trace").first.wait_for(state="attached")
        assert charts.count() == 6
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [entry for entry in asked if not entry.startswith(path.as_uri())] == []


# --- the documented keys ----------------------------------------------------------------------------------------------

TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    type(None): "null",
}
OPEN = ("families[].params", "baselines")


def walk(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Path and JSON type of everything in a document."""
    found = [(path, TYPES[type(value)])] if path else []
    if isinstance(value, list):
        for item in value:
            found += walk(item, f"{path}[]")
    elif isinstance(value, dict) and path not in OPEN:
        for key, inner in value.items():
            found += walk(inner, f"{path}.{key}" if path else key)
    return found


def documented() -> dict[str, set[str]]:
    rows = re.findall(
        r"^\| `([\w.\[\]]+)` \| ([a-z, ]+) \|[^|]*\| .+ \|$", DOCS.partition("## `compare --json`")[2], re.MULTILINE
    )
    assert len(rows) == len(dict(rows)), "a key stands twice"
    return {key: set(kinds.split(", ")) for key, kinds in rows}


def test_the_page_of_the_json_names_exactly_its_keys_and_types() -> None:
    family = make_family("gru", contexts=(), memory=None, sensitivity=None, folds=make_score(2.0, folds_sd=None))
    comparisons = (
        make_comparison(),
        make_comparison(family, unscored(), best=None),
        make_comparison(seconds=3.0),
        make_label_comparison(),
    )
    found: dict[str, set[str]] = {}
    for comparison in comparisons:
        for path, kind in walk(json.loads(json.dumps(comparison.to_json()))):
            if not path.endswith("[]"):
                found.setdefault(path, set()).add(kind)

    assert {key: kinds - {"null"} for key, kinds in documented().items()} == {
        key: kinds - {"null"} for key, kinds in found.items()
    }
    assert {key for key, kinds in found.items() if "null" in kinds} <= {
        key for key, kinds in documented().items() if "null" in kinds
    }

"""Numbers and tables of a comparison, in the terminal too."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from helpers.comparisons import (
    make_baseline,
    make_comparison,
    make_family,
    make_label_comparison,
    make_label_family,
    make_score,
    unscored,
)

from search.cli.tables import print_comparison
from search.compare.results import Advice, Comparison, FamilyResult, Trait
from search.compare.tables import (
    TextTable,
    advice_table,
    all_tables,
    megabytes,
    number,
    probability,
    score,
    seconds,
    signed,
)
from search.tasks.compare import ClassScore

READABLE: dict[Any, dict[float | None, str]] = {
    number: {0.012345: "0.0123", 12345.6: "12,346", 999.7: "1,000", None: ""},
    partial(score, decimals=3): {2.5: "2.500", 12.34567: "12.346", 54321.0: "54,321.000", None: ""},
    partial(signed, decimals=2): {0.5: "+0.50", -1234.5: "-1,234.50", 0.0: "+0.00", None: ""},
    seconds: {0.00082: "0.820 ms", 0.9996: "1.000 s", 12.34: "12.3 s", None: ""},
    megabytes: {12_340_000: "12.3 MB", 0: "< 1 MB", None: ""},
    probability: {0.0341: "0.034", 0.0004: "< 0.001"},
}


@pytest.mark.parametrize("function", READABLE)
def test_numbers_are_readable(function: Any) -> None:
    assert {value: function(value) for value in READABLE[function]} == READABLE[function]


def sheet(comparison: Comparison, title: str) -> TextTable:
    (found,) = [each for each in all_tables(comparison) if each.title == title]
    return found


def test_every_table_has_a_row_for_each_family_that_it_is_about() -> None:
    comparison = make_comparison(make_family("gru", standing="best", difference=None), make_family("lstm"), unscored())

    rows = {each.title: [row[0] for row in each.rows] for each in all_tables(comparison)}

    baselines = ["seasonal naive", "naive"]
    assert rows == {
        "Families": ["gru", "lstm", "fused", *baselines],
        "Scores": ["gru", "lstm", *baselines],
        "Against the best family": ["gru", "lstm", *baselines],
        "Costs": ["gru", "lstm", *baselines],
        "Trials": ["gru", "lstm", "fused"],
        "By step of the horizon": ["gru", "lstm", *baselines],
        "By context length": ["gru", "gru", "lstm", "lstm"],
    }
    assert all(len(row) == len(each.head) for each in all_tables(comparison) for row in each.rows)


def test_a_long_horizon_is_shown_at_five_of_its_steps() -> None:
    family = make_family(steps=tuple(float(step) for step in range(1, 25)))

    found = sheet(make_comparison(family, horizon=24, baseline_results=()), "By step of the horizon")

    assert found.head == ("family", "step 1", "step 7", "step 13", "step 18", "step 24", "growth")
    assert found.rows == (("lstm", "1.000", "7.000", "13.000", "18.000", "24.000", "24.0"),)


def test_a_horizon_of_one_step_has_no_table() -> None:
    titles = [
        each.title for each in all_tables(make_comparison(make_family(steps=(1.0,)), horizon=1, baseline_results=()))
    ]

    assert "By step of the horizon" not in titles


def test_of_labels_lengths_and_classes_have_tables_and_steps_have_none() -> None:
    comparison = make_label_comparison(make_label_family("gru", standing="best", difference=None), make_label_family())

    found = {each.title: each for each in all_tables(comparison)}

    assert not {"By step of the horizon", "By context length"} & found.keys()
    assert found["By length"].head == ("steps", "sequences", "gru", "lstm", "nearest neighbor")
    assert found["By length"].rows == (
        ("3 to 5", "40", "0.7000", "0.7000", "0.7000"),
        ("6 to 9", "40", "0.9000", "0.9000", "0.8000"),
    )
    assert found["By class"].head == ("class", "sequences", "gru", "lstm", "nearest neighbor")
    assert found["By class"].rows[1] == ("b", "30", "0.7500", "0.7500", "0.7000")
    assert found["Scores"].rows[1] == (
        "lstm", "0.8100", "0.0500", "0.1000", "0.8000", "0.8200", "0.8000", "0.0500", "0.7900", "0.8100",
    )  # fmt: skip
    assert found["Scores"].caption.startswith("Accuracy, larger is better: mean over 2 folds and all seeds")
    assert "below 0 is worse; paired bootstrap over sequences" in found["Against the best family"].caption
    assert {"1 sequence", "64 sequences"} < set(found["Costs"].head)


def test_baselines_have_scores_on_the_holdout_and_costs_of_their_fit() -> None:
    better = make_baseline("linear", 1.8, standing="better", n_parameters=1234)
    comparison = make_comparison(make_family("gru", standing="best", difference=None), baseline_results=(better,))

    assert sheet(comparison, "Families").rows[1] == ("linear", "baseline", "", "1,234")
    assert sheet(comparison, "Scores").rows[1] == ("linear", "", "", "", "", "", "1.800", "", "", "")
    assert sheet(comparison, "Against the best family").rows[1][-1] == "better on the holdout"
    assert sheet(comparison, "Costs").rows[1] == ("linear", "1,234", "", "10.0 ms", "0.100 ms", "0.200 ms", "")
    assert sheet(comparison, "By step of the horizon").rows[1][1:] == ("2.000", "2.500", "3.000", "1.50")


def test_a_recommended_baseline_is_called_one() -> None:
    advice = (Advice("speed", "seasonal_naive", "quick", "baseline"), Advice("size", "gru", "small"))

    assert [row[1] for row in advice_table(make_comparison(advice=advice)).rows] == ["seasonal naive (baseline)", "gru"]


def test_of_texts_characters_are_counted_and_of_a_loss_smaller_is_better() -> None:
    comparison = make_label_comparison(metric="log_loss", direction="minimize", cases="texts")

    assert sheet(comparison, "By length").head[:2] == ("characters", "texts")
    assert sheet(comparison, "By length").rows[0][2] == "0.7000"
    assert sheet(comparison, "Scores").caption.startswith("Log loss, smaller is better")
    assert "above 0 is worse" in sheet(comparison, "Against the best family").caption


def test_a_part_that_a_family_has_no_score_of_stays_empty() -> None:
    short = make_label_family("gru").lengths[:1]
    comparison = make_label_comparison(
        make_label_family("gru"), make_label_family("lstm", lengths=short), baseline_results=()
    )

    assert sheet(comparison, "By length").rows[1] == ("6 to 9", "40", "0.9000", "")


def test_of_many_classes_those_in_which_families_differ_most_are_shown() -> None:
    def family(name: str, shift: float) -> FamilyResult:
        scores = (0.5 + shift * (code % 2) for code in range(50))
        return make_label_family(name, classes=tuple(ClassScore(f"c{n}", 9, f1, f1) for n, f1 in enumerate(scores)))

    found = sheet(make_label_comparison(family("gru", 0.1), family("lstm", 0.3), baseline_results=()), "By class")

    assert [row[0] for row in found.rows] == [f"c{code}" for code in range(1, 40, 2)]
    assert "Shown are the 20 of 50 classes in which families differ most." in found.caption


def test_with_one_seed_and_one_fold_there_is_no_spread() -> None:
    family = make_family(folds=make_score(2.0, folds_sd=None), holdout=make_score(1.9, folds_sd=None), seeds=1)

    (row,) = sheet(make_comparison(family, baseline_results=()), "Scores").rows

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

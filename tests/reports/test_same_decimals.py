"""The scores of a study are written with the same decimals everywhere, so that they can be found again."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import pytest
from helpers.gallery_pages import rendered
from helpers.report_study import Made, make_store
from rich.console import Console

from lstmgru.evaluation.decimals import decimals_of, fixed, score_decimals
from lstmgru.evaluation.significance import Interval
from search.cli.tables import print_study
from search.study.records import BaselineRecord, HoldoutRecord
from search.tasks.verdict import judge


def test_table_tile_chart_and_verdict_write_a_score_alike(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made(values=(score,)) for score in (2.51, 2.6, 10.2)])
    verdict, _ = judge("mae", 2.51, "linear", 2.9, Interval(-0.4, -0.5, -0.3, 0.01), targets=["sales"], choices=1)
    holdout = HoldoutRecord(0, 2.51, {"mae": 2.51}, verdict, True, score_interval=(2.46, 2.56))
    baselines = {"linear": BaselineRecord(2.7, 2.9)}

    page = rendered(store, holdout=holdout, baselines=baselines)
    seen = io.StringIO()
    print_study(Console(file=seen, width=80), dataclasses.replace(store.record(), holdout=holdout, baselines=baselines))

    assert "MAE of sales 2.510 against 2.900" in verdict
    assert "<b>2.510 ± 0.050</b>" in page
    assert page.count(">2.510<") > 3  # of the leaderboard, of the metrics, and of the data of charts
    written = " ".join(re.findall(r"<(?:td|b|/strong)[^>]*>([^<]*)", page))
    for text in (written, seen.getvalue()):
        known = set(re.findall(r"(?<![\w.,-])(?:2\.5|2\.6|2\.7|2\.9|10\.2)\d*(?![\w.%])", text))
        assert known >= {"2.510", "2.600", "2.700", "2.900", "10.200"}
        assert {each for each in known if len(each.partition(".")[2]) != 3} == set()


@pytest.mark.parametrize(
    ("score", "larger_is_better", "texts"),
    [
        (2.51, False, ["2.510", "10.200"]),
        (0.97, True, ["0.9700", "10.2000"]),
        (1.0, True, ["1.0000", "10.2000"]),
        (12_345.6, False, ["12,346", "10"]),
        (None, False, ["", "10.200"]),
    ],
)
def test_the_score_of_the_model_determines_the_decimals(
    score: float | None, larger_is_better: bool, texts: list[str]
) -> None:
    decimals = score_decimals(score, larger_is_better=larger_is_better)

    assert ["" if each is None else fixed(each, decimals) for each in (score, 10.2)] == texts


def test_a_tiny_score_keeps_its_digits() -> None:
    assert fixed(1.5e-12, decimals_of([1.5e-12])) == "0.000000000001500"

"""Planted leaks are named with their figure, and clean data are not."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.studies import TINY, search_here, shop_table, write_study

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.data.sequences.splits import SequenceSplitSpec, make_sequence_splits
from lstmgru.data.sequences.table import build_sequences
from lstmgru.specs import ForecastSpec
from search.run.progress import SilentListener
from search.run.resume import open_study
from search.study.paths import StudyPaths
from search.study.storages import place_of
from search.tasks import make_plan
from search.tasks.forecasting.leaks import leaks
from search.tasks.sequences.leaks import leaks as sequence_leaks
from search.tasks.study_file import read_study_file

ROWS, HORIZON = 600, 7
Values = Any
GENERATOR = np.random.default_rng(0)
STEP = np.arange(ROWS)
NOISE = GENERATOR.normal(0, 1, (4, ROWS))

TARGETS: dict[str, Values] = {
    "weekly": 20 + 5 * np.sin(2 * np.pi * STEP / 7) + NOISE[0],
    "random walk": 100 + np.cumsum(NOISE[0]),
    "slow": 50 + 10 * np.sin(2 * np.pi * STEP / 365) + 0.1 * NOISE[0],
    "counts": GENERATOR.poisson(2 + 2 * (STEP % 7 > 4)),
    "AR .99": pd.Series(NOISE[0]).ewm(alpha=0.01).mean().to_numpy(),
    "trend": 0.1 * STEP + NOISE[0],
}


def shifted(values: Values, steps: int) -> Values:
    return pd.Series(values).shift(steps).bfill().ffill().to_numpy()


Plant = Callable[[Values], Values]
FUTURE: dict[str, tuple[Plant, str]] = {
    "itself": (lambda y: 3 * y - 1, "its value at the same time explains 99.9%"),
    "its logarithm": (lambda y: np.log(y - y.min() + 1), "its value at the same time explains"),
    "almost itself": (lambda y: y + 0.02 * np.std(np.diff(y)) * NOISE[1], "its value at the same time explains"),
    "tomorrow": (lambda y: shifted(y, -1), "its value 1 step earlier explains"),
    "yesterday": (lambda y: shifted(y, 1), "its value 1 step later explains"),
    "five days ago": (lambda y: shifted(y, 5), "its value 5 steps later explains"),
    "its change": (lambda y: np.diff(y, prepend=y[0]), "its value at the same time explains"),
}
PAST: dict[str, tuple[Plant, str]] = {
    "tomorrow": (lambda y: shifted(y, -1), "its value 1 step earlier explains"),
    "in a week": (lambda y: shifted(y, -7), "its value 7 steps earlier explains"),
}
CLEAN_FUTURE: dict[str, Plant] = {
    "day of week": lambda y: STEP % 7,
    "the season": lambda y: np.sin(2 * np.pi * STEP / 7),
    "a year": lambda y: np.cos(2 * np.pi * STEP / 365),
    "a trend": lambda y: STEP.astype(float),
    "half of it": lambda y: y + np.std(np.diff(y)) * NOISE[1],
    "another walk": lambda y: np.cumsum(NOISE[2]),
    "a week ago": lambda y: shifted(y, HORIZON),
    "noise": lambda y: NOISE[3],
}
CLEAN_PAST: dict[str, Plant] = {
    "itself": lambda y: y,
    "yesterday": lambda y: shifted(y, 1),
    "near it": lambda y: y + np.std(np.diff(y)) * NOISE[1],
}


def found(target: Values, covariate: Values, *, ahead: bool, shops: int = 1) -> tuple[str, ...]:
    days = pd.date_range("2021-01-01", periods=ROWS, freq="D")
    frames = [
        pd.DataFrame({"day": days, "shop": shop, "y": (shop + 1) * target, "x": covariate}) for shop in range(shops)
    ]
    panel = build_panel(
        pd.concat(frames),
        time="day",
        id="shop",
        targets=["y"],
        past_covariates=[] if ahead else ["x"],
        future_covariates=["x"] if ahead else [],
        source="shops.csv",
    )
    splits = make_splits(panel, SplitSpec(holdout=60, folds=2), context_length=14, horizon=HORIZON)
    return leaks(panel, splits, ForecastSpec(HORIZON, 7))


@pytest.mark.parametrize("ahead", [True, False])
def test_covariates_that_give_away_the_target_are_named(ahead: bool) -> None:
    missed = []
    for name, (plant, expected) in (FUTURE if ahead else PAST).items():
        for kind, target in TARGETS.items():
            said = found(target, plant(target), ahead=ahead)
            if len(said) != 1 or expected not in said[0]:
                missed.append((name, kind, said))

    assert missed == []


@pytest.mark.parametrize("ahead", [True, False])
def test_clean_covariates_are_not_named(ahead: bool) -> None:
    clean = CLEAN_FUTURE if ahead else CLEAN_PAST
    named = [
        (name, kind, said)
        for name, plant in clean.items()
        for kind, target in TARGETS.items()
        if (said := found(target, plant(target), ahead=ahead))
    ]

    assert named == []


def test_a_leak_of_every_series_is_found_whatever_their_sizes_and_the_holdout_is_not_read() -> None:
    weekly = TARGETS["weekly"]
    (said,) = found(weekly, weekly, ahead=True, shops=3)
    assert said == (
        "future covariate 'x' may give away target 'y': its value at the same time explains 99.9% of what the past of "
        "the target leaves open; remove it unless it is really known then"
    )
    in_the_holdout = STEP >= ROWS - 60
    assert found(weekly, np.where(in_the_holdout, weekly, NOISE[1]), ahead=True) == ()
    assert found(weekly, np.where(in_the_holdout, NOISE[1], weekly), ahead=True) == (said,)


def test_a_leak_of_any_target_is_found() -> None:
    frame = pd.DataFrame({"day": pd.date_range("2021-01-01", periods=ROWS, freq="D"), "one": TARGETS["weekly"]})
    frame = frame.assign(two=TARGETS["random walk"], x=TARGETS["random walk"])
    panel = build_panel(frame, time="day", targets=["one", "two"], future_covariates=["x"], source="shops.csv")
    splits = make_splits(panel, SplitSpec(holdout=60, folds=2), context_length=14, horizon=HORIZON)
    (said,) = leaks(panel, splits, ForecastSpec(HORIZON, 7))
    assert said.startswith("future covariate 'x' may give away target 'two'")


@pytest.mark.slow
def test_a_million_rows_are_audited_as_fast_as_fifty_thousand() -> None:
    def seconds(rows: int) -> float:
        times = pd.date_range("2000-01-01", periods=rows, freq="min")
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 6)), columns=list("abcdef")).assign(time=times)
        panel = build_panel(frame, time="time", targets=["a"], future_covariates=list("bcdef"), source="minutes")
        splits = make_splits(panel, SplitSpec(holdout=1000, folds=1), context_length=10, horizon=60)
        start = time.process_time()
        assert leaks(panel, splits, ForecastSpec(60, 60)) == ()
        return time.process_time() - start

    few = max(seconds(50_000) for _ in range(3))
    assert min(seconds(1_000_000) for _ in range(3)) < 3 * few


def texts(count: int = 200) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"text {number}" for number in range(count)], "kind": ["a", "b"] * (count // 2)})


def of_texts(frame: pd.DataFrame, test: Any = None) -> tuple[str, ...]:
    sequences = build_sequences(frame, layout="text", text="text", target="kind", task="classification", source="s.csv")
    splits = make_sequence_splits(
        sequences, SequenceSplitSpec(holdout=None if test is not None else 0.2, folds=3), test
    )
    return sequence_leaks(sequences, splits, has_test_part=test is not None)


def test_texts_in_a_training_and_a_scored_part_are_counted() -> None:
    frame = texts()
    assert of_texts(frame) == ()
    repeated = pd.concat([frame, frame[:40]], ignore_index=True)

    holdout, folds = of_texts(repeated)

    assert "texts of the holdout also stand in the training part; remove them from one of the two" in holdout
    assert "texts that the folds score also stand in their training parts" in folds
    counts = [int(said.split(" of ")[0]) for said in (holdout, folds)]
    assert 5 <= counts[0] <= 30
    assert counts[1] > 20


def test_a_test_part_that_overlaps_the_rest_is_counted_exactly() -> None:
    frame = texts()
    again = frame[:3].assign(kind=["b", "a", "a"])  # two have another label
    test = np.arange(203) >= 150

    (said,) = of_texts(pd.concat([frame, again], ignore_index=True), test)

    assert said.startswith(
        "3 of 53 (5.7%) texts of the test part also stand in the training part, 2 of them with another label;"
    )
    assert of_texts(frame, np.arange(200) >= 150) == ()
    (said,) = of_texts(pd.concat([texts(400), again[:1]], ignore_index=True), np.arange(401) >= 200)
    assert said.startswith("1 of 201 (0.5%) texts of the test part"), "not even one, which a drawn holdout may have"


def runs(count: int = 60, **columns: Callable[[int], float]) -> pd.DataFrame:
    """Runs of an engine, with channels that do not change within one."""
    generator = np.random.default_rng(1)
    frames = []
    for number in range(count):
        heat = generator.normal(0, 1, 5)
        own = {name: value(number) for name, value in columns.items()}
        frames.append(
            pd.DataFrame({"run": f"r{number}", "heat": heat, **own, "state": "ab"[number % 2], "wear": number})
        )
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(
    ("task", "frame", "expected"),
    [
        ("classification", runs(), None),
        ("classification", runs(code=lambda number: number % 2), "each of its 2 values has one class in 48 sequences"),
        ("classification", runs(site=lambda number: number % 3), None),
        ("classification", runs(serial=lambda number: number), None),
        ("regression", runs(hours=lambda number: 2 * number), "its correlation with the label is 1.0000"),
        ("regression", runs(hours=lambda number: number + number % 7), None),
    ],
)
def test_a_channel_that_is_the_label_is_named(task: Any, frame: pd.DataFrame, expected: str | None) -> None:
    channels = [column for column in frame if column not in ("run", "state", "wear")]
    target = "state" if task == "classification" else "wear"
    sequences = build_sequences(
        frame, layout="long", id="run", channels=channels, target=target, task=task, source="runs.csv"
    )
    splits = make_sequence_splits(sequences, SequenceSplitSpec(holdout=0.2, folds=2), None)

    said = sequence_leaks(sequences, splits, has_test_part=False)

    assert len(said) == (expected is not None)
    if expected:
        assert f"channel {channels[-1]!r} may be the label in disguise" in said[0]
        assert expected in said[0]


def test_equal_sequences_of_numbers_are_counted() -> None:
    frame = runs()
    again = frame[frame["run"].isin([f"r{number}" for number in range(20)])]
    both = pd.concat([frame, again.assign(run="again " + again["run"])], ignore_index=True)
    sequences = build_sequences(
        both, layout="long", id="run", channels=["heat"], target="state", task="classification", source="runs.csv"
    )
    splits = make_sequence_splits(sequences, SequenceSplitSpec(holdout=0.2, folds=2), None)

    assert any(
        "sequences that the folds score also stand" in said
        for said in sequence_leaks(sequences, splits, has_test_part=False)
    )


def test_check_and_the_report_name_a_leak(tmp_path: Path) -> None:
    frame = shop_table()
    frame["copy"] = 2 * frame["sales"]
    write_study(tmp_path, TINY.replace("past_covariates: visitors", "future_covariates: copy"), frame)
    said = "future covariate 'copy' may give away target 'sales': its value at the same time explains 99.9% of what"

    checked = search_here(tmp_path, "check", "tiny.yaml")
    study = read_study_file(tmp_path / "tiny.yaml")
    paths = StudyPaths(tmp_path, "tiny")
    paths.studies.mkdir()
    open_study(make_plan(study.config, study_file=tmp_path / "tiny.yaml"), place_of(paths), SilentListener())
    reported = search_here(tmp_path, "report", "tiny.yaml")

    assert said in checked.stdout
    assert reported.returncode == 0, reported.stderr
    assert html.escape(said) in (paths.report / "report.html").read_text(encoding="utf-8")

"""From a study file to its panel: names, static covariates and series that begin late."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.studies import TINY, search_here, shop_table, write_study

from lstmgru.errors import DataError
from search.api import load_plan
from search.cli.app import main
from search.errors import StudyFileError
from search.space.space import Settings
from search.tasks.forecasting.plan import ForecastPlan
from search.tasks.forecasting.words import split_lines
from search.tasks.plan import Plan, identity

STUDY = """\
data:
  path: shops.csv
  time: day
  id: shop
  target: sales
  past_covariates: grade
  static_covariates: [region, size]
  categorical: [grade, region]
  short_series: pad
forecast: {horizon: 3}
splits: {holdout: 20, folds: 2, fold_size: 10}
space: {context_length: 14}
search: {jobs: 1}
training: {min_epoch_windows: 1, accelerator: cpu}
"""


def write(folder: Path, text: str = STUDY) -> Path:
    """Three shops: c begins after the first fold's training part, b within the holdout."""
    generator = np.random.default_rng(0)
    frames = []
    for shop, start, region in (("a", 0, "1.0"), ("b", 90, "true"), ("c", 70, "NA")):
        days = pd.date_range("2020-01-01", "2020-04-09")[start:]
        sales, grade = generator.random(len(days)), generator.choice(["1", "2.0", "02"], len(days))
        frames.append(pd.DataFrame({"day": days, "shop": shop, "sales": sales, "grade": grade}))
        frames[-1] = frames[-1].assign(region=region, size=start)
    pd.concat(frames).to_csv(folder / "shops.csv", index=False)
    path = folder / "shops.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_study_reads_names_as_they_are_written(tmp_path: Path) -> None:
    panel = load_plan(str(write(tmp_path))).panel

    assert panel.schema.categories["region"] == ("1.0", "NA", "true")
    assert set(panel.schema.categories["grade"]) == {"1", "2.0", "02"}
    assert panel.static.tolist() == [[1, 0], [3, 90], [2, 70]]


def test_a_series_that_begins_late_is_scored_as_soon_as_it_has_a_row(tmp_path: Path) -> None:
    plan = load_plan(str(write(tmp_path)))

    lengths = [(split.train[:, 1] - split.train[:, 0]).tolist() for split in (*plan.splits.folds, plan.splits.holdout)]
    assert lengths == [[60, 0, 0], [70, 0, 0], [80, 0, 10]]
    hidden = plan.search_data().panel
    assert np.isnan(hidden.values[hidden.offsets[1] : hidden.offsets[2]]).all()  # b, all of it
    np.testing.assert_array_equal(hidden.static, plan.panel.static)


def test_without_padding_a_late_series_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"series 'b' has 10 rows, too few.* or data\.short_series: pad \(2 of 3"):
        load_plan(str(write(tmp_path)), overrides=["data.short_series=error"])


def test_what_makes_trials_comparable_includes_names_static_covariates_and_padding(tmp_path: Path) -> None:
    kept = identity(load_plan(str(write(tmp_path)))).values

    assert kept["data.static_covariates"] == ["region", "size"]
    assert kept["data.categorical"] == ["grade", "region"]
    assert kept["data.short_series"] == "pad"


def test_a_precision_reaches_the_training(tmp_path: Path) -> None:
    plan = load_plan(str(write(tmp_path)), overrides=["training.precision=bf16-mixed"])
    assert plan.train_spec(Settings(0.01, 32, 0.0, "adamw", "constant", "mae"), seed=0).precision == "bf16-mixed"


def test_check_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["search", "check", str(write(tmp_path))])
    with pytest.raises(SystemExit):
        main()
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    assert "static covariates region, size" in lines
    assert "categorical grade (3 names), region (3 names)" in lines
    assert "short series 2 of 3 have no whole window of 17 rows in fold 1 (pad)" in lines
    assert "folds 2, then a holdout from 2020-03-21 to 2020-04-09" in lines
    assert "fold 2 train 2020-01-01 to 2020-03-10, score 2020-03-11 to 2020-03-20: 15 forecasts" in lines


def late_study(tmp_path: Path, *settings: str) -> Plan:
    """Two shops with a year of days, and a third that opens within the holdout."""
    days = pd.date_range("2022-01-01", periods=365, freq="D")
    frames = [
        pd.DataFrame({"day": days[first:], "shop": name, "sales": np.arange(first, 365) % 7 + level})
        for name, first, level in (("a", 0, 1000.0), ("b", 0, 5000.0), ("late", 345, 1.0))
    ]
    pd.concat(frames).to_csv(tmp_path / "shops.csv", index=False)
    file = tmp_path / "late.yaml"
    file.write_text(
        "data: {path: shops.csv, time: day, target: sales, id: shop, short_series: pad}\n"
        "forecast: {horizon: 7}\nsplits: {holdout: 28, folds: 2}\n",
        encoding="utf-8",
    )
    return load_plan(file, overrides=settings)


def test_a_series_without_a_past_of_its_own_is_scaled_by_its_windows(tmp_path: Path) -> None:
    assert late_study(tmp_path).space["normalization"].values == ("window",)


def test_a_scale_of_its_own_for_a_series_without_a_past_is_refused(tmp_path: Path) -> None:
    expected = r"space.normalization holds series or last, .* series 'late' has fewer than 8 rows in that of holdout"
    with pytest.raises(StudyFileError, match=expected):
        late_study(tmp_path, "space.normalization=[window, last]")


def gappy_study(folder: Path, missing: float = 0.2, *settings: str) -> Plan:
    """200 days, some of which have no value."""
    generator = np.random.default_rng(0)
    values = pd.Series(generator.random(200)).mask(generator.random(200) < missing)
    values.iloc[[0, -1]] = 1.0
    days = pd.date_range("2022-01-01", periods=200, freq="D")
    pd.DataFrame({"day": days, "sales": values}).to_csv(folder / "days.csv", index=False)
    file = folder / "days.yaml"
    file.write_text(
        "data: {path: days.csv, time: day, target: sales, gaps: interpolate}\n"
        "forecast: {horizon: 14}\nsplits: {holdout: 30, folds: 2}\nspace: {context_length: 7}\n",
        encoding="utf-8",
    )
    return load_plan(file, overrides=settings)


def test_check_counts_the_forecasts_and_the_known_values_of_every_split(tmp_path: Path) -> None:
    plan = gappy_study(tmp_path)
    known = plan.panel.known[:, 0]

    lines = dict(split_lines(plan))

    for split in (*plan.splits.folds, plan.splits.holdout):
        start, end = split.evaluation[0]
        scored = [known[row : row + 14] for row in range(start, end - 13) if known[row - 1]]
        n_forecasts, n_values = len(scored), int(np.sum(scored))
        assert n_forecasts > 10
        counts = f": {n_forecasts} forecasts, {n_values} of {14 * n_forecasts} values known"
        assert lines[split.name].endswith(counts)
    assert plan.notes == ()
    assert dict(split_lines(gappy_study(tmp_path, 0)))["holdout"].endswith(": 17 forecasts")


def test_few_forecasts_are_said_before_the_search(tmp_path: Path) -> None:
    (note,) = gappy_study(tmp_path, 0, "splits.fold_size=22").notes
    assert note.startswith("fewer than 10 forecasts are scored (fold 1: 9, fold 2: 9), and such ")


def test_a_study_that_left_out_whole_windows_goes_on_doing_so(tmp_path: Path) -> None:
    plan = gappy_study(tmp_path, 0.03)
    fold = plan.splits.folds[0]
    begun = plan.with_defaults({"epoch_windows": 6400})

    assert plan.with_defaults(plan.defaults).search_data().evaluation(fold).known is not None
    evaluation = begun.search_data().evaluation(fold)
    assert evaluation.known is None
    assert len(evaluation.cutoffs) < len(plan.search_data().evaluation(fold).cutoffs)
    assert begun.defaults == {"epoch_windows": 6400, "masks_steps": False, "minimum": []}
    assert identity(begun).values == identity(plan).values


def test_a_series_that_never_changes_does_not_forbid_mase(tmp_path: Path) -> None:
    (note,) = flat_study(tmp_path).notes
    assert note.startswith("mase leaves out series 'flat': no change over a season")
    with pytest.raises(StudyFileError, match=r"forecast\.metric is mase, which divides by the change over a season"):
        flat_study(tmp_path, level=0)


def flat_study(folder: Path, level: float = 1) -> Plan:
    """A shop that sells and one that never does."""
    days = pd.date_range("2022-01-01", periods=200, freq="D")
    sales = np.concatenate([level * np.random.default_rng(0).random(200), np.zeros(200)])
    sales[199] = 1
    pd.DataFrame({"day": [*days, *days], "shop": np.repeat(["open", "flat"], 200), "sales": sales}).to_csv(
        folder / "flat.csv", index=False
    )
    file = folder / "flat.yaml"
    file.write_text(
        "data: {path: flat.csv, time: day, target: sales, id: shop}\nforecast: {horizon: 7, metric: mase}\n"
        "splits: {holdout: 28, folds: 2}\n",
        encoding="utf-8",
    )
    return load_plan(file)


def monthly_study(folder: Path, lengths: tuple[int, ...], *settings: str) -> Plan:
    """Shops with some months each, all until the end of 2020."""
    frames = []
    for shop, length in enumerate(lengths):
        months = pd.date_range(end="2020-12-01", periods=length, freq="MS")
        frames.append(pd.DataFrame({"month": months, "shop": shop, "sales": np.arange(length) % 12 + shop}))
    pd.concat(frames).to_csv(folder / "months.csv", index=False)
    file = folder / "months.yaml"
    file.write_text(
        "data: {path: months.csv, time: month, target: sales, id: shop}\nforecast: {horizon: 12}\n"
        "splits: {holdout: 24}\n",
        encoding="utf-8",
    )
    return load_plan(file, overrides=settings)


@each_row(
    ("lengths", "settings", "folds", "contexts", "notes"),
    [
        ((300,), (), 3, (24, 48), []),
        ((144,), (), 3, (12,), ["space.context_length is 12"]),
        ((105,), (), 2, (12,), ["splits.folds is 2 instead of 3", "space.context_length is 12"]),
        ((80,), (), 1, (12,), ["splits.folds is 1 instead of 3", "space.context_length is 12"]),
        ((65,), (), 1, (1,), ["splits.folds is 1 instead of 3", "space.context_length is 1 "]),
        ((105,), ("splits.folds=2",), 2, (12,), ["space.context_length is 12"]),
        ((105,), ("space.context_length=18",), 2, (18,), ["splits.folds is 2 instead of 3"]),
        ((105, 105), (), 2, (12,), ["splits.folds is 2 instead of 3", "space.context_length is 12"]),
        ((300, 30, 1), ("data.short_series=pad",), 3, (24, 48, 96), []),
    ],
)
def test_what_a_study_leaves_open_gives_way_to_short_data(
    tmp_path: Path, lengths: tuple[int, ...], settings: tuple[str, ...], folds: int, contexts: Any, notes: list[str]
) -> None:
    plan = monthly_study(tmp_path, lengths, *settings)

    assert plan.n_folds == plan.config.splits.folds == folds
    assert plan.space["context_length"].values == contexts
    assert [note for note in plan.notes if "instead" in note] == [*map(StartsWith, notes)]


class StartsWith(str):
    """Equal to texts that begin with it."""

    def __eq__(self, other: object) -> bool:
        return str(other).startswith(str(self))

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("lengths", "settings", "message"),
    [
        ((105,), ("splits.folds=3",), r"here 9 rows, and needs at least 13 \(context 1 \+ horizon 12\); use fewer"),
        ((105,), ("space.context_length=70",), r"needs at least 82 \(context 70 \+ horizon 12\)"),
        ((40,), (), r"before the last 48 .*, here 0 rows, and needs at least 13 .*a smaller holdout$"),
        ((300, 100), (), r"series '1' has 100 rows.* or data\.short_series: pad \(1 of 2 series are too short\)"),
        ((300, 1), (), r"series '1' has 1 rows.* or data\.short_series: pad \(1 of 2 series are too short\)"),
    ],
)
def test_what_a_study_chooses_does_not_give_way(
    tmp_path: Path, lengths: tuple[int, ...], settings: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        monthly_study(tmp_path, lengths, *settings)


def test_logarithms_are_decided_before_the_holdout(tmp_path: Path) -> None:
    def positive(row: int) -> tuple[bool, int]:
        frame = shop_table().assign(sales=lambda table: table["sales"].mask(table.index == row, 0.0))
        plan = load_plan(str(write_study(tmp_path, TINY.replace("small", "standard"), frame)))
        assert isinstance(plan, ForecastPlan)
        said = [note for note in plan.notes if note.startswith("sales is above 0 before the holdout, but not in it")]
        return plan.facts.positive, len(said)

    assert [positive(row) for row in (20, 179, 180, 199)] == [(False, 0), (False, 0), (True, 1), (True, 1)]
    assert positive(200) == (True, 0)


@pytest.mark.slow
def test_values_without_a_logarithm_in_the_holdout_do_not_end_a_study(tmp_path: Path) -> None:
    frame = shop_table().assign(sales=lambda table: table["sales"].mask(table.index.isin([185, 199]), 0.0))
    text = TINY.replace("preset: small", "preset: small\n  transform: log\n  pooling: additive")
    write_study(tmp_path, text.replace("trials: 4", "trials: 1\n  blend: off"), frame)

    result = search_here(tmp_path, "run", "tiny.yaml")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "tiny.bundle" in result.stdout
    refused = search_here(tmp_path, "predict", "studies/tiny.bundle", "--data", "shop.csv")
    assert refused.returncode == 2
    assert "'sales' must be positive, as the model takes logarithms" in refused.stderr


@pytest.mark.parametrize(
    ("first", "step", "said"), [(1_577_836_800, 3600, True), (1_577_836_800, 1, False), (0, 60, False)]
)
def test_seconds_of_unix_are_said_to_have_no_calendar(tmp_path: Path, first: int, step: int, said: bool) -> None:
    rows = np.arange(400)
    pd.DataFrame({"t": first + step * rows, "y": np.sin(rows)}).to_csv(tmp_path / "s.csv", index=False)
    study = "data: {path: s.csv, time: t, target: y}\nforecast: {horizon: 3}\nsplits: {holdout: 40}\n"
    (tmp_path / "s.yaml").write_text(study)
    assert any("look like Unix seconds" in note for note in load_plan(tmp_path / "s.yaml").notes) == said


def test_the_data_are_described_in_local_time(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=24 * 30, freq="h")
    values = np.random.default_rng(0).random(len(times))
    pd.DataFrame({"at": times, "load": values}).to_csv(tmp_path / "grid.csv", index=False)
    path = tmp_path / "grid.yaml"
    data = "{path: grid.csv, time: at, target: load, timezone: Asia/Tokyo}"
    path.write_text(f"data: {data}\nforecast: {{horizon: 24}}\nsplits: {{holdout: 72}}\n")

    plan = load_plan(str(path))

    described = plan.describe_data()
    assert (described["start"], described["end"]) == ("2024-01-01", "2024-01-30 23:00:00")
    assert "2024-01-30 23:00:00" in split_lines(plan)[-1][1]  # as check prints it

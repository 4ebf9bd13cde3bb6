"""Files predicted in blocks: the predictions and reasons of the whole table, whatever its order and faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import forecast_bundles as forecasts
from helpers import sequence_bundles as sequences
from helpers.combinations import each_row
from helpers.faults import FAULTS, SEQUENCES, in_row, model, shops, without

from lstmgru.data.tables import arrow_text
from lstmgru.errors import DataError
from lstmgru.runtime import Predictor
from lstmgru.runtime.jobs import predict_file
from lstmgru.runtime.predictor import Options

WHOLE = 10**9
ORDERS = ("sorted", "mixed")
NO_OPTIONS = Options()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks of a small file."""
    monkeypatch.setattr(arrow_text, "_CHUNK_BYTES", 500)


def written(frame: pd.DataFrame, path: Path, order: str = "sorted") -> Path:
    frame = frame.sample(frac=1, random_state=1) if order == "mixed" else frame
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False, row_group_size=7)
    else:
        frame.to_csv(path, index=False)
    return path


def predicted(
    model: Predictor, path: Path, block_rows: int, options: Options = NO_OPTIONS, **settings: Any
) -> tuple[pd.DataFrame, dict[str, str], int]:
    """Everything together, and the number of parts."""
    parts = list(predict_file(model, path, options, block_rows=block_rows, **settings))
    left_out = {name: reason for part in parts for name, reason in part.left_out.items()}
    return pd.concat([part.table for part in parts], ignore_index=True), left_out, len(parts)


@each_row("order", ORDERS)
@each_row("fault", ["none", *FAULTS])
def test_blocks_forecast_and_leave_out_what_the_whole_table_does(tmp_path: Path, fault: str, order: str) -> None:
    frame = shops() if fault == "none" else FAULTS[fault][0](shops())
    path = written(frame, tmp_path / "new.csv", order)
    whole, reasons, _ = predicted(model(), path, WHOLE)

    for rows, blocks in [(1, 3), (60, 2)]:
        table, left_out, n_parts = predicted(model(), path, rows)
        pd.testing.assert_frame_equal(table, whole, check_dtype=False, rtol=1e-5)
        assert left_out == reasons
        assert n_parts == blocks
    assert (fault == "none") == (not reasons)


def test_several_faults_and_rows_without_names_are_left_out_by_their_rows_in_the_file(tmp_path: Path) -> None:
    frame = in_row(without(shops(), "a", slice(0, 20)), "c", 3, visits="many")
    path = written(in_row(frame.sample(frac=1, random_state=0), "b", 0, shop=None), tmp_path / "new.csv")
    whole, reasons, _ = predicted(model(), path, WHOLE)

    table, left_out, _ = predicted(model(), path, 20)

    pd.testing.assert_frame_equal(table, whole, rtol=1e-5)
    assert left_out == reasons
    assert {name.split()[0] for name in reasons} == {"a", "c", "row"}


@each_row("order", ORDERS)
@each_row("fault", [*sequences.KINDS, *(name for name in SEQUENCES if name not in ("a number", "half"))])
def test_blocks_label_and_leave_out_what_the_whole_table_does(tmp_path: Path, fault: str, order: str) -> None:
    """All faults except texts that no file can hold."""
    kind, change = (fault, lambda f: f) if fault in sequences.KINDS else SEQUENCES[fault][:2]
    frame, bundle = sequences.made(kind)
    frame = change(frame)
    suffix = "csv" if kind in ("words", "characters") else "parquet"
    if suffix == "parquet":
        frame = frame.astype({name: str for name in frame if frame[name].dtype == object})
    path = written(frame, tmp_path / f"new.{suffix}", order)
    whole, reasons, _ = predicted(bundle, path, WHOLE)

    for rows in (1, 3):
        table, left_out, n_parts = predicted(bundle, path, rows)
        pd.testing.assert_frame_equal(table, whole, check_dtype=False, rtol=1e-4, atol=1e-6)
        assert left_out == reasons
        assert n_parts > 1


def test_texts_without_an_id_are_numbered_by_their_rows_in_the_file(tmp_path: Path) -> None:
    frame, bundle = sequences.made("words")
    table, left_out, n_parts = predicted(bundle, written(frame.drop(columns="mood"), tmp_path / "x.csv"), 2)
    assert table["row"].tolist() == [1, 2, 3, 5, 6, 7]
    assert list(left_out) == ["4"]
    assert "empty in row 4" in left_out["4"]
    assert n_parts == 4


def test_what_breaks_the_whole_table_is_an_error_also_in_blocks(tmp_path: Path) -> None:
    for change, message in [
        (lambda f: f.drop(columns="price"), "'price' but there is no such column"),
        (lambda f: f.drop(columns="shop"), "'shop' but there is no such column"),
        (lambda f: f.assign(price=np.nan), r"'price' is empty .* the other 2 cannot be predicted either$"),
        (lambda f: f[f["day"].dt.dayofweek == 0], r"the frequency of .* is W-MON but the model was trained on D"),
        (lambda f: f.assign(day=f["day"].dt.tz_localize("UTC")), "has the time zone UTC but the model"),
    ]:
        path = written(change(shops()), tmp_path / "new.csv")
        for rows in (1, WHOLE):
            with pytest.raises(DataError, match=message):
                predicted(model(), path, rows)


def test_strict_predictions_raise_the_first_reason_with_its_row(tmp_path: Path) -> None:
    path = written(in_row(shops(), "b", 3, visits="many"), tmp_path / "new.csv")
    for rows in (1, WHOLE):
        with pytest.raises(DataError, match=r"new\.csv: column 'visits' must hold numbers but row 31 is 'many'"):
            predicted(model(), path, rows, strict=True)


def test_progress_counts_the_rows_of_the_file(tmp_path: Path) -> None:
    path, seen = written(shops(), tmp_path / "new.csv"), []
    predicted(model(), path, 30, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (81, 81)
    assert (81, None) in seen
    counted = [done for done, total in seen if total is not None]
    assert counted == sorted(counted)
    assert len(counted) == 4


def test_samples_and_levels_do_not_depend_on_the_blocks(tmp_path: Path) -> None:
    path = written(shops(), tmp_path / "new.csv", "mixed")
    scores = np.random.default_rng(0).standard_normal((50, forecasts.HORIZON, 2)).astype(np.float32)
    bundle = forecasts.bundle_of(
        forecasts.rich_panel(shops()), calibration=forecasts.calibration_of(2), normal_scores=scores
    )
    for options in (Options(samples=7, seed=3), Options(levels=(0.5, 0.9), horizon=2)):
        whole = predicted(bundle, path, WHOLE, options)[0]
        assert len(whole) == (3 * 7 * 3 * 2 if options.samples else 3 * 2 * 2)
        pd.testing.assert_frame_equal(predicted(bundle, path, 1, options)[0], whole, rtol=1e-5)
    with pytest.raises(DataError, match="sample paths have no intervals; remove the levels, or predict twice"):
        predicted(bundle, path, WHOLE, Options(levels=(0.5,), samples=7))


def test_a_table_of_a_single_series_is_read_as_a_whole(tmp_path: Path) -> None:
    frame = forecasts.table()
    bundle = forecasts.bundle_of(forecasts.panel_of(frame))
    table, _, n_parts = predicted(bundle, written(frame, tmp_path / "x.csv"), 2)
    assert n_parts == 1
    pd.testing.assert_frame_equal(table, bundle.predict(pd.read_csv(tmp_path / "x.csv")))

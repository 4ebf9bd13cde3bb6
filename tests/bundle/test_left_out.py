"""What cannot be read of a table does not stop the rest; it is left out and named with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import forecast_bundles as forecasts
from helpers import sequence_bundles as sequences
from helpers.combinations import each_row
from helpers.faults import FAULTS, SEQUENCES, in_row, model, shops, without
from typer.testing import CliRunner

from lstmgru.bundle import SequenceBundle
from lstmgru.bundle.pyfunc import PyfuncModel
from lstmgru.errors import DataError
from search.cli.app import app


@each_row("fault", FAULTS)
def test_series_that_break_a_rule_are_left_out_and_the_others_are_forecast_as_ever(fault: str) -> None:
    change, reason = FAULTS[fault]
    frame, whole = change(shops()), model().predict(shops())

    table, left_out = model().predict_available(frame, source="new.csv")

    others = whole[whole["shop"] != "b"].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, others, check_dtype=False)
    (name,) = left_out
    assert name in ("b", "d")
    assert reason in left_out[name]
    with pytest.raises(DataError, match=r"^new\.csv") as caught:
        model().predict(frame, source="new.csv")
    assert reason in str(caught.value)


def test_series_with_different_faults_are_left_out_each_with_its_row_in_the_table() -> None:
    frame = in_row(without(shops(), "a", slice(0, 20)), "c", 3, visits="many")
    frame = in_row(frame.sample(frac=1, random_state=0), "b", 0, shop=None)

    table, left_out = model().predict_available(frame, source="new.csv")

    place = {str(name): row + 1 for row, name in enumerate(frame["shop"])}
    many = frame["visits"].tolist().index("many") + 1
    assert left_out.keys() == {"a", "c", f"row {place['nan']}"}
    assert f"row {many} is 'many'" in left_out["c"]
    assert "has 4 rows up to its last value" in left_out["a"]
    assert table["shop"].unique().tolist() == ["b"]


def test_a_row_before_the_context_does_not_matter() -> None:
    early = in_row(shops(), "b", 0, day=pd.Timestamp("2001-01-01"))
    pd.testing.assert_frame_equal(model().predict(early), model().predict(shops()))


def test_a_table_of_which_nothing_can_be_forecast_is_refused() -> None:
    with pytest.raises(DataError, match=r"'price' is empty .* the other 2 cannot be predicted either$"):
        model().predict_available(shops().assign(price=np.nan))
    with pytest.raises(DataError, match="there is no such column"):
        model().predict_available(shops().drop(columns="price"))


def test_a_single_series_is_refused_as_ever() -> None:
    frame = forecasts.table()
    bundle = forecasts.bundle_of(forecasts.panel_of(frame))

    with pytest.raises(DataError, match=r"^table: the series has 5 rows .* add earlier rows$"):
        bundle.predict_available(frame[:5])


def test_static_covariates_need_not_be_repeated_in_rows_without_targets() -> None:
    frame = shops()
    future = frame["sales 0"].isna()
    sparse = frame.assign(kind=frame["kind"].mask(future), area=frame["area"].mask(future))

    pd.testing.assert_frame_equal(model().predict(sparse), model().predict(frame))
    with pytest.raises(DataError, match="static covariate 'kind' is empty at 2020-03-20 of series 'a'"):
        model().predict(frame.assign(kind=None))


@each_row("fault", SEQUENCES)
def test_sequences_and_texts_that_break_a_rule_are_left_out_and_the_others_keep_their_names(fault: str) -> None:
    kind, change, name, reason = SEQUENCES[fault]
    frame, bundle = sequences.made(kind)
    whole = bundle.predict(frame)

    table, left_out = bundle.predict_available(change(frame))

    assert list(left_out) == [name]
    assert reason in left_out[name]
    others = whole[whole.iloc[:, 0].astype(str) != name].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, others, check_dtype=False, rtol=1e-4)


def test_texts_of_a_list_are_left_out_by_their_number() -> None:
    bundle: SequenceBundle = sequences.made("words")[1]

    table, left_out = bundle.predict_available(["fine", None, "late"])

    assert table["row"].tolist() == [1, 3]
    assert left_out == {"2": "table: column 'text' (data.text) is empty in row 2; write a text, or remove the row"}


def test_a_name_that_occurs_twice_is_refused_without_advice_for_a_study() -> None:
    frame, bundle = sequences.made("wide")
    with pytest.raises(DataError, match=r"names '\d+' again in row \d+, but .* of its own; remove one of them$"):
        bundle.predict(pd.concat([frame, frame[:1]]))


def test_a_gap_beside_labels_is_refused_without_advice_for_a_study() -> None:
    frame, bundle = sequences.made("sequences")
    with pytest.raises(DataError, match=r"column 'load' is empty in row 3 \(sequence 'e1'\); complete the table$"):
        bundle.sequences(frame.assign(load=frame["load"].where(frame.index != 2)))


def test_a_served_model_predicts_all_or_nothing_unless_it_is_asked_for_what_it_can() -> None:
    change, reason = FAULTS["future missing"]
    frame, served = change(shops()), PyfuncModel(model())

    with pytest.raises(DataError, match="is not known"):
        served.predict(frame, params={"strict": True})
    with pytest.warns(UserWarning, match="left out: model input: future covariate") as caught:
        table = served.predict(frame, params={"strict": False})
    assert reason in str(caught[0].message)
    assert table["shop"].unique().tolist() == ["a", "c"]


def test_the_command_predicts_what_it_can_and_says_so_by_its_exit_code(tmp_path: Path) -> None:
    panel = forecasts.panel_of(forecasts.table(shops=tuple("abcdefghijklmnopqrstuvwxyz")))
    folder = forecasts.save(tmp_path / "model", forecasts.bundle_of(panel, forecasts.model_of(normalization="fold")))
    frame = forecasts.table(shops=("a", "b", *(f"new {n}" for n in range(25))))
    frame[~(frame["shop"].str.startswith("new") & (frame["day"] < "2020-04-10"))].to_csv(tmp_path / "new.csv")

    def run(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["predict", str(folder), "--data", str(tmp_path / "new.csv"), *options])
        return result.exit_code, result.stderr

    code, shown = run("--output", str(tmp_path / "f.csv"), "--left-out", str(tmp_path / "left.json"))

    assert code == 3
    assert len(shown.splitlines()) == 21
    assert shown.splitlines()[-1] == f"left out: 5 more; {tmp_path / 'left.json'} lists all"
    entries = json.loads((tmp_path / "left.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in entries] == sorted(f"new {n}" for n in range(25))
    assert "has 3 rows up to its last value" in entries[0]["reason"]
    assert pd.read_csv(tmp_path / "f.csv")["shop"].unique().tolist() == ["a", "b"]
    assert run("--strict")[0] == 1  # an exception, which main() turns into exit code 2
    frame[~frame["shop"].str.startswith("new")].to_csv(tmp_path / "new.csv")
    assert run("--output", str(tmp_path / "f.csv"), "--left-out", str(tmp_path / "left.json"))[0] == 0
    assert json.loads((tmp_path / "left.json").read_text(encoding="utf-8")) == []

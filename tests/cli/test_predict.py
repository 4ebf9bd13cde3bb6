"""Prediction as a job: tables larger than a block, an output that is whole or not there, and one line for a mistake."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import forecast_bundles as forecasts
from helpers.combinations import each_row
from helpers.json_output import valid_json
from helpers.studies import program_environment, search_here
from typer.testing import CliRunner

from lstmgru.errors import DataError
from search.cli.app import app
from search.errors import SearchError

SCORES = np.random.default_rng(0).standard_normal((40, forecasts.HORIZON, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of shops, and ``new.csv`` with 2,000 of them, one of which is too short."""
    folder = tmp_path_factory.mktemp("shops")
    panel = forecasts.panel_of(forecasts.table(shops=("a", "b")))
    bundle = forecasts.bundle_of(
        panel, forecasts.model_of(normalization="fold"), calibration=forecasts.calibration_of(), normal_scores=SCORES
    )
    forecasts.save(folder / "model", bundle)
    generator, shops, days = np.random.default_rng(0), 2000, 12
    frame = pd.DataFrame({
        "shop": np.repeat([f"shop {number}" for number in range(shops)], days),
        "day": np.tile(pd.date_range("2024-01-01", periods=days).strftime("%Y-%m-%d"), shops),
        "sales 0": generator.normal(20, 5, shops * days).round(2),
        "visits": generator.normal(20, 5, shops * days).round(2),
    })  # fmt: skip
    frame = frame[(frame["shop"] != "shop 7") | (frame["day"] > "2024-01-09")]
    frame.sort_values(["day", "shop"]).to_csv(folder / "new.csv", index=False)
    frame[frame["shop"].isin(["shop 1", "shop 2"])].to_csv(folder / "few.csv", index=False)
    return folder


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "search", "predict", "model", "--data", "new.csv", *options]


@pytest.mark.parametrize(("name", "options"), [("f.csv", ()), ("f.parquet", ("--samples", "3")), ("f.csv.gz", ())])
def test_blocks_make_the_file_that_the_whole_table_makes(folder: Path, name: str, options: tuple[str, ...]) -> None:
    read = pd.read_parquet if name.endswith("parquet") else pd.read_csv
    tables = []
    for rows in (1000, 10**6):
        arguments = ("--block-rows", str(rows), "--left-out", "left.json", "--output", name, *options)
        done = search_here(folder, "predict", "model", "--data", "new.csv", *arguments)
        assert done.returncode == 3, done.stderr
        assert done.stderr.count("left out:") == 1
        assert "'shop 7' has 3 rows up to its last value" in done.stderr
        left_out = valid_json("predict", (folder / "left.json").read_text(encoding="utf-8"))
        assert [each["name"] for each in left_out] == ["shop 7"]
        tables.append((read(folder / name), left_out))
    pd.testing.assert_frame_equal(tables[0][0], tables[1][0], rtol=1e-4)
    assert tables[0][1] == tables[1][1]
    assert tables[0][0]["shop"].nunique() == 1999
    assert not [path.name for path in folder.glob(".*")]


def test_without_a_file_a_large_table_is_printed_as_csv(folder: Path) -> None:
    done = search_here(folder, "predict", "model", "--data", "new.csv", "--block-rows", "1000")
    whole = search_here(folder, "predict", "model", "--data", "new.csv")
    assert done.returncode == whole.returncode == 3
    assert len(done.stdout.splitlines()) == 1 + 1999 * forecasts.HORIZON
    assert [line.split(",")[:3] for line in done.stdout.splitlines()] == [
        line.split(",")[:3] for line in whole.stdout.splitlines()
    ]
    strict = search_here(folder, "predict", "model", "--data", "new.csv", "--block-rows", "1000", "--strict")
    assert (strict.returncode, strict.stdout) == (2, "")
    assert strict.stderr.startswith("error: new.csv: series 'shop 7' has 3 rows")


def test_levels_samples_and_horizon_are_options(folder: Path) -> None:
    few = ("predict", "model", "--data", "few.csv")
    levels = search_here(folder, *few, "--levels", "0.9, 0.5", "--horizon", "2").stdout.splitlines()
    assert levels[0] == "shop,day,target,forecast,lower_50,upper_50,lower_90,upper_90"
    assert len(levels) == 1 + 2 * 2
    one, same, other = (
        search_here(folder, *few, "--samples", "5", "--seed", seed).stdout.splitlines() for seed in ("1", "1", "2")
    )
    assert one[0] == "shop,day,target,sample,value"
    assert len(one) == 1 + 2 * 5 * forecasts.HORIZON
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--levels", "0.5,0.9999"),
            "an interval of level 0.9999 needs 9,999 errors of the backtest, but there are 120",
        ),
        (("--levels", "80"), "levels must be numbers between 0 and 1 but got 80; 0.9 is the 90% interval"),
        (("--levels", "high"), "--levels must be numbers separated by commas, such as 0.5,0.9, but got 'high'"),
        (("--levels", "0.5", "--samples", "3"), "sample paths have no intervals; remove the levels, or predict twice"),
        (("--samples", "0"), "the number of sample paths must be at least 1 but got 0"),
        (
            ("--horizon", "9"),
            "the horizon must be from 1 to 3 (the trained horizon) but got 9; for a longer one train a model with "
            "forecast.horizon 9",
        ),
        (
            ("--samples", "1000000000"),
            "1,000,000,000 sample paths of a series are 3,000,000,000 rows (about 120 GB), but a table holds up to "
            "50,000,000; ask for up to 16,666,666 with each seed",
        ),
        (("--output", "f.xlsx"), "f.xlsx: a table is written as .csv, .csv.gz or .parquet"),
        (("--output", "no/f.csv"), "no/f.csv cannot be written: no is not a directory"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, options: tuple[str, ...], message: str) -> None:
    done = search_here(folder, "predict", "model", "--data", "few.csv", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"error: {message}")


def refused(*arguments: str) -> str:
    """The error of a command that ends at once."""
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, SearchError | DataError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


TABLE = "is the table itself; choose another file"
BOTH = "is given as --output and as --left-out; choose another file for one of them"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--output", "table.csv"), TABLE),
        (("--output", "./sub/../table.csv"), TABLE),
        (("--output", "link.csv"), TABLE),
        (("--left-out", "table.csv"), TABLE),
        (("--output", "o.csv", "--left-out", "./o.csv"), BOTH),
        (("--output", "earlier.csv", "--left-out", "sub/../earlier.csv"), BOTH),
        (("--output", "earlier.csv", "--left-out", ""), "it is a folder; choose another place"),
        (("--output", "earlier.csv", "--left-out", "sub"), "sub cannot be written: it is a folder"),
        (("--output", "earlier.csv", "--left-out", "no/x.json"), "no/x.json cannot be written: no is not a directory"),
        (("--left-out", "model/bundle.json"), "model/bundle.json is in the directory of the model"),
    ],
)
def test_no_file_is_lost(
    options: tuple[str, ...], message: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "model").symlink_to(folder / "model")
    shutil.copy(folder / "few.csv", "table.csv")
    (tmp_path / "link.csv").symlink_to("table.csv")
    (tmp_path / "earlier.csv").write_text("earlier")
    model = (folder / "model" / "bundle.json").read_bytes()

    assert message in refused("predict", "model", "--data", "table.csv", *options)
    assert message in refused("predict", "model", "--data", "table.csv", *options, "--engine", "torch")

    assert (tmp_path / "table.csv").read_bytes() == (folder / "few.csv").read_bytes()
    assert (tmp_path / "earlier.csv").read_text() == "earlier"
    assert (folder / "model" / "bundle.json").read_bytes() == model
    assert not (tmp_path / "o.csv").exists()


def test_the_two_files_appear_together_and_links_are_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "o.csv").symlink_to("data/o.csv")
    (tmp_path / "left.json").symlink_to("data/left.json")
    shutil.copy(folder / "few.csv", "table.csv")
    options = ("--data", "table.csv", "--output", "o.csv", "--left-out", "left.json")
    monkeypatch.setattr("lstmgru.data.tables.table_writer._CsvTable.finish", _disk_is_full)
    assert "o.csv cannot be written: No space left on device" in refused("predict", str(folder / "model"), *options)
    assert os.listdir(tmp_path / "data") == []
    monkeypatch.undo()

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["predict", str(folder / "model"), *options])

    assert result.exit_code == 0
    assert sorted(os.listdir(tmp_path / "data")) == ["left.json", "o.csv"]
    assert (tmp_path / "o.csv").is_symlink()
    assert (tmp_path / "data" / "left.json").read_text() == "[]\n"


def _disk_is_full(table: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_forecast_that_is_not_finite_is_left_out_with_its_reason(folder: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(folder / "few.csv")
    frame.loc[frame.index[frame["shop"] == "shop 2"][-2:], "sales 0"] = [1e38, -3e38]
    frame.to_csv(tmp_path / "new.csv", index=False)
    command = ["predict", str(folder / "model"), "--data", str(tmp_path / "new.csv")]
    for options in ([], ["--samples", "2"]):
        result = CliRunner().invoke(app, [*command, *options])
        assert result.exit_code == 3
        assert "shop 1" in result.stdout
        assert "inf" not in result.stdout
        assert "shop 2" not in result.stdout
        assert "the forecast of series 'shop 2' is not a finite number; column 'sales 0' holds" in result.stderr
        assert "series 'shop 2' is not a finite number" in refused(*command, *options, "--strict")


def test_one_label_or_forecast_is_no_plural(folder: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(folder / "few.csv")
    frame[frame["shop"] == "shop 1"].to_csv(tmp_path / "one.csv", index=False)
    options = ["--data", str(tmp_path / "one.csv"), "--output", str(tmp_path / "f.csv"), "--horizon", "1"]
    done = CliRunner().invoke(app, ["predict", str(folder / "model"), *options])
    assert done.stdout == f"1 forecast written to {tmp_path / 'f.csv'}\n"


def test_a_study_is_not_a_model_but_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies" / "sales.bundle").mkdir(parents=True)
    message = refused("predict", "sales", "--data", "new.csv")
    assert message.endswith("is studies/sales.bundle: python -m search predict studies/sales.bundle --data new.csv")


@each_row("option", ["--delimiter", "--decimal", "--encoding", "--columns"])
@each_row("command", ["predict", "backtest"])
def test_options_of_text_files_are_refused_for_others(command: str, option: str) -> None:
    message = refused(command, "model", "--data", "new.parquet", option, ",")
    assert message == f"{option} is for text files, but new.parquet is none; remove it"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["f.csv", "f.parquet"])
def test_a_kill_in_the_middle_leaves_the_earlier_output_and_the_next_run_cleans_up(folder: Path, name: str) -> None:
    earlier = folder / name
    earlier.write_text("earlier")
    options = ("--output", name, "--block-rows", "13")
    running = subprocess.Popen(command(*options), cwd=folder, env=program_environment(), stderr=subprocess.DEVNULL)
    partial = folder / f".{running.pid}.{name}"
    while not partial.exists():
        assert running.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)  # in the middle of 2,000 blocks
    os.kill(running.pid, signal.SIGKILL)
    running.wait()

    assert earlier.read_text() == "earlier"
    assert partial.exists()
    done = subprocess.run(
        command("--output", name), cwd=folder, env=program_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert f"{1999 * forecasts.HORIZON} forecasts written to {name}" in done.stdout
    assert not [path.name for path in folder.glob(".*")]

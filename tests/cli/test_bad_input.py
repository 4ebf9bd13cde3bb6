"""What a user gets wrong, through the real command line: exit code 2, one clear message, and nothing written."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.drivers import Notes, without_onnx
from helpers.studies import TINY, search, shop_table, write_study

from search import run_study
from search.cli.app import main
from search.errors import NotAJournal
from search.run.resume import check_studies
from search.study.journal import start_over
from search.study.paths import StudyPaths
from search.study.store import StudyStore

Tree = dict[str, bytes | None]
Change = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Case:
    """A folder with a study and its table, a command, and what the message about it must hold.

    Attributes:
        name: What is wrong.
        message: Fragments of the message: the file, key or column, the value, and the way out.
        study: Content of ``tiny.yaml``; ``None``: there is none.
        table: Content of ``shop.csv``; ``None``: there is none.
        arguments: Of ``check`` and ``run``.
    """

    name: str
    message: tuple[str, ...]
    study: str | bytes | None = TINY
    table: str | bytes | None = None
    arguments: tuple[str, ...] = ("tiny.yaml",)


def edited(old: str, new: str) -> str:
    """The tiny study with a piece of it replaced."""
    assert TINY.count(old) == 1, old
    return TINY.replace(old, new)


def csv(change: Change = lambda frame: frame, *, sep: str = ",", decimal: str = ".") -> str:
    """The table of the tiny study after a change, as text."""
    return change(shop_table()).to_csv(index=False, sep=sep, decimal=decimal)


def cell(row: int, column: str, value: str) -> Change:
    """Put a value into one cell of the table."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        frame[column] = [value if index == row else old for index, old in enumerate(frame[column])]
        return frame

    return change


def days(*texts: str) -> Change:
    """Replace the first times of the table."""
    return lambda frame: frame.assign(day=[*texts, *frame["day"][len(texts) :]])


def lines(change: Callable[[str], str]) -> Change:
    """Change the text of every time."""
    return lambda frame: frame.assign(day=frame["day"].map(change))


STUDY_FILES = [
    Case("empty file", ("tiny.yaml", "the file is empty", "data, forecast and splits"), b""),
    Case("only comments", ("tiny.yaml", "the file is empty"), "# nothing yet\n"),
    Case("not UTF-8", ("tiny.yaml", "line 1", "not UTF-8 text (byte 0xe9)", "save it as UTF-8"), b"name: caf\xe9\n"),
    Case("zip archive", ("tiny.yaml", "is not", "UTF-8"), b"PK\x03\x04\xff\xfe\x00\x00"),
    Case("a list", ("tiny.yaml", "must hold sections such as data: and forecast:", "a list"), "- data\n- forecast\n"),
    Case("a single word", ("tiny.yaml", "the single value 'weather'"), "weather\n"),
    Case("tab indents", ("tiny.yaml", "line 3", "not valid YAML", "a tab cannot indent; use spaces"),
         edited("  path: shop.csv", "\tpath: shop.csv")),
    Case("bracket never closed", ("tiny.yaml", "not valid YAML", "line 8"),
         edited("[day_of_week]", "[day_of_week")),
    Case("colon in a value", ("tiny.yaml", "line 4", "not valid YAML at column"), edited("time: day", "time: day: x")),
    Case("two documents", ("tiny.yaml", "a second document begins here (---); keep one"), TINY + "---\nname: b\n"),
    Case("a tag", ("tiny.yaml", "a tag (!) is not allowed"), edited("horizon: 3", "horizon: !!python/int 3")),
    Case("a bomb of aliases", ("tiny.yaml", "more than 10000 values"),
         TINY + "a0: &a0 [1, 1]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(16))),
    Case("key twice", ("tiny.yaml", "line 11", "forecast.horizon is set twice, first in line 9; remove one"),
         edited("  season_length: 7", "  season_length: 7\n  horizon: 4")),
    Case("no such file", ("there is no study 'weahter'", "did you mean 'weather'?", "known studies: "),
         arguments=("weahter",)),
    Case("no such path", ("studies/none.yaml is not a file", "known studies: "), arguments=("studies/none.yaml",)),
    Case("a folder", (". is a folder, so it is not a study", "known studies: "), arguments=(".",)),
    Case("the table as the study", ("shop.csv", "must hold sections such as data: and forecast:"),
         arguments=("shop.csv",)),
]  # fmt: skip

KEYS = [
    Case("unknown section", ("line 14: serch is not a known key; did you mean 'search'?",),
         edited("search:", "serch:")),
    Case("unknown key", ("line 9: forecast.horizn is not a known key; did you mean 'horizon'?",
                         "forecast.horizon is missing: number of steps"), edited("horizon: 3", "horizn: 3")),
    Case("key in another section", ("trials is not a known key; did you mean 'search.trials'?",), TINY + "trials: 3\n"),
    Case("three problems at once", ("tiny.yaml: 3 problems", "data.tme is not a known key; did you mean 'time'?",
                                    "data.time is missing", "search.trials must be a whole number from 1, or auto"),
         edited("time: day", "tme: day").replace("trials: 4", "trials: 0")),
    Case("section without keys", ("forecast must be a section with its own keys but got nothing",),
         edited("  horizon: 3\n  season_length: 7\n", "")),
    Case("text for a number", ("line 9: forecast.horizon must be a whole number but got 'three'",),
         edited("horizon: 3", "horizon: three")),
    Case("fraction for a whole number", ("space.hidden_size[1] must be a whole number but got 8.5",),
         edited("hidden_size: [4, 8]", "hidden_size: [4, 8.5]")),
    Case("negative", ("search.trials must be a whole number from 1, or auto",), edited("trials: 4", "trials: -4")),
    Case("too many folds to count", ("splits.folds must be at most 1000 but got 99999999999999999999",),
         edited("folds: 2", "folds: 99999999999999999999")),
    Case("gap beyond any table", ("splits.gap must be at most 1000000 but got 99999999999999999999",),
         edited("folds: 2", "folds: 2\n  gap: 99999999999999999999")),
    Case("steps beyond any number", ("space.learning_rate.step must be larger: 1e-300 makes more than 1000000 values",),
         edited("preset: small", "preset: small\n  learning_rate: {low: 1e-300, high: 1e300, step: 1e-300}")),
    Case("unknown metric", ("forecast.metric must be one of mae, rmse", "got 'mape'; did you mean",),
         edited("horizon: 3", "horizon: 3\n  metric: mape")),
    Case("unknown sampler", ("search.sampler must be one of tpe, random, grid, qmc, gp, cmaes, nsga2 but got 'bayes'",),
         edited("trials: 4", "trials: 4\n  sampler: bayes")),
    Case("unknown cell", ("space.cell[1] must be one of lstm, gru, fused but got 'grru'; did you mean 'gru'?",),
         edited("preset: small", "preset: small\n  cell: [lstm, grru]")),
    Case("unknown preset", ("space.preset must be one of small, standard, full but got 'tiny'",),
         edited("preset: small", "preset: tiny")),
    Case("range upside down", ("space.hidden_size.high must be at least low (64) but got 8",),
         edited("hidden_size: [4, 8]", "hidden_size: {low: 64, high: 8}")),
    Case("name with a slash", ("name must be 1 to 100 letters", "got 'shops/tiny'; for example name: shops-tiny"),
         edited("name: tiny", "name: shops/tiny")),
    Case("column in two parts", ("data.past_covariates names 'sales', which is already data.target",),
         edited("past_covariates: visitors", "past_covariates: [visitors, sales]")),
    Case("neither file nor data set", ("data.dataset is missing, and so is data.path",),
         edited("  path: shop.csv\n", "")),
    Case("unknown data set", ("data.dataset must be one of seattle_weather, traffic_hourly, us_employment, stocks",
                              "got 'seatle'; did you mean 'seattle_weather'?"),
         edited("path: shop.csv", "dataset: seatle")),
    Case("holdout shorter than horizon", ("splits.holdout must be at least forecast.horizon (3)", "but got 2"),
         edited("holdout: 20", "holdout: 2")),
    Case("train_size without sliding", ("splits.train_size is for splits.window: sliding", "remove 50"),
         edited("folds: 2", "folds: 2\n  train_size: 50")),
    Case("grid over a range", ("space.dropout is a range without a step", "search.sampler to random or tpe"),
         edited("trials: 4", "trials: 4\n  sampler: grid").replace("preset: small", "preset: small\n  dropout: "
                "{low: 0, high: 0.3}").replace("n_layers: [1, 2]", "n_layers: 1")),
    Case("grid over layers", ("space.n_layers must be one value for a grid", "search.sampler to random or tpe"),
         edited("trials: 4", "trials: 4\n  sampler: grid")),
    Case("grid over the preset's ranges", ("space.learning_rate is a range without a step", "space.dropout"),
         edited("trials: 4", "trials: 4\n  sampler: grid").replace("n_layers: [1, 2]", "n_layers: 1")),
    Case("folder as tracking store", ("tracking.uri must be a server", "sqlite:///mlflow.db", "got './mlruns'"),
         TINY + "tracking: {uri: ./mlruns}\n"),
    Case("device that is not there", ("training.accelerator is mps, but this machine has only", "set it to auto or"),
         edited("accelerator: cpu", "accelerator: mps")),
    Case("precision of another device", ("training.precision is 16-mixed, but a CPU trains in 32-true or bf16-mixed",),
         edited("accelerator: cpu", "accelerator: cpu\n  precision: 16-mixed")),
]  # fmt: skip

TABLES = [
    Case("no such table", ("data.path is 'shp.csv'", "no such file", "correct the path"),
         edited("path: shop.csv", "path: shp.csv")),
    Case("home folder of nobody", ("data.path is '~no-such-user/x.csv'", "not a home directory; correct the path"),
         edited("path: shop.csv", "path: ~no-such-user/x.csv")),
    Case("unknown suffix", ("tiny.yaml", "must end in one of .csv", "'.yaml'"),
         edited("path: shop.csv", "path: tiny.yaml")),
    Case("empty table", ("shop.csv is empty (0 bytes)",), table=b""),
    Case("header only", ("shop.csv has a header but no rows",), table="day,sales,visitors\n"),
    Case("not UTF-8 table", ("shop.csv is not UTF-8 text", "CSV UTF-8"), table=csv().encode("utf-16")),
    Case("Parquet that is none", ("shop.parquet", "correct the path"), edited("path: shop.csv", "path: shop.parquet")),
    Case("semicolons", ("shop.csv", "its delimiter is not ','", 'set data.delimiter: ";"'), table=csv(sep=";")),
    Case("tabs", ("shop.csv", r'set data.delimiter: "\t"'), table=csv(sep="\t")),
    Case("decimal comma", ("column 'sales' must hold numbers but row 1 is '20", "set data.decimal: ','"),
         edited("path: shop.csv", "path: shop.csv\n  delimiter: ';'"), csv(sep=";", decimal=",")),
    Case("decimal comma set twice", ("data.decimal must differ from data.delimiter", "';'"),
         edited("path: shop.csv", "path: shop.csv\n  decimal: ','")),
    Case("one field too many", ("shop.csv: line 3 has 4 fields but the header has 3",),
         table=csv().replace("2022-01-04,", "2022-01-04,,")),
    Case("quotation mark", ("shop.csv", "a quotation mark is never closed", "close it"),
         table=csv(lambda frame: frame.head(199)) + '2022-07-21,21.5,"41.5\n2022-07-22,22.5,42.5\n'),
    Case("column twice", ("shop.csv: several columns are named 'sales'; rename",),
         table=csv().replace("visitors", "sales")),
    Case("wrong column", ("data.target", "'sale'", "did you mean 'sales'?", "columns: day, sales, visitors"),
         edited("target: sales", "target: sale")),
    Case("column in capitals", ("data.time is 'Day' but there is no such column", "did you mean 'day'?"),
         edited("time: day", "time: Day")),
    Case("unknown id", ("data.id is 'shop' but there is no such column", "columns: day"),
         edited("time: day", "time: day\n  id: shop")),
    Case("text in numbers", ("column 'sales' must hold numbers but row 8 is 'closed'", "leave it empty"),
         table=csv(cell(7, "sales", "closed"))),
    Case("infinite", ("column 'visitors' is infinite in row 6 (inf)", "leave the cell empty or correct it"),
         table=csv(cell(5, "visitors", "inf"))),
    Case("NaN", ("column 'sales' has 1 missing value, first at 2022-01-12", "set data.gaps to fill or interpolate"),
         table=csv(cell(9, "sales", "NaN"))),
    Case("NaN at the end", ("the last 1 row from 2022-07-21 on have no targets", "remove them"),
         edited("path: shop.csv", "path: shop.csv\n  gaps: fill"), csv(cell(199, "sales", ""))),
    Case("column without values", ("column 'visitors' has no values; remove it",),
         table=csv(lambda frame: frame.assign(visitors=None))),
    Case("constant target", ("target 'sales' is constant", "(7 in", "choose another target"),
         table=csv(lambda frame: frame.assign(sales=7))),
    Case("constant covariate", ("covariate 'visitors' is constant (0 in every row)", "remove it"),
         table=csv(lambda frame: frame.assign(visitors=0))),
    Case("duplicate time", ("column 'day' repeats a time", "(1 row too many), first 2022-01-04", "data.id"),
         table=csv(days("2022-01-03", "2022-01-04", "2022-01-04"))),
    Case("gap", ("column 'day' lacks 1 row at frequency D", "between 2022-01-05 and 2022-01-07", "data.gaps"),
         table=csv(lambda frame: frame.drop(index=3))),
    Case("no time", ("column 'day' (data.time) is empty in row 2",), table=csv(days("2022-01-03", ""))),
    Case("no date", ("column 'day' (data.time): row 2 is 'tomorrow', which is not a time", "ISO 8601"),
         table=csv(days("2022-01-03", "tomorrow"))),
    Case("day or month first", ("no row says whether the day or the month comes first, as in '01/02/2022'",
                                "set data.time_format: '%d/%m/%Y' or '%m/%d/%Y'"),
         table=csv(lambda frame: frame.head(2).assign(day=["01/02/2022", "02/02/2022"]))),
    Case("dates without dashes", ("column 'day'", "looks like dates without dashes (20220103)", "write 2022-01-03"),
         table=csv(lines(lambda day: day.replace("-", "")))),
    Case("mixed zones", ("column 'day' (data.time) mixes time zones", "'2022-01-03T00:00+01:00'", "in UTC"),
         table=csv(lines(lambda day: f"{day}T00:00{'+01:00' if day < '2022-03-27' else ''}"))),
    Case("irregular times", ("the times follow no regular grid", "2022-01-04 07:00", "resample the table"),
         table=csv(days("2022-01-03", "2022-01-04T07:00"))),
    Case("wrong frequency", ("data.frequency is 'W-MON' but 2022-01-04 is not one of its times", "'D' would fit"),
         edited("time: day", "time: day\n  frequency: W-MON")),
    Case("unknown frequency", ("data.frequency must be", "got 'daily'"),
         edited("time: day", "time: day\n  frequency: daily")),
    Case("frequency beyond any time", ("data.frequency must be", "got '99999999999999999999D'"),
         edited("time: day", "time: day\n  frequency: 99999999999999999999D")),
    Case("calendar that never varies", ("data.calendar: 'hour_of_day' is the same in every row at frequency D",),
         edited("[day_of_week]", "[hour_of_day]")),
    Case("too short", ("error: the series has 60 rows, too few",
                       "holdout, folds, gap", "(context 14 + horizon 3)", "a shorter context"),
         table=csv(lambda frame: frame.head(60))),
    Case("single row", ("has a single row", "at least two"), table=csv(lambda frame: frame.head(1))),
    Case("holdout too long", ("has 200 rows, too few", "smaller holdout"), edited("holdout: 20", "holdout: 190")),
    Case("horizon too long", ("has 200 rows, too few", "horizon 100"),
         edited("horizon: 3", "horizon: 100").replace("holdout: 20", "holdout: 100")),
    Case("context too long", ("has 200 rows, too few", "context 150"), edited("[7, 14]", "150")),
    Case("mase without a season", ("forecast.metric is mase, which divides by the change over a season (170 steps)",
                                   "training part of fold 1 is shorter", "set forecast.season_length"),
         edited("season_length: 7", "season_length: 170\n  metric: mase")),
    Case("wql with too few windows", ("forecast.metric is wql, which scores the ends of every interval",
                                      "the folds have 1 window, too few to calibrate that of level 0.8", "more folds"),
         edited("season_length: 7", "season_length: 7\n  metric: wql").replace("folds: 2", "folds: 1\n  fold_size: 3")),
    Case("too many folds", ("has 200 rows, too few", "fewer or smaller folds"), edited("folds: 2", "folds: 30")),
]  # fmt: skip

OPTIONS = [
    Case("--set without a value", ("--set trials: must look like key=value", "got 'trials'"),
         arguments=("tiny.yaml", "--set", "trials")),
    Case("--set of an unknown key", ("--set search.trails=3: search.trails is not a known key; did you",),
         arguments=("tiny.yaml", "--set", "search.trails=3")),
    Case("--set below a value", ("--set name.first=x: name.first cannot be set, because name is 'tiny'",),
         arguments=("tiny.yaml", "--set", "name.first=x")),
    Case("--set of a wrong value", ("--set space.dropout=2: space.dropout must be below 1 but got 2",),
         arguments=("tiny.yaml", "--set", "space.dropout=2")),
    Case("--set of broken YAML", ("--set 'space.hidden_size=[4, 8': space.hidden_size must be valid YAML",),
         arguments=("tiny.yaml", "--set", "space.hidden_size=[4, 8")),
    Case("--data that is not there", ("data.path is 'none.csv' but there is no such file", "correct the path"),
         arguments=("tiny.yaml", "--data", "none.csv")),
    Case("--data of a folder", ("is a folder; name one file in it",), arguments=("tiny.yaml", "--data", ".")),
    Case("--data of another kind", ("tiny.yaml", "must end in one of .csv"),
         arguments=("tiny.yaml", "--data", "tiny.yaml")),
    Case("unknown option", ("No such option: --sett",), arguments=("tiny.yaml", "--sett", "a=b")),
    Case("two studies", ("unexpected extra argument", "tiny.yaml"), arguments=("tiny.yaml", "tiny.yaml")),
    Case("option without its value", ("Option '--set' requires an argument",), arguments=("tiny.yaml", "--set")),
]  # fmt: skip

RUN_OPTIONS = [
    (("--timeout", "soon"), ("--timeout soon: search.timeout must be a number of seconds, or like 90s, 5m", "'soon'")),
    (("--timeout", "-5m"), ("search.timeout must be a number of seconds, or like 90s, 5m", "'-5m'")),
    (("--timeout", "0s"), ("search.timeout must be a time above zero", "'0s'")),
    (("--timeout", ""), ("--timeout '': search.timeout must be a number of seconds, or like 90s, 5m", "but got ''")),
    (("--jobs", "0"), ("--jobs 0: search.jobs must be a whole number from 1, or auto, but got 0",)),
    (("--jobs", "all"), ("search.jobs must be a whole number from 1, or auto, but got 'all'",)),
    (("--trials", "0"), ("--trials 0: search.trials must be a whole number from 1, or auto, but got 0",)),
    (("--trials", "many"), ("search.trials must be a whole number from 1, or auto, but got 'many'",)),
    (("--trials", "2.5"), ("search.trials must be a whole number from 1, or auto, but got 2.5",)),
    (("--seed", "-1"), ("--seed -1: search.seed must be at least 0 but got -1",)),
    (("--seed", "x"), ("search.seed must be a whole number but got 'x'",)),
]  # fmt: skip

COMMANDS = [
    (("chek", "tiny.yaml"), ("No such command 'chek'", "Did you mean 'check'")),
    (("show", "tiny.yaml"), ("study 'tiny' has not been run in", "studies/tiny.journal", "python -m search run")),
    (("show", "tiny.yaml", "--json"), ("study 'tiny' has not been run in", "python -m search run tiny")),
    (("show", "tiny"), ("there is no study 'tiny'", "studies that were run in ", ": none")),
    (("export", "tiny.yaml"), ("study 'tiny' has not been run in", "python -m search run tiny")),
    (("export", "tiny.yaml", "--to", "models"), ("study 'tiny' has not been run in",)),
    (("sync", "tiny.yaml"), ("study 'tiny' has not been run in", "python -m search run tiny")),
    (("sync", "tiny.yaml", "--timeout", "soon"), ("--timeout must be a number of seconds, or like 90s", "'soon'")),
    (("sync", "tiny.yaml", "--tracking-uri", "http://127.0.0.1:9"), ("study 'tiny' has not been run in",)),
    (("ui",), ("there is no", "mlruns/mlflow.db", "run a study in this folder first")),
    (("ui", "--port", "0"), ("Invalid value for '--port'", "greater than or equal to 1")),
    (("ui", "--host", "0.0.0.0"), ("No such option: --host",)),
    (("schema", "weather"), ("'weather' is not one of", "'show'")),
    (("predict",), ("Missing argument",)),
    (("predict", "studies/tiny.bundle"), ("Missing option '--data'",)),
    (("predict", "none", "--data", "shop.csv"), ("none does not exist", "pass the directory of an exported model")),
    (("predict", ".", "--data", "shop.csv"), ("is not a complete bundle: bundle.json is missing", "export the model")),
    (("predict", "shop.csv", "--data", "shop.csv"), ("shop.csv is a file, not the directory of a bundle",)),
]  # fmt: skip


def tree(folder: Path) -> Tree:
    """Every name below a folder, and the bytes of the files."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def refused(
    folder: Path,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    **environment: str,
) -> str:
    """Start the program in this process; return its message, which it must end with in exit code 2."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["search", *arguments])
    before = tree(folder)
    with pytest.raises(SystemExit) as caught:
        main()
    output, message = capsys.readouterr()
    assert caught.value.code == 2, output + message
    assert output == ""
    assert tree(folder) == before
    return clear(message)


def clear(message: str) -> str:
    """The message on one line, if it is one: what is wrong with the input, and no more."""
    assert "Traceback" not in message
    assert message.startswith(("error: ", "Usage: ", "╭─ Error ─"))
    assert message.count("error: ") <= 1
    assert max(map(len, message.splitlines())) < 400
    return re.sub(r"[\s│╭╮╰╯─]+", " ", message)


def assert_holds(message: str, fragments: tuple[str, ...]) -> None:
    """The message names what it must name."""
    assert [fragment for fragment in fragments if fragment not in message] == [], message


def prepare(folder: Path, case: Case) -> None:
    """Write the study and the table of a case."""
    for name, content in (("tiny.yaml", case.study), ("shop.csv", csv() if case.table is None else case.table)):
        if content is not None:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


STUDIES = [*STUDY_FILES, *KEYS, *TABLES, *OPTIONS]


@each_row("case", STUDIES)
def test_a_wrong_study_or_table_is_refused_by_check_and_run(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path, case)
    for command in ("check", "run"):
        assert_holds(refused(tmp_path, (command, *case.arguments), monkeypatch, capsys), case.message)


@pytest.mark.parametrize(("options", "message"), RUN_OPTIONS, ids=[" ".join(case[0]) for case in RUN_OPTIONS])
def test_a_wrong_budget_is_refused(
    options: tuple[str, ...],
    message: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_study(tmp_path)
    assert_holds(refused(tmp_path, ("run", "tiny.yaml", *options), monkeypatch, capsys), message)


@each_row(("arguments", "message"), COMMANDS)
def test_a_command_that_cannot_be_done_says_what_is_missing(
    arguments: tuple[str, ...],
    message: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_study(tmp_path)
    assert_holds(refused(tmp_path, arguments, monkeypatch, capsys), message)


def test_a_store_that_mlflow_cannot_use_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path)
    message = refused(tmp_path, ("run", "tiny.yaml"), monkeypatch, capsys, MLFLOW_TRACKING_URI="./mlruns")
    assert_holds(message, ("MLFLOW_TRACKING_URI is './mlruns'", "sqlite:///mlruns/mlflow.db", "http://127.0.0.1:5000"))


def test_a_file_in_the_place_of_the_studies_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path)
    (tmp_path / "studies").write_text("notes")
    message = refused(tmp_path, ("run", "tiny.yaml"), monkeypatch, capsys)
    assert_holds(message, (f"{tmp_path / 'studies'} is a file", "move it away"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny study has exported a model."""
    folder = tmp_path_factory.mktemp("trained")
    path = write_study(folder)
    overrides = ("search.blend=off", "tracking.enabled=false", "training.max_epochs=1")
    with without_onnx():
        run_study(path, trials=1, overrides=(*overrides, f"data.path={folder / 'shop.csv'}"), folder=folder)
    return folder


NEW_TABLES = [
    Case("wrong columns", ("'visitors' but there is no such column", "did you mean 'visits'?"),
         table=csv(lambda frame: frame.rename(columns={"visitors": "visits"}))),
    Case("no target", ("'sales' but there is no such column", "columns: day, visitors"),
         table=csv(lambda frame: frame.drop(columns="sales"))),
    Case("wrong frequency", ("the frequency of column 'day' is W-MON but the model was trained on D",),
         table=csv(lambda frame: frame.iloc[::7])),
    Case("no frequency", ("the frequency of column 'day' is irregular but the model was trained on D",),
         table=csv(lambda frame: frame.drop(index=range(180, 200, 2)).assign(day=lambda f: f["day"] + "T0" +
                   (f.index % 7).astype(str) + ":00"))),
    Case("time zone", ("column 'day' has the time zone UTC", "trained on times without one"),
         table=csv(lines(lambda day: f"{day}T00:00Z"))),
    Case("steps for dates", ("the frequency of column 'day' is step of 1 but the model was trained on D",),
         table=csv(lambda frame: frame.assign(day=range(200)))),
    Case("too few rows", ("has 3 rows up to its last value (2022-07-21) but the model reads", "add earlier rows"),
         table=csv(lambda frame: frame.tail(3))),
    Case("NaN in the context", ("column 'visitors' is empty at 2022-07-20", "complete the table"),
         table=csv(cell(198, "visitors", ""))),
    Case("gap in the context", ("lacks 1 of the", "first 2022-07-19", "complete the table"),
         table=csv(lambda frame: frame.drop(index=197))),
    Case("no value at all", ("has no value in sales; add its history",), table=csv(lambda f: f.assign(sales=None))),
    Case("infinite value", ("column 'sales' is infinite in row 200 (-inf)",), table=csv(cell(199, "sales", "-inf"))),
    Case("text value", ("column 'sales' must hold numbers but row 200 is '?'",), table=csv(cell(199, "sales", "?"))),
    Case("time twice", ("column 'day' repeats a time", "first 2022-07-20"),
         table=csv(lambda frame: pd.concat([frame, frame.iloc[[198]]]))),
    Case("nothing in the file", ("shop.csv is empty (0 bytes)",), table=b""),
    Case("another delimiter", ("its delimiter is not ','", '";" (predict: --delimiter)'), table=csv(sep=";")),
    Case("decimal comma", ("column 'sales' must hold numbers", "(predict: --decimal)"),
         table=csv(sep=";", decimal=","), arguments=("--delimiter", ";")),
    Case("delimiter of two characters", ("delimiter must be one character", "';;'"), arguments=("--delimiter", ";;")),
    Case("unknown decimal mark", ("decimal point '.' or ','", "'x'"), arguments=("--decimal", "x")),
    Case("output of another kind", ("forecasts.xlsx", ".csv, .csv.gz or .parquet", "'.xlsx'"),
         arguments=("--output", "forecasts.xlsx")),
    Case("output in no folder", ("none/forecasts.csv cannot be written", "choose another place"),
         arguments=("--output", "none/forecasts.csv")),
    Case("output in a file", ("forecasts.csv cannot be", "shop.csv is not a directory; choose another"),
         arguments=("--output", "shop.csv/forecasts.csv")),
    Case("output onto a folder", ("folder.csv cannot be written", "choose another place"),
         arguments=("--output", "folder.csv")),
]  # fmt: skip


@each_row("case", NEW_TABLES)
def test_a_table_that_does_not_fit_the_model_is_refused(
    case: Case, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path, case)
    (tmp_path / "folder.csv").mkdir()
    options = case.arguments if case.arguments[0].startswith("--") else ()
    arguments = ("predict", str(trained / "studies" / "tiny.bundle"), "--data", "shop.csv", *options)
    assert_holds(refused(tmp_path, arguments, monkeypatch, capsys), case.message)


DAMAGE = [
    ("manifest.json", b"{", ("manifest.json is damaged", "export the model again")),
    ("bundle.json", b"{}", ("bundle.json is not the file that manifest.json describes (SHA-256)",)),
    ("weights.safetensors", b"", ("weights.safetensors is not the file that manifest.json describes (SHA-256)",)),
    ("weights.safetensors", None, ("weights.safetensors is missing", "export the model again")),
]


@pytest.mark.parametrize(("name", "content", "message"), DAMAGE)
def test_a_damaged_model_is_refused(
    name: str,
    content: bytes | None,
    message: tuple[str, ...],
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    damaged = tmp_path / "studies" / "tiny.bundle" / name
    damaged.unlink() if content is None else damaged.write_bytes(content)
    arguments = ("predict", "studies/tiny.bundle", "--data", "shop.csv")
    assert_holds(refused(tmp_path, arguments, monkeypatch, capsys), message)


UNTRACKED = ("--set", "tracking.enabled=false", "--set", "training.max_epochs=1")
AFTER_A_RUN = [
    (("export", "tiny", "--to", "studies/tiny.bundle"), ("studies/tiny.bundle exists", "another directory with --to")),
    (("export", "tiny", "--to", "shop.csv"), ("shop.csv exists: remove it or give another",)),
    (("export", "tiny", "--to", "shop.csv/model"), ("shop.csv/model cannot be written", "another place with --to")),
    (("sync", "tiny", "--tracking-uri", "./mlruns"), ("'./mlruns'", "sqlite:///mlruns/mlflow.db")),
    (("run", "tiny.yaml", *UNTRACKED, "--set", "forecast.horizon=4"), ("forecast.horizon was 3, is 4", "--fresh")),
    (("run", "tiny.yaml", *UNTRACKED, "--data", "less.csv"), ("data.digest was", "--set name=")),
    (("run", "tiny.yaml", *UNTRACKED, "--fresh", "--trials", "0"), ("search.trials must be a whole number",)),
    (("run", "tiny.yaml", *UNTRACKED, "--fresh", "--data", "none.csv"), ("'none.csv' but there is no such file",)),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), AFTER_A_RUN, ids=[" ".join(case[0]) for case in AFTER_A_RUN])
def test_a_mistake_costs_no_trial_and_no_model(
    arguments: tuple[str, ...],
    message: tuple[str, ...],
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "less.csv").write_text(csv(lambda frame: frame.head(190)))
    assert_holds(refused(tmp_path, arguments, monkeypatch, capsys), message)


def test_a_message_quotes_the_ends_of_an_endless_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path)
    lines = (tmp_path / "shop.csv").read_text().splitlines()
    lines[5] = ",".join([*lines[5].split(",")[:2], "x" * 100_000])
    (tmp_path / "shop.csv").write_text("\n".join(lines) + "\n")
    message = refused(tmp_path, ("check", "tiny.yaml"), monkeypatch, capsys)
    assert_holds(message, ("shop.csv: column 'visitors' must hold numbers but row 5 is 'xxx", "correct the cell"))


JOURNALS = [
    (b"notes\n", "line 1"),
    (b"notes without an end", "line 1"),
    (b"[1, 2]\n", "line 1"),
    (b'{"sales": 3}\n', "line 1"),
    (b"\xff\xfe\n", "line 1"),
    (None, "line 3"),
]


@pytest.mark.parametrize(("content", "line"), JOURNALS)
def test_a_file_that_is_no_journal_is_left_alone_unless_it_is_to_go(
    content: bytes | None,
    line: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    journal = tmp_path / "studies" / "tiny.journal"
    entries = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*entries[:2], b"damaged\n", *entries[3:]]) if content is None else content)
    for arguments in (("run", "tiny.yaml", *UNTRACKED), ("show", "tiny.yaml"), ("export", "tiny"), ("sync", "tiny")):
        message = refused(tmp_path, arguments, monkeypatch, capsys)
        assert_holds(
            message, ("tiny.journal is not a valid journal", f"{line} is not an entry", "move the file away", "--fresh")
        )
    before, told, kept = journal.read_bytes(), Notes(), journal.with_name("tiny.journal.damaged")
    start_over(journal, {}, check_studies, told.on_message)
    assert told.notes[0] == f"{journal} is damaged; it is kept as {kept}"
    assert not journal.exists()
    assert kept.read_bytes() == before


def test_a_journal_without_checksums_whose_values_are_wrong_is_kept_as_well(trained: Path, tmp_path: Path) -> None:
    """It can be replayed, and only its readers notice."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    journal = tmp_path / "studies" / "tiny.journal"
    content = re.sub(rb',"crc":\d+\}\n', b"}\n", journal.read_bytes())
    content = re.sub(rb'"elapsed":[\d.]+', b'"elapsed":"long"', content).replace(b'{"config":{', b'{"config":7,"old":{')
    journal.write_bytes(content)
    journal.with_name("tiny.checkpoint").unlink()
    with pytest.raises(NotAJournal, match="--fresh, which keeps it under another name"):
        StudyStore.find(StudyPaths(tmp_path, "tiny"))
    start_over(journal, {}, check_studies, Notes().on_message)
    assert journal.with_name("tiny.journal.damaged").read_bytes() == content


@pytest.mark.parametrize(
    "name",
    [
        *("three problems at once", "gap"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "empty file",
                "unknown option",
                "tab indents",
                "key twice",
                "no such file",
                "semicolons",
                "wrong column",
                "text in numbers",
                "too short",
                "--set of a wrong value",
            )
        ),
    ],
)
def test_a_process_of_its_own_says_the_same(name: str, tmp_path: Path) -> None:
    case = next(case for case in STUDIES if case.name == name)
    prepare(tmp_path, case)
    before = tree(tmp_path)
    result = search(tmp_path, "run", *case.arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert_holds(clear(result.stderr), case.message)
    assert tree(tmp_path) == before

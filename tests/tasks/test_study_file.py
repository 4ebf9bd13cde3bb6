"""Finding, reading, overriding and checking study files; every mistake ends in one clear line."""

from __future__ import annotations

import pickle
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from helpers.combinations import each_row

from lstmgru.specs.cells import CELLS
from search.config import yaml_file
from search.config.space_values import Choices, PositiveRange
from search.config.validation import config_fields
from search.errors import Problem, StudyFileError, StudyNotFound
from search.tasks import TASKS
from search.tasks.forecasting.config import ForecastStudyConfig
from search.tasks.study_file import find_study, known_studies, read_study_file, schema, study_name

GOOD = """\
data:
  path: shop.csv
  time: day
  target: units
forecast:
  horizon: 7
splits:
  holdout: 30
"""
Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes ``shop.yaml`` into an empty current folder."""
    monkeypatch.chdir(tmp_path)

    def write_study(content: str | bytes) -> Path:
        path = Path("shop.yaml")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_study


def problems_of(path: Path, **options: Any) -> list[str]:
    """The lines of the error about a study, without its head."""
    with pytest.raises(StudyFileError) as caught:
        read_study_file(path, **options)
    head, *lines = str(caught.value).split("\n  ")
    assert head == f"{path}: {len(lines)} problem{'s' if len(lines) > 1 else ''}"
    assert "pydantic" not in str(caught.value)
    assert "Input should" not in str(caught.value)
    return lines


# What a line of GOOD is replaced by, or what is put after it, and the one line that the error then has.
BAD_VALUES = [
    # Unknown and missing keys.
    ("  time: day", "  time: day\n  gap: fill", ["line 4: data.gap is not a known key; did you mean 'gaps'?"]),
    ("  time: day", "  tme: day", ["line 3: data.tme is not a known key; did you mean 'time'?",
                                   "line 1: data.time is missing: column with timestamps"]),
    ("  time: day", "", ["line 1: data.time is missing: column with timestamps (ISO 8601)"]),
    ("  path: shop.csv", "", ["line 1: data.dataset is missing, and so is data.path: name a built-in data set"]),
    ("forecast:\n  horizon: 7\n", "", ["forecast is missing: horizon, metric and prediction intervals"]),
    ("splits:", "split:", ["line 7: split is not a known key; did you mean 'splits'?", "splits is missing: how the"]),
    ("+", "trials: 3", ["line 9: trials is not a known key; did you mean 'search.trials'?"]),
    ("+", "wether: 3", ["line 9: wether is not a known key; a study may have name, task, data, forecast, splits"]),
    ("+", "training: {zzz: 3}", ["line 9: training.zzz is not a known key; training may have gradient_clip"]),
    ("+", "training: {name: x}", ["line 9: training.name is not a known key"]),
    ("+", "<list>: 3", ["line 9: <list> is not a known key"]),
    ("+", "data.time: 3", ["line 9: data.time must be written in two levels: data: and, indented below it, time:"]),
    ("+", "space: {hidden_size: {<list>: 1, low: 1, high: 2}}",
     ["line 9: space.hidden_size.<list> is not a key of a range"]),
    ("+", "1: 3", ["line 9: 1 is not a known key"]),
    ("+", '"a\\nb": 3', ["line 9: 'a\\nb' is not a known key"]),
    # Sections.
    ("+", "search:", ["line 9: search must be a section with its own keys but got nothing"]),
    ("+", "space: [1, 2]", ["line 9: space must be a section with its own keys but got [1, 2]"]),
    # Names and choices.
    ("+", "name: my shop", ["line 9: name must be 1 to 100 letters (A to Z), digits", "for example name: my-shop"]),
    ("+", "name: ../x", ["line 9: name must be", "but got '../x'; for example name: x"]),
    ("+", "name: x.compare", ["line 9: name must not end in '.compare', which is reserved", "name: x-compare"]),
    ("+", "name: x.v2.Journal", ["for files of study 'x.v2', but got 'x.v2.Journal'", "name: x.v2-journal"]),
    ("+", "name: 2024", ["line 9: name must be text but got 2024; put it in quotes"]),
    ("+", "name:", ["line 9: name must be text but got nothing"]),
    ("+", "task: classify", [f"line 9: task must be one of {', '.join(TASKS)} but got 'classify'; "
     "did you mean 'classification'?"]),
    ("  horizon: 7", "  horizon: 7\n  metric: meae",
     ["line 7: forecast.metric must be one of mae, rmse, ", "but got 'meae'; did you mean 'mae'?"]),
    ("  horizon: 7", "  horizon: 7\n  levels: 80", ["line 7: forecast.levels must be below 1 but got 80"]),
    ("  horizon: 7", "  horizon: 7\n  levels: [0.5, 0]", ["line 7: forecast.levels[1] must be above 0 but got 0"]),
    ("  horizon: 7", "  horizon: 7\n  levels: [0.5, 0.5]",
     ["line 7: forecast.levels must hold each value once but holds 0.5 twice"]),
    ("  horizon: 7", "  horizon: 7\n  levels: {low: 0.5}",
     ["line 7: forecast.levels must be a level between 0 and 1, or a list of them but got"]),
    ("+", "search: {sampler: TPE}", ["line 9: search.sampler must be one of tpe, random, grid, qmc, gp, cmaes, nsga2 "
                                     "but got 'TPE'; did you mean 'tpe'?"]),
    ("+", "tracking: {enabled: yes}", ["line 9: tracking.enabled must be true or false but got 'yes'"]),
    ("+", "tracking: {uri: ./mlruns}", ["line 9: tracking.uri must be a server (http://host:5000) or a database",
                                        "but got './mlruns'"]),
    ("+", "tracking: {registered_model: a/b}", ["line 9: tracking.registered_model must not contain '/' or ':'"]),
    # Numbers.
    ("  horizon: 7", "  horizon: 0", ["line 6: forecast.horizon must be at least 1 but got 0"]),
    ("  horizon: 7", "  horizon: seven", ["line 6: forecast.horizon must be a whole number but got 'seven'"]),
    ("  horizon: 7", "  horizon: 7.0", ["line 6: forecast.horizon must be a whole number but got 7.0"]),
    ("  horizon: 7", "  horizon: true", ["line 6: forecast.horizon must be a whole number but got true"]),
    ("  horizon: 7", "  horizon: '7'", ["line 6: forecast.horizon must be a whole number but got '7'"]),
    ("  horizon: 7", "  horizon: 1_0", ["line 6: forecast.horizon must be a whole number but got '1_0'"]),
    ("  horizon: 7", "  horizon: 7\n  season_length: weekly",
     ["line 7: forecast.season_length must be a whole number from 1, or auto, but got 'weekly'"]),
    ("+", "search: {jobs: 0}", ["line 9: search.jobs must be a whole number from 1, or auto, but got 0"]),
    ("+", "search: {jobs: true}", ["line 9: search.jobs must be a whole number from 1, or auto, but got true"]),
    ("+", "search: {seed: 4294967296}", ["line 9: search.seed must be at most 4294967295 but got 4294967296"]),
    ("  horizon: 7", "  horizon: 1000001", ["line 6: forecast.horizon must be at most 1000000 but got 1000001"]),
    ("  horizon: 7", "  horizon: 7\n  season_length: 99999999999999999999",
     ["line 7: forecast.season_length must be at most 1000000 but got 99999999999999999999"]),
    ("  holdout: 30", "  holdout: 30\n  folds: 1001", ["line 9: splits.folds must be at most 1000 but got 1001"]),
    ("  holdout: 30", "  holdout: 30\n  gap: 1000001", ["line 9: splits.gap must be at most 1000000 but got 1000001"]),
    ("+", "search: {jobs: 2, executor: in_process}",
     ["line 9: search.executor is in_process, which runs one trial at a time, but search.jobs is 2; set search.jobs to "
      "1, or the executor to processes"]),
    ("+", "search: {executor: process}", ["line 9: search.executor must be one of auto, in_process, processes"]),
    ("+", "search: {jobs: 1025}", ["line 9: search.jobs must be at most 1024 but got 1025"]),
    ("+", "search: {timeout: 5 minutes}", ["line 9: search.timeout must be a number of seconds, or like 90s, 5m, 2h"]),
    ("+", "search: {timeout: -1}", ["line 9: search.timeout must be a time above zero"]),
    ("+", "training: {patience: None}", ["line 9: training.patience must be a whole number or null but got 'None'"]),
    ("+", "training: {gradient_clip: .inf}", ["line 9: training.gradient_clip must be a finite number but got inf"]),
    ("+", "training: {gradient_clip: 0}", ["line 9: training.gradient_clip must be above 0 but got 0"]),
    # Columns.
    ("  target: units", "  target: [units, 3]", ["line 4: data.target[1] must be text but got 3; put it in quotes"]),
    ("  target: units", "  target: []", ["line 4: data.target must be a list of at least one value but got []"]),
    ("  target: units", "  target: [a, a]", ["line 4: data.target must hold each value once but holds 'a' twice"]),
    ("  target: units", "  target: {a: 1}", ["line 4: data.target must be a column or a list of columns but got"]),
    ("  target: units", "  target: day", ["line 4: data.target names 'day', which is already data.time"]),
    ("  target: units", "  target: units\n  past_covariates:\n    - rain\n    - units",
     ["line 5: data.past_covariates names 'units', which is already data.target; a column has one role"]),
    ("  target: units", "  target: units\n  id: shop\n  future_covariates: shop",
     ["line 6: data.future_covariates names 'shop', which is already data.id"]),
    ("  target: units", "  target: units\n  static_covariates: region",
     ["line 5: data.static_covariates names 'region', but static covariates say nothing about a single series; "]),
    ("  target: units", "  target: units\n  id: shop\n  static_covariates: [region, shop]",
     ["line 6: data.static_covariates names 'shop', which is already data.id; a column has one role"]),
    ("  target: units", "  target: units\n  past_covariates: [sky, rain]\n  categorical: [sky, rian]",
     ["line 6: data.categorical names 'rian', which is not a covariate; did you mean 'rain'?; name it in data.past"]),
    ("  target: units", "  target: units\n  categorical: units",
     ["line 5: data.categorical names 'units', which is not a covariate; name it in data.past_covariates, "]),
    ("  target: units", "  target: units\n  past_covariates: [rain, 3]\n  categorical: rain",
     ["line 5: data.past_covariates[1] must be text but got 3"]),
    ("  target: units", "  target: units\n  short_series: padd",
     ["line 5: data.short_series must be one of error, pad but got 'padd'; did you mean 'pad'?"]),
    ("  target: units", "  target: units\n  calendar: [day_of_week, weekday]",
     ["line 5: data.calendar[1] must be one of minute_of_hour, hour_of_day", "but got 'weekday'; did you mean"]),
    ("  target: units", "  target: units\n  calendar: daily", ["line 5: data.calendar must be one of auto, none but"]),
    ("  target: units", "  target: units\n  dataset: seattle",
     ["line 5: data.dataset must be one of seattle_weather, traffic_hourly, us_employment, stocks or null but got",
      "did you mean 'seattle_weather'?"]),
    ("  target: units", "  target: units\n  dataset: seattle_weather",
     ["line 5: data.dataset cannot be combined with data.path ('shop.csv')"]),
    ("  target: units", "  target: units\n  delimiter: ';;'", ["line 5: data.delimiter must be one character but got"]),
    ("  target: units", "  target: units\n  delimiter: \\t", [r'write a tab as "\t"']),
    ("  target: units", "  target: units\n  decimal: ','", ["line 5: data.decimal must differ from data.delimiter"]),
    # Rules between keys.
    ("  holdout: 30", "  holdout: 3", ["line 8: splits.holdout must be at least forecast.horizon (7), so that a",
                                       "forecast fits, but got 3"]),
    ("  holdout: 30", "  holdout: 30\n  fold_size: 6", ["line 9: splits.fold_size must be at least"]),
    ("  holdout: 30", "  holdout: 30\n  train_size: 90", ["line 9: splits.train_size is for splits.window: sliding"]),
    # The search space.
    ("+", "space: {hidden_size: 0}", ["line 9: space.hidden_size must be at least 1 but got 0"]),
    ("+", "space: {hidden_size: [8, 16385]}", ["line 9: space.hidden_size[1] must be at most 16384 but got 16385"]),
    ("+", "space: {n_layers: 17}", ["line 9: space.n_layers must be at most 16 but got 17"]),
    ("+", "space: {n_layers: {low: 1, high: 17}}", ["line 9: space.n_layers.high must be at most 16 but got 17"]),
    ("+", "space: {batch_size: {low: 1, high: 9999999}}", ["line 9: space.batch_size.high must be at most 1000000"]),
    ("+", "space: {hidden_size: []}", ["line 9: space.hidden_size must be a list of at least one value but got []"]),
    ("+", "space:\n  hidden_size:\n    - 8\n    - 8.5",
     ["line 12: space.hidden_size[1] must be a whole number but got 8.5"]),
    ("+", "space: {hidden_size: [8, 16, 8]}", ["space.hidden_size must hold each value once but holds 8 twice"]),
    ("+", "space:\n  hidden_size:\n    low: 64\n    high: 32",
     ["line 12: space.hidden_size.high must be at least low (64)"]),
    ("+", "space: {hidden_size: {low: 8}}", ["line 9: space.hidden_size.high is missing: a range has low and high"]),
    ("+", "space: {hidden_size: {low: 8, hihg: 9, high: 9}}",
     ["line 9: space.hidden_size.hihg is not a key of a range; did you mean 'high'?"]),
    ("+", "space: {hidden_size: {low: 8, high: 32, q: 1}}",
     ["space.hidden_size.q is not a key of a range; it may have low, high, log, step"]),
    ("+", "space: {hidden_size: {low: 8, high: 32, log: true, step: 8}}",
     ["line 9: space.hidden_size.step cannot be combined with log: true"]),
    ("+", "space: {hidden_size: {low: 8, high: 30, step: 8}}",
     ["line 9: space.hidden_size.step must lead from low to high, but steps of 8 from 8 stop at 24, short of 30"]),
    ("+", "space: {learning_rate: {low: 1e-300, high: 1e300, step: 1e-300}}",
     ["line 9: space.learning_rate.step must be larger: 1e-300 makes more than 1000000 values from 1e-300 to 1e+300"]),
    ("+", "space: {weight_decay: {low: 0, high: 1, log: true}}",
     ["line 9: space.weight_decay.log must be false where low is 0"]),
    ("+", "space: {learning_rate: {low: 0, high: 1}}", ["line 9: space.learning_rate.low must be above 0 but got 0"]),
    ("+", "space: {learning_rate: fast}", ["line 9: space.learning_rate must be a number or null but got 'fast'"]),
    ("+", "space: {dropout: 1}", ["line 9: space.dropout must be below 1 but got 1"]),
    ("+", "space: {dropout: {low: 0, high: 1.5}}", ["line 9: space.dropout.high must be below 1 but got 1.5"]),
    ("+", "space: {cell: [lstm, grru]}",
     ["line 9: space.cell[1] must be one of lstm, gru, ", "but got 'grru'; did you mean 'gru'?"]),
    ("+", "space: {cell: [lstm, 3]}", ["line 9: space.cell[1] must be text but got 3"]),
    ("+", "space: {cell: {low: 1, high: 2}}", ["line 9: space.cell must be a cell or a list of cells but got"]),
    ("+", "space: {n_branches: 9}", ["line 9: space.n_branches must be at most 8 but got 9"]),
    ("+", "space: {n_branches: {low: 1, high: 9}}", ["line 9: space.n_branches.high must be at most 8 but got 9"]),
    ("+", "space: {merge: add}", ["line 9: space.merge must be one of concat, sum, gate or null but got 'add'"]),
    ("+", "space: {pooling: [last, lats]}",
     ["line 9: space.pooling[1] must be one of last, mean, max, additive, multihead but got 'lats'; did you mean"]),
    ("+", "space: {pooling: {low: 1, high: 2}}",
     ["line 9: space.pooling must be last, mean, max, additive, multihead or a list of them but got"]),
    ("+", "space: {residual: 1}", ["line 9: space.residual must be true or false or null but got 1"]),
    ("+", "space: {residual: {low: 0, high: 1}}", ["line 9: space.residual must be a value or a list of values but"]),
    ("+", "space: {series_embedding: [0, -1]}", ["line 9: space.series_embedding[1] must be at least 0 but got -1"]),
    ("+", "space: {recurrent_dropout: 1}", ["line 9: space.recurrent_dropout must be below 1 but got 1"]),
    ("+", "space: {loss: [mae, l1]}",
     ["line 9: space.loss[1] must be one of mae, mse, huber, ", "but got 'l1'"]),
    ("+", "training: {loss: mae}", ["line 9: training.loss is not a known key; did you mean 'space.loss'?"]),
    ("+", "training: {epoch_windows: many}",
     ["line 9: training.epoch_windows must be a whole number from 1, or auto, but got 'many'"]),
    ("+", "training: {refit: last}",
     ["line 9: training.refit must be one of all, last_fold but got 'last'; did you mean 'last_fold'?"]),
    ("+", "search: {sampler: grid}\nspace: {n_layers: [1, 2]}",
     ["line 10: space.n_layers must be one value for a grid, which would try the same candidate again for every value "
      "of the layers that a shallow network does not have; fix it, or set search.sampler to random or tpe"]),
    ("+", "search: {sampler: grid}\nspace: {n_branches: [1, 2]}",
     ["line 10: space.n_branches must be one value for a grid"]),
    ("+", "search: {sampler: grid}\nspace: {dropout: {low: 0, high: 0.5}}",
     ["line 10: space.dropout is a range without a step, which no grid can exhaust"]),
]  # fmt: skip


@each_row(("line", "instead", "expected"), BAD_VALUES)
def test_a_wrong_value_is_named_with_its_line_its_rule_and_the_way_out(
    line: str, instead: str, expected: list[str], write: Write
) -> None:
    assert line == "+" or line in GOOD
    path = write(GOOD + instead if line == "+" else GOOD.replace(line, instead))

    text = "\n".join(problems_of(path))

    for fragment in expected:
        assert fragment in text


ODD_VALUES = [
    "", "~", "true", "-1", "0", "1.5", "1e400", ".nan", "9999999999999999999999", "''", "' '", "none", "a b",
    "[]", "[[]]", "{}", "[1, a]", "[null]", "{a: 1}", "{1: 2}", "{low: a, high: []}", "{low: {}, high: 3}",
    "{low: 2, high: 1, step: 0, log: 1}",
]  # fmt: skip


def test_no_odd_value_of_any_key_gives_more_than_sentences_about_keys(write: Write) -> None:
    path = write(GOOD)
    for key in (*config_fields(ForecastStudyConfig), "data", "splits", "search", "space", "tracking"):
        refused = 0
        for value in ODD_VALUES:
            try:
                read_study_file(path, overrides=[f"{key}={value}"])
            except StudyFileError as error:
                refused += 1
                for problem in error.problems:
                    assert problem.key.partition(".")[0] in ForecastStudyConfig.model_fields
                    assert problem.message.startswith(("must ", "is ", "names ", "cannot "))
                    assert "Input should" not in problem.message
                    assert "<" not in str(problem).replace("<=", "")

        assert refused >= len(ODD_VALUES) - 12, key


BAD_FILES: list[tuple[str | bytes, str]] = [
    ("", "the file is empty; a study needs data, forecast and splits"),
    ("# nothing\n", "the file is empty"),
    ("---\n", "the file is empty"),
    ("- a\n- b\n", "line 1: the file must hold sections such as data: and forecast: but holds a list"),
    ("data\n", "line 1: the file must hold sections such as data: and forecast: but holds the single value 'data'"),
    ("data:\n\ttime: day\n", "line 2: the file is not valid YAML at column 1: a tab cannot indent; use spaces"),
    ("data:\n  time: [day\n", "line 3: the file is not valid YAML at column 1: expected ',' or ']'"),
    ("data:\n  time: 'day\n", "line 3: the file is not valid YAML at column 1: found unexpected end of stream"),
    ("data:\n  time: a: b\n", "line 2: the file is not valid YAML at column 10: mapping values are not allowed here"),
    ("data:\n  time: *day\n", "line 2: the file is not valid YAML at column 9: found undefined alias 'day'"),
    ("data: 1\n---\ndata: 2\n", "line 2: the file is not valid YAML at column 1: a second document begins here"),
    ("data:\n  time: {{ column }}\n", "line 2: the file is not valid YAML at column 10: a key must be plain text"),
    ("data: !!python/name:os.system\n", "line 1: the file is not valid YAML at column 7: a tag (!) is not allowed"),
    ("data: &a\n  b: *a\n", "the file is not valid YAML: it is nested too deeply, or an alias (*) holds itself"),
    ("[" * 1000, "the file is not valid YAML: it is nested too deeply"),
    (f"data: {'9' * 5000}\n", "the file is not valid YAML: a number has too many digits"),
    (f"data: 0x{'f' * 5000}\n", "the file is not valid YAML: a number has too many digits"),
    (f"{'weather,' * 100}\n", "line 1: the file must hold sections such as data: and forecast: but holds"),
    (
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"{name}: &{name} [{', '.join(['*' + before] * 8)}]\n" for before, name in pairwise("abcdef")),
        "the file is not valid YAML: with its aliases (*) it holds more than 10000 values",
    ),
    (b"data:\n  time: \x00\n", "the file is not valid YAML: the character #x0000 is not allowed"),
    (b"data:\n  time: temp\xe9rature\n", "line 2: the file is not UTF-8 text (byte 0xe9); save it as UTF-8"),
    (GOOD + "#" * 1_000_000, "the file has more than 1 MB, but a study file is shorter; is it the table"),
    (GOOD + f"data: [{'a, ' * 20_000}\n", "line 10: the file is not valid YAML at column 1: did not find expected"),
    (GOOD.encode("utf-16"), "line 1: the file is not UTF-8 text (byte 0xff); save it as UTF-8"),
    (GOOD + "forecast: {horizon: 3}\n", "line 9: forecast is set twice, first in line 5; remove one"),
    (GOOD.replace("  time: day", "  time: day\n  time: date"), "line 4: data.time is set twice, first in line 3"),
    (GOOD + "space: {hidden_size: {low: 1, low: 2, high: 3}}", "line 9: space.hidden_size.low is set twice"),
]  # fmt: skip


@each_row(("content", "expected"), BAD_FILES)
def test_a_file_that_is_no_study_is_refused_in_one_line(content: str | bytes, expected: str, write: Write) -> None:
    (problem,) = problems_of(write(content))

    assert problem.startswith(expected)


def test_the_parser_in_c_and_the_one_in_python_read_the_same() -> None:
    texts = [path.read_text() for path in Path("studies").glob("*.yaml")]
    texts += [GOOD, "{a: 1e-3, b: no, c: 0o17, d: 0x1f, e: ~, f: .5, g: 2020-01-02, h: '1', i: Ω, j: True}"]
    assert len(texts) > 5
    for text in texts:
        found, expected = (
            yaml_file._parse_with(yaml_file._FastLoader, text),
            yaml_file._parse_with(yaml_file._Loader, text),
        )
        assert found[1:] == expected[1:]
        lines = [[node.start_mark.line for _, node in yaml_file._walk(root, ())] for root in (found[0], expected[0])]
        assert lines[0] == lines[1]


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(write: Write) -> None:
    path = write(
        """\
data:
  tme: day
  target: [units, units]
forecast:
  horizon: 7
  metrik: mae
splits:
  holdout: 3
  holdout: 4
  folds: none
search:
  sampler: grid
  pruner: best
space:
  n_layers: [1, 2]
  hidden_size: {low: 0, high: -1}
"""
    )

    problems = problems_of(path, overrides=["space.merge=sun", "nonsense"])

    assert [problem.split(" ")[1].rstrip(":") if "line" in problem else problem for problem in problems] == [
        "1", "1", "2", "3", "6", "9", "9", "10", "13", "15", "16", "16",
        "--set nonsense: must look like key=value, as in training.max_epochs=10, but got 'nonsense'",
        "--set space.merge=sun: space.merge must be one of concat, sum, gate or null but got 'sun'; did you mean "
        "'sum'?",
    ]  # fmt: skip


def test_a_rule_between_two_sections_is_not_hidden_by_another_problem_in_them(write: Write) -> None:
    path = write(GOOD.replace("horizon: 7", "horizon: 40\n  metrik: mae").replace("30", "30\n  folds: 0"))

    assert problems_of(path) == [
        "line 7: forecast.metrik is not a known key; did you mean 'metric'?",
        "line 9: splits.holdout must be at least forecast.horizon (40), so that a forecast fits, but got 30",
        "line 10: splits.folds must be at least 1 but got 0",
    ]


def test_a_line_is_found_in_every_layout(write: Write) -> None:
    base = "base: &base {folds: 0}\n"
    for content, line in [
        (GOOD.replace("holdout: 30", "holdout: 30\n\n  # five\n  'folds': 0"), 11),
        (GOOD.replace("\n  holdout: 30", " {holdout: 30,\n  folds: 0}"), 8),
        ("\ufeff" + GOOD + "  folds: 0\n", 9),
        (GOOD.replace("\n", "\r\n") + "  folds: 0\r\n", 9),
    ]:
        assert problems_of(write(content)) == [f"line {line}: splits.folds must be at least 1 but got 0"]

    merged = problems_of(write(base + GOOD.replace("holdout: 30", "holdout: 30\n  <<: *base")))
    assert "line 1: splits.folds must be at least 1 but got 0" in merged


def test_yaml_is_read_as_version_1_2(write: Write) -> None:
    path = write(
        GOOD.replace("time: day", "time: no").replace("target: units", "target: [on, 2012-01-01, 1:30]")
        + "search: {seed: 010, timeout: 1e2}\nspace: {learning_rate: [1e-3, 1E-2, .5], weight_decay: 1e-4}\n"
    )

    config = read_study_file(path).config

    assert config.data.time == ("no",)
    assert config.data.targets == ("on", "2012-01-01", "1:30")
    assert (config.search.seed, config.search.timeout) == (10, 100.0)
    assert config.space.learning_rate == Choices((1e-3, 1e-2, 0.5))
    assert config.space.weight_decay == Choices((1e-4,))


def test_a_study_is_named_after_its_file_unless_it_names_itself(write: Write) -> None:
    assert read_study_file(write(GOOD)).config.name == "shop"
    assert read_study_file(write("name: other\n" + GOOD)).config.name == "other"


def test_an_error_of_a_file_survives_a_pipe_between_processes() -> None:
    error = StudyFileError("shop.yaml", [Problem("data", "is missing", 1)])

    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "shop.yaml: 1 problem\n  line 1: data is missing"


@each_row(
    ("override", "read", "expected"),
    [
        ("training.max_epochs=10", lambda config: config.training.max_epochs, 10),
        ("search.timeout=5m", lambda config: config.search.timeout, 300.0),
        ("search.timeout=null", lambda config: config.search.timeout, None),
        ("search.timeout=", lambda config: config.search.timeout, None),
        ("search.jobs=auto", lambda config: config.search.jobs, "auto"),
        ("name=other", lambda config: config.name, "other"),
        ("forecast.horizon = 3", lambda config: config.forecast.horizon, 3),
        ("data.target=[a, b]", lambda config: config.data.targets, ("a", "b")),
        ("data.delimiter=;", lambda config: config.data.delimiter, ";"),
        ('data.delimiter="\\t"', lambda config: config.data.delimiter, "\t"),
        ("tracking.experiment=a=b", lambda config: config.tracking.experiment, "a=b"),
        ("space.hidden_size=[16,32]", lambda config: config.space.hidden_size, Choices((16, 32))),
        (
            "space.learning_rate={low: 1e-4, high: 1e-2, log: true}",
            lambda config: config.space.learning_rate,
            PositiveRange(low=1e-4, high=1e-2, log=True),
        ),
        ("splits={holdout: 14, folds: 1}", lambda config: (config.splits.holdout, config.splits.folds), (14, 1)),
    ],
)
def test_an_override_replaces_one_key(
    override: str, read: Callable[[ForecastStudyConfig], object], expected: object, write: Write
) -> None:
    path = write(GOOD)

    assert read(read_study_file(path, overrides=[override]).config) == expected
    assert read(read_study_file(path).config) != expected or expected in (None, "auto")


def test_the_last_override_of_a_key_counts_and_one_reaches_into_a_range(write: Write) -> None:
    path = write(GOOD + "space: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}\n")

    config = read_study_file(
        path, overrides=["search.trials=3", "space.learning_rate.low=1e-3", "search.trials=4"]
    ).config

    assert config.search.trials == 4
    assert config.space.learning_rate == PositiveRange(low=1e-3, high=1e-2, log=True)


@each_row(
    ("override", "expected"),
    [
        ("trials", "must look like key=value, as in training.max_epochs=10, but got 'trials'"),
        ("=3", "must look like key=value"),
        ("search..trials=3", "must look like key=value"),
        ("search.trails=3", "search.trails is not a known key; did you mean 'trials'?"),
        ("trials=3", "trials is not a known key; did you mean 'search.trials'?"),
        ("serch.trials=3", "serch is not a known key; did you mean 'search'?"),
        ("search.trials=0", "search.trials must be a whole number from 1, or auto, but got 0"),
        ("search.trials=", "search.trials must be a whole number from 1, or auto, but got nothing"),
        ("space.cell=[lstm", "space.cell must be valid YAML but got '[lstm': expected ',' or ']'"),
        (
            "space.dropout={low: 0, low: 1}",
            "space.dropout must be valid YAML but got '{low: 0, low: 1}': low",
        ),
        ("data.time.x=1", "data.time.x cannot be set, because data.time is 'day', which has no keys"),
        ("data.time=units", "line 4: data.target names 'units', which is already data.time"),
        ("search=3", "search must be a section with its own keys but got 3"),
    ],
)
def test_a_wrong_override_is_told_apart_from_the_file(override: str, expected: str, write: Write) -> None:
    typed = "" if expected.startswith("line") else f"--set {shlex.quote(override)}: "
    assert "\n".join(problems_of(write(GOOD), overrides=[override])).startswith(typed + expected)


def test_a_wrong_option_is_named_as_it_was_typed(write: Write) -> None:
    with pytest.raises(StudyFileError, match=r"\n  --trials 0: search.trials must be a whole number from 1, or auto"):
        read_study_file(write(GOOD), options={"trials": "0", "jobs": None})


def test_an_override_of_one_section_does_not_reach_another_that_shares_its_anchor(write: Write) -> None:
    path = write(GOOD + "space:\n  hidden_size: &range {low: 8, high: 32}\n  batch_size: *range\n")

    space = read_study_file(path, overrides=["space.hidden_size.high=64"]).config.space

    assert space.hidden_size is not None
    assert space.batch_size is not None
    assert (space.hidden_size.values[-1], space.batch_size.values[-1]) == (64, 32)


@pytest.mark.parametrize("source", ["path: shop.csv", "dataset: seattle_weather"])
def test_another_table_takes_the_place_of_the_studys(source: str, write: Write) -> None:
    path = write(GOOD.replace("path: shop.csv", source))

    data = read_study_file(path, data_path="other.parquet").config.data

    assert (data.path, data.dataset) == ("other.parquet", None)


def test_another_table_completes_a_study_that_names_none(write: Write) -> None:
    path = write("forecast: {horizon: 7}\nsplits: {holdout: 30}\n")

    assert (
        read_study_file(path, overrides=["data.time=t", "data.target=y"], data_path="y.csv").config.data.path == "y.csv"
    )
    assert problems_of(path, data_path="y.csv")[0].startswith("data.time is missing")


def test_a_study_is_found_by_path_or_by_name_with_the_current_folder_first(write: Write) -> None:
    path = write(GOOD)
    assert find_study(path) == path
    assert find_study("shop.yaml") == path
    assert find_study(None) == find_study("weather") == known_studies()["weather"]
    assert not find_study("weather").is_relative_to(Path.cwd())

    Path("studies").mkdir()
    for name in ("weather.yaml", "v1.2.yml", "notes.txt"):
        (Path("studies") / name).write_text(GOOD)
    assert find_study("weather") == Path("studies/weather.yaml")
    assert find_study("v1.2") == Path("studies/v1.2.yml")
    assert "notes" not in known_studies()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("wether", r"there is no study 'wether'; did you mean 'weather'\?; known studies: .*weather"),
        ("zzz", r"there is no study 'zzz'; known studies: .*weather"),
        ("weather.yaml", r"weather\.yaml is not a file, so it is not a study; did you mean 'weather'\?; known studies"),
        ("studies/shopp.yaml", r"studies/shopp\.yaml is not a file, so it is not a study"),
        (".", r"\. is a folder, so it is not a study"),
        ("", r"is a folder, so it is not a study"),
    ],
)
def test_a_study_that_is_not_there_is_refused_with_those_that_are(reference: str, message: str, write: Write) -> None:
    write(GOOD)

    for find in (find_study, read_study_file, lambda name: study_name(name, never)):
        with pytest.raises(StudyNotFound, match=message):
            find(reference)


def test_a_study_has_a_name_even_where_its_file_has_mistakes(write: Write) -> None:
    path = write("name: other\nnonsense: 3\n")

    assert study_name(path, never) == "other"
    assert study_name(write("nonsense: 3\n"), never) == "shop"
    assert study_name(None, never) == "weather"


def never(name: str) -> bool:
    """That a study of that name was run."""
    return False


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../shop", "line 1: name must be 1 to 100 letters .* but got '../shop'; for example name: shop"),
        ("x.compare", "line 1: name must not end in '.compare'"),
        ("2024", "line 1: name must be text but got 2024; put it in quotes"),
        ("[a]", r'line 1: name must be text but got \["a"\]'),
    ],
)
def test_the_name_of_a_study_keeps_its_rule_even_where_nothing_else_is_checked(
    name: str, message: str, write: Write
) -> None:
    with pytest.raises(StudyFileError, match=message):
        study_name(write(f"name: {name}\nnonsense: 3\n"), never)


@pytest.mark.parametrize("name", ["second", "shop.compare"])
def test_a_study_that_was_run_is_known_by_its_name_even_one_that_is_reserved_now(name: str, write: Write) -> None:
    file = write(f"name: {name}\n" + GOOD)
    with pytest.raises(StudyNotFound, match=f"no study '{name}'"):
        study_name(name, never)

    assert study_name(name, lambda asked: asked == name) == study_name(file, lambda asked: asked == name) == name


def resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference stands for."""
    return definitions[node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def test_the_schema_describes_every_key_and_every_shape_of_a_space_value() -> None:
    definitions = schema()["$defs"]
    studies = [definitions[resolved["$ref"].rpartition("/")[2]] for resolved in schema()["anyOf"]]

    assert len(studies) == len(set(TASKS.values()))
    for study in studies:
        assert "data" in study["required"]
        assert ("task" in study["required"]) == (study is not studies[0]), "the first one is the default"
        for key, node in study["properties"].items():
            section = resolve(node, definitions)
            assert node.get("description") or section["description"], key
            assert section.get("additionalProperties", False) is False, key
            for inner, inner_node in section.get("properties", {}).items():
                assert inner_node["description"], f"{key}.{inner}"

    space = resolve(studies[0]["properties"]["space"], definitions)["properties"]
    scalar, items, mapping = space["hidden_size"]["anyOf"][0]["oneOf"]
    assert scalar == {"type": "integer", "minimum": 1, "maximum": 16384}
    assert items == {"type": "array", "items": scalar, "minItems": 1}
    range_ = resolve(mapping, definitions)
    assert range_["required"] == ["low", "high"]
    assert list(range_["properties"]) == ["low", "high", "log", "step"]
    assert all(node["description"] for node in range_["properties"].values())
    cell = space["cell"]["anyOf"][0]["oneOf"][0]
    assert cell == {"anyOf": [{"enum": list(CELLS)}, {"type": "string"}]}, "others may be registered"
    assert space["merge"]["anyOf"][0]["oneOf"][0] == {"type": "string", "enum": ["concat", "sum", "gate"]}
    assert all(len(space[key]["anyOf"][0]["oneOf"]) == 2 for key in ("cell", "merge", "residual", "series_embedding"))

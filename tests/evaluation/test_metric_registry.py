"""The registry of metrics: what an entry holds, and metrics that users register."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.panels import make_panel
from helpers.sequences import CLASSES, NUMBERS
from helpers.studies import TINY, write_study

import lstmgru
from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.errors import SpecError
from lstmgru.evaluation import metrics
from lstmgru.evaluation.forecasts import ForecastEvaluation, make_evaluation
from lstmgru.evaluation.metrics import add_metric, find_metric, metric_names, register_metric
from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.specs import ForecastSpec
from lstmgru.specs.tasks import TASKS, TaskEntry
from search import run_study
from search.errors import SearchError, StudyFileError
from search.tasks.study_file import read_study_file


def log_error(target: Any, forecast: Any) -> Any:
    """Absolute difference of logarithms."""
    return np.abs(np.log1p(np.abs(target)) - np.log1p(np.abs(forecast)))


def register(name: str = "log_error", function: Callable[..., Any] = log_error, **options: Any) -> None:
    register_metric(name, function, **({"tasks": ["forecast"], "losses": ["huber", "mae"]} | options))


@pytest.fixture(autouse=True)
def _nothing_stays_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_registered", {})


def evaluation() -> ForecastEvaluation:
    panel = make_panel((120,))
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    return make_evaluation(panel, splits.holdout, ForecastSpec(5, 7), context_length=10, stride=1)


@pytest.mark.parametrize("task", list(TASKS))
def test_every_entry_has_a_formula_and_valid_losses(task: str) -> None:
    for name in metric_names(task):
        metric = find_metric(name, task)
        assert metric.name == name
        assert metric.function.__doc__
        assert metric.losses[task]
        assert metric.label.lower().replace(" ", "_").replace("²", "2") == name


@pytest.mark.parametrize(
    ("name", "task", "names"),
    [
        ("rsme", "forecast", f"{', '.join(metric_names('forecast'))} but got 'rsme'; did you mean"),
        ("accuracy", "regression", f"{', '.join(metric_names('regression'))} but got 'accuracy'"),
        ("mae", "classification", f"{', '.join(metric_names('classification'))} but got 'mae'"),
        ("ma", None, "mae, rmse, mse, .*, r2, accuracy, .* but got 'ma'; did you mean 'mae'"),
    ],
)
def test_an_unknown_metric_is_an_error(name: str, task: Any, names: str) -> None:
    with pytest.raises(SpecError, match=f"^metric must be one of {names}"):
        find_metric(name, task)


def test_an_evaluation_refuses_an_unknown_metric() -> None:
    with pytest.raises(SpecError, match="did you mean 'rmse'"):
        evaluation().score("rsme", np.zeros(1))
    with pytest.raises(SpecError, match=r"metric must be one of mae, .*but got 'mase'"):
        SequenceEvaluation(np.zeros(2), NUMBERS).score("mase", np.zeros((2, 1)))
    panel = make_panel((120,))
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    with pytest.raises(SpecError, match="did you mean 'mase'"):
        make_evaluation(panel, splits.holdout, ForecastSpec(5, 7, "masse"), context_length=10, stride=1)


def test_a_registered_metric_is_scored_like_the_librarys() -> None:
    register()
    scored = evaluation()
    forecast = scored.target + 1
    errors = log_error(scored.target.astype(float), forecast.astype(float))
    assert scored.score("log_error", forecast) == pytest.approx(errors.mean())
    assert scored.window_errors("log_error", forecast) == pytest.approx(errors.mean(axis=(1, 2)))
    assert "log_error" in scored.scores(forecast)
    assert metric_names("forecast")[-1] == "log_error"
    assert "log_error" not in metric_names("regression")


def test_root_and_divisor_apply_to_a_registered_metric() -> None:
    register("own_rmse", lambda target, forecast: (target - forecast) ** 2, root=True)
    register("own_mase", lambda target, forecast: np.abs(target - forecast), divisor="season")
    scored = evaluation()
    forecast = scored.target + np.random.default_rng(0).normal(size=scored.target.shape).astype(np.float32)
    assert scored.score("own_rmse", forecast) == scored.score("rmse", forecast)
    assert scored.score("own_mase", forecast) == scored.score("mase", forecast)


def test_a_metric_of_quantiles_sees_them_all() -> None:
    register(
        "width", lambda target, q, p: (q[..., -1] - q[..., 0]).mean((1, 2)), losses=["quantile"], of_quantiles=True
    )
    scored = evaluation()
    quantiles = scored.target[..., None] + np.linspace(-2, 2, 5, dtype=np.float32)
    assert scored.score("width", scored.target, quantiles) == pytest.approx(4)
    assert "width" not in scored.scores(scored.target)
    with pytest.raises(SpecError, match="metric width needs quantile forecasts but got none"):
        scored.score("width", scored.target)


def test_metrics_of_labels_return_errors_or_the_score() -> None:
    register("hits", lambda labels, p: p.argmax(1) == labels, tasks=["classification"], losses=["cross_entropy"])
    register("worst", lambda labels, y: np.abs(labels - y).max(), tasks=["regression"], losses=["mse"])
    outputs = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
    assert SequenceEvaluation(np.array([0, 1, 2, 2]), CLASSES).scores(outputs)["hits"] == 0.75
    numbers = SequenceEvaluation(np.arange(3), NUMBERS)
    assert numbers.score("worst", np.array([[0], [3], [1]], np.float32)) == 2


def test_errors_of_another_shape_are_refused() -> None:
    register("total", lambda target, forecast: np.abs(target - forecast).sum())
    scored = evaluation()
    with pytest.raises(SpecError, match=r"metric total must return errors of the shape \(16, 5, 1\) but returned \(\)"):
        scored.score("total", scored.target)


@each_row(
    ("name", "options", "message"),
    [
        ("mae", {}, "the metric 'mae' already exists; register yours under another name"),
        (
            "My-Metric",
            {},
            "the name of a metric must be lowercase letters, digits and '_', a letter first, but",
        ),
        (
            "own",
            {"tasks": []},
            f"tasks of the metric 'own' must be one of {', '.join(TASKS)} at least",
        ),
        ("own", {"tasks": ["forecasts"]}, "tasks must be one of .* but got 'forecasts'; did you mean 'forecast'"),
        ("own", {"losses": []}, "losses of the metric 'own' must be one of mae, .* at least"),
        (
            "own",
            {"losses": ["cross_entropy"]},
            "losses of a metric for forecast must be one of mae, mse, huber, quantile",
        ),
        ("own", {"of_quantiles": True}, "must be one of quantile, student_t, negative_binomial but got 'huber'"),
        ("own", {"unit": "euro"}, "unit must be one of target, target squared, percent, none but got 'euro'"),
        ("own", {"direction": "up"}, "direction must be one of minimize, maximize but got 'up'"),
        ("own", {"divisor": "year"}, "divisor must be one of season, .*but got 'year'"),
        ("own", {"direction": "maximize"}, "direction of the metric 'own' must be minimize"),
        ("own", {"tasks": ["regression"], "divisor": "season"}, "divisor, of_quantiles and by_series of the metric"),
        ("own", {"by_series": True}, "by_series of the metric 'own' needs root"),
        ("own", {"function": object()}, "the metric 'own' must be a function but is <object"),
    ],
)
def test_an_entry_must_make_sense(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        register(name, **options)


def test_registering_again_changes_nothing_and_another_one_needs_another_name() -> None:
    register()
    register()
    add_metric(find_metric("log_error"))
    assert metric_names("forecast").count("log_error") == 1
    with pytest.raises(SpecError, match="the metric 'log_error' already exists"):
        register("log_error", lambda target, forecast: target)


def test_importing_the_registry_is_cheap() -> None:
    code = "import sys; from lstmgru import register_cell, register_metric; print({*sys.modules} & {'torch', 'pandas'})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
    with pytest.raises(AttributeError, match="has no attribute 'register_metrics'"):
        lstmgru.register_metrics  # noqa: B018


def test_a_study_may_choose_a_registered_metric_and_no_other(tmp_path: Path) -> None:
    path = write_study(tmp_path, TINY.replace("season_length: 7", "season_length: 7\n  metric: log_error"))
    with pytest.raises(StudyFileError, match=r"forecast\.metric must be one of mae, .* but got 'log_error'"):
        read_study_file(path)
    register()
    assert read_study_file(path).config.forecast.metric == "log_error"


def test_a_study_is_searched_by_a_registered_metric(tmp_path: Path) -> None:
    register(label="log error", unit="percent")
    path = write_study(tmp_path)
    overrides = ["forecast.metric=log_error", "tracking.enabled=false", "training.max_epochs=1", "search.trials=2"]
    study = run_study(path, overrides=overrides, folder=tmp_path).record
    assert (study.metric, study.direction) == ("log_error", "minimize")
    assert {trial.params["loss"] for trial in study.trials} <= {"huber", "mae"}
    assert study.holdout is not None
    assert study.holdout.metrics["log_error"] == study.holdout.score
    assert "log error" in study.holdout.verdict
    assert "log_error, smaller is better:" in (Path(study.bundle or "") / "MODEL_CARD.md").read_text(encoding="utf-8")
    metrics._registered.clear()
    register(function=lambda target, forecast: np.abs(target - forecast))
    with pytest.raises(SearchError, match="registered_metric"):  # another function is another study
        run_study(path, overrides=overrides, folder=tmp_path)


def test_a_function_that_workers_cannot_import_is_refused(tmp_path: Path) -> None:
    register("hidden", lambda target, forecast: np.abs(target - forecast))
    path = write_study(tmp_path)
    overrides = ["forecast.metric=hidden", "tracking.enabled=false"]
    with pytest.raises(
        SearchError,
        match=r"the metric 'hidden' cannot be sent to worker processes: its function .*lambda> must",
    ):
        run_study(path, jobs=2, overrides=overrides, folder=tmp_path)


def test_a_task_brings_its_metrics_in_a_module_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new task edits no table of metrics: its line in ``TASKS`` names the module."""
    module = tmp_path / "tagging_metrics.py"
    module.write_text(
        "from lstmgru.evaluation.metrics import built_in_metric\n\n\n"
        '@built_in_metric("tag accuracy", {"tagging": ("tag_loss",)}, direction="maximize")\n'
        "def tag_accuracy(labels, probabilities):\n"
        "    return labels == probabilities.argmax(-1)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("lstmgru.evaluation.metrics._built_in", dict(metrics._built_in))
    monkeypatch.setitem(TASKS, "tagging", TaskEntry("none:None", "none:None", ("tag_loss",), "tagging_metrics"))
    assert metric_names("tagging") == ("tag_accuracy",)
    assert find_metric("tag_accuracy", "tagging").larger_is_better

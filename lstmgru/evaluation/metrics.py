"""The metrics of all tasks, built-in and registered.

A built-in metric is a function with the decorator ``@built_in_metric``, whose arguments are everything that the search,
the reports and the model cards need to know; the docstring gives formula and source. In the formulas y are true values,
ŷ forecasts, and p probabilities. Metrics of forecasts are averaged over the targets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, get_args

import numpy as np

from lstmgru.errors import SpecError, one_of
from lstmgru.evaluation.confusion import Codes, Floats, Probabilities, area, confusion, f1_of_classes
from lstmgru.specs.tasks import QUANTILE_LOSSES, TASKS

Unit = Literal["target", "target squared", "percent", "none"]
Direction = Literal["minimize", "maximize"]
Divisor = Literal["season", "season_deviation", "deviation"]
Losses = Mapping[str, tuple[str, ...]]


_CLASSES: Losses = {"classification": ("cross_entropy",)}
_NUMBERS: Losses = {"regression": ("mse", "mae", "huber")}
_ABSOLUTE: Losses = {"forecast": ("mae",)}
_SQUARED: Losses = {"forecast": ("mse", "mae", "huber")}
_SMALLEST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A score of forecasts or labels; :func:`register_metric` describes its attributes, ``losses`` are by task."""

    name: str
    function: Callable[..., Any] = field(repr=False)
    losses: Losses
    label: str
    unit: Unit = "none"
    direction: Direction = "minimize"
    divisor: Divisor | None = None
    root: bool = False
    by_series: bool = False
    of_quantiles: bool = False
    needs_variation: bool = False

    @property
    def seasonal(self) -> bool:
        """Whether it divides by seasonal differences, which some series do not have."""
        return self.divisor in ("season", "season_deviation")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have this metric."""
        return tuple(self.losses)

    @property
    def larger_is_better(self) -> bool:
        """Whether the score is maximized."""
        return self.direction == "maximize"


_built_in: dict[str, Metric] = {}
_registered: dict[str, Metric] = {}


def register_metric(
    name: str,
    function: Callable[..., Any],
    *,
    tasks: Sequence[str],
    losses: Sequence[str],
    label: str | None = None,
    unit: Unit = "none",
    direction: Direction = "minimize",
    divisor: Divisor | None = None,
    root: bool = False,
    by_series: bool = False,
    of_quantiles: bool = False,
    needs_variation: bool = False,
) -> None:
    """Register a metric, so that studies can choose it.

    The function takes true values and predictions:

    - forecasts: ``function(target, forecast)`` with two (windows, H, Y) arrays. Returns an array of errors of the same
      shape; their mean is the score. It is called for a block of windows at a time.
    - quantile forecasts: ``function(target, quantiles, probabilities)`` with (windows, H, Y), (windows, H, Y, Q) and
      (Q,). Returns (windows,) errors; their mean is the score.
    - regression: ``function(labels, predictions)`` with two (k,) arrays. Returns (k,) errors, whose mean is the score,
      or the score itself.
    - classification: ``function(labels, probabilities)`` with (k,) class codes and (k, C). Returns the same.

    Args:
        name: What study files, tables and MLflow call the metric: lowercase letters, digits and ``_``.
        function: Computes it. Worker processes import it, so define it at the top level of a module.
        tasks: ``forecast``, ``classification``, ``regression``: those whose studies may choose it.
        losses: Training losses that match the metric. The presets search them.
        label: Name in prose, such as ``macro F1``. Defaults to ``name``.
        unit: Unit of the score: that of the ``target``, ``target squared``, ``percent`` or ``none``.
        direction: ``minimize`` or ``maximize``. Metrics of forecasts are errors, which are minimized.
        divisor: Divide forecasts and true values by the mean absolute seasonal difference (``season``), the root of the
            mean squared one (``season_deviation``) or the standard deviation (``deviation``) of the training part.
        root: Take the square root of the mean, for each target.
        by_series: Take it for each series, and then the mean over the series.
        of_quantiles: Score quantile forecasts instead of point forecasts.
        needs_variation: The score is undefined if all labels are the same.

    Raises:
        SpecError: The name is taken, or an argument is invalid.
    """
    add_metric(
        Metric(
            name=name,
            function=function,
            losses={task: tuple(losses) for task in tasks},
            label=name if label is None else label,
            unit=unit,
            direction=direction,
            divisor=divisor,
            root=root,
            by_series=by_series,
            of_quantiles=of_quantiles,
            needs_variation=needs_variation,
        )
    )


def add_metric(metric: Metric) -> None:
    """Register a metric from :func:`registered_metrics`, possibly of another process.

    Raises:
        SpecError: As :func:`register_metric`.
    """
    _check(metric)
    if metric.name in _built_in or _registered.get(metric.name, metric) != metric:
        raise SpecError(f"the metric {metric.name!r} already exists; register yours under another name")
    _registered[metric.name] = metric


def registered_metrics() -> Mapping[str, Metric]:
    """The metrics that users registered, by name."""
    return dict(_registered)


def metric_names(task: str) -> tuple[str, ...]:
    """The names of all metrics of a task, built-in ones first."""
    return tuple(name for name, metric in _known().items() if task in metric.losses)


def find_metric(name: str, task: str | None = None) -> Metric:
    """Find a metric by name.

    Args:
        name: The name.
        task: The task that must have the metric; ``None`` for any.

    Raises:
        SpecError: There is no such metric.
    """
    metrics = _known()
    one_of("metric", name, metric_names(task) if task else tuple(metrics))
    return metrics[name]


def _known() -> dict[str, Metric]:
    """All metrics by name, once the modules of the tasks that define them are imported."""
    for entry in TASKS.values():
        import_module(entry.metrics)
    return _built_in | _registered


def _check(metric: Metric) -> None:
    """Refuse an inconsistent metric."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", metric.name):
        rule = "the name of a metric must be lowercase letters, digits and '_', a letter first"
        raise SpecError(f"{rule}, but got {metric.name!r}")
    if not hasattr(metric.function, "__qualname__"):
        raise SpecError(f"the metric {metric.name!r} must be a function but is {metric.function!r}")
    if not metric.tasks:
        raise SpecError(f"tasks of the metric {metric.name!r} must be one of {', '.join(TASKS)} at least")
    for task, losses in metric.losses.items():
        one_of("tasks", task, tuple(TASKS))
        valid = QUANTILE_LOSSES if metric.of_quantiles else TASKS[task].losses
        if not losses:
            raise SpecError(f"losses of the metric {metric.name!r} must be one of {', '.join(valid)} at least")
        for loss in losses:
            one_of(f"losses of a metric for {task}", loss, valid)
    one_of("unit", metric.unit, get_args(Unit))
    one_of("direction", metric.direction, get_args(Direction))
    one_of("divisor", metric.divisor or "season", get_args(Divisor))
    if "forecast" in metric.tasks and metric.larger_is_better:
        raise SpecError(f"direction of the metric {metric.name!r} must be minimize, as forecasts are scored by errors")
    if metric.by_series and not metric.root:
        raise SpecError(f"by_series of the metric {metric.name!r} needs root: without it, it would change nothing")
    if metric.tasks != ("forecast",) and (metric.divisor is not None or metric.of_quantiles or metric.by_series):
        raise SpecError(
            f"divisor, of_quantiles and by_series of the metric {metric.name!r} are for the task forecast only"
        )


def built_in_metric(label: str, losses: Losses, **options: Any) -> Callable[..., Any]:
    """Register the decorated function as a built-in metric under its name; the arguments are those of a Metric."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        metric = Metric(name=function.__name__, function=function, losses=losses, label=label, **options)
        _check(metric)
        _built_in[metric.name] = metric
        return function

    return enter


@built_in_metric("MAE", {**_ABSOLUTE, **_NUMBERS}, unit="target")
def mae(target: Floats, forecast: Floats) -> Floats:
    """Mean absolute error: mean |y - ŷ|."""
    return np.abs(target - forecast)


@built_in_metric("RMSE", {**_SQUARED, **_NUMBERS}, unit="target", root=True)
def rmse(target: Floats, forecast: Floats) -> Floats:
    """Root mean squared error: √mean (y - ŷ)²."""
    return np.square(target - forecast)


@built_in_metric("MSE", _SQUARED, unit="target squared")
def mse(target: Floats, forecast: Floats) -> Floats:
    """Mean squared error: mean (y - ŷ)²."""
    return np.square(target - forecast)


@built_in_metric("sMAPE", _ABSOLUTE, unit="percent")
def smape(target: Floats, forecast: Floats) -> Floats:
    """Symmetric mean absolute percentage error: mean 200 |y - ŷ| / (|y| + |ŷ|), from 0 to 200.

    0/0 counts as 0 (Makridakis et al. 2020).
    """
    size = np.abs(target) + np.abs(forecast)
    ratio: Floats = np.divide(np.abs(target - forecast), size, out=np.zeros_like(size), where=size > 0)
    return 200 * ratio


@built_in_metric("MASE", _ABSOLUTE, divisor="season")
def mase(target: Floats, forecast: Floats) -> Floats:
    """Mean absolute scaled error: mean |y - ŷ| / s (Hyndman & Koehler 2006).

    s is the mean absolute seasonal difference of the series in the training part; NaN where it is 0.
    """
    return np.abs(target - forecast)


@built_in_metric("RMSSE", _SQUARED, divisor="season_deviation", root=True, by_series=True)
def rmsse(target: Floats, forecast: Floats) -> Floats:
    """Root mean squared scaled error: mean over the series of √(mean (y - ŷ)² / s²) (Makridakis et al. 2022).

    s² is the mean squared seasonal difference of the series in the training part, after Hyndman & Koehler (2006); in
    the M5 competition, the season is one step. NaN where it is 0.
    """
    return np.square(target - forecast)


@built_in_metric("WQL", {"forecast": ("quantile",)}, of_quantiles=True)
def wql(target: Floats, quantiles: Probabilities, probabilities: Sequence[float]) -> Floats:
    """Weighted quantile loss: mean over p of 2 Σ max(p (y - q̂), (p - 1) (y - q̂)) / Σ |y| (Park et al. 2022).

    q̂ are the quantile forecasts at p, both sums over windows and steps. NaN where every y is 0 or a quantile is NaN.
    """

    def pinball(quantile: Probabilities, probability: float) -> Floats:
        above = target - quantile
        return np.maximum(probability * above, (probability - 1) * above)

    losses = sum(pinball(quantiles[..., n], p) for n, p in enumerate(probabilities))
    size = np.abs(target).sum(axis=(0, 1))
    shares = np.divide(np.sum(losses, axis=1), size, out=np.full(target[:, 0].shape, np.nan), where=size > 0)
    means: Floats = 2 * len(target) / len(probabilities) * shares.mean(axis=1)
    return means


@built_in_metric("scaled MSE", _SQUARED, divisor="deviation")
def scaled_mse(target: Floats, forecast: Floats) -> Floats:
    """Mean squared error of standardized values: mean (y - ŷ)² / σ² (Zhou et al. 2021).

    σ is the standard deviation of the target over the training rows of all series.
    """
    return np.square(target - forecast)


@built_in_metric("scaled MAE", _ABSOLUTE, divisor="deviation")
def scaled_mae(target: Floats, forecast: Floats) -> Floats:
    """Mean absolute error of standardized values: mean |y - ŷ| / σ (Zhou et al. 2021), with σ as of ``scaled_mse``."""
    return np.abs(target - forecast)


@built_in_metric("R²", _NUMBERS, direction="maximize", needs_variation=True)
def r2(labels: Floats, predictions: Floats) -> float:
    """Coefficient of determination: 1 - Σ (y - ŷ)² / Σ (y - ȳ)²; NaN where all labels are the same."""
    spread = float(((labels - labels.mean()) ** 2).sum())
    return 1 - float(((labels - predictions) ** 2).sum()) / spread if spread > 0 else float("nan")


@built_in_metric("accuracy", _CLASSES, direction="maximize")
def accuracy(labels: Codes, probabilities: Probabilities) -> float:
    """Share of labels whose class is the most probable one."""
    return float((probabilities.argmax(axis=1) == labels).mean())


@built_in_metric("balanced accuracy", _CLASSES, direction="maximize")
def balanced_accuracy(labels: Codes, probabilities: Probabilities) -> float:
    """Mean recall of the classes that occur among the labels (Brodersen et al. 2010)."""
    counts = confusion(labels, probabilities)
    support = counts.sum(axis=1)
    return float((np.diag(counts)[support > 0] / support[support > 0]).mean())


@built_in_metric("macro F1", _CLASSES, direction="maximize")
def macro_f1(labels: Codes, probabilities: Probabilities) -> float:
    """Mean F1 of all C classes, F1 = 2 tp / (2 tp + fp + fn) (Sokolova & Lapalme 2009).

    0 for a class that neither occurs nor is predicted.
    """
    return float(f1_of_classes(confusion(labels, probabilities)).mean())


@built_in_metric("log loss", _CLASSES)
def log_loss(labels: Codes, probabilities: Probabilities) -> float:
    """Cross entropy: mean -log p of the labels, p not below the precision of ``float32``, 1.2e-7."""
    chosen = np.take_along_axis(probabilities, labels.astype(np.int64)[:, None], axis=1).astype(np.float64)
    return float(-np.log(chosen.clip(_SMALLEST, 1)).mean())


@built_in_metric("AUROC", _CLASSES, direction="maximize", needs_variation=True)
def auroc(labels: Codes, probabilities: Probabilities) -> float:
    """Area under the ROC curve of the second of two classes (Fawcett 2006); NaN where all labels are the same.

    For more classes, the mean over those that occur, each against the rest.
    """
    occurring = np.unique(labels).astype(np.int64)
    if len(occurring) < 2:
        return float("nan")
    if probabilities.shape[1] == 2:
        return area(labels == 1, probabilities[:, 1])
    return float(np.mean([area(labels == code, probabilities[:, code]) for code in occurring]))

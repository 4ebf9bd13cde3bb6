"""The JSON object that ``show --json`` prints, as models.

:meth:`search.study.records.StudyRecord.to_json` makes the object, and the models describe it. Records whose fields are
the keys of an object describe themselves.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from search.study.blend_records import SingleRecord
from search.study.json_keys import key
from search.study.records import BaselineRecord, IntervalRecord
from search.study.refit_records import RefitRecord


class Trial(BaseModel):
    """A trial of a study."""

    number: int = key("Number of the trial, starting from 0, in the order in which trials were suggested.")
    state: str = key("`WAITING`, `RUNNING`, `COMPLETE`, `PRUNED` or `FAIL`, as in Optuna, or `STOPPED`.")
    value: float | None = key(
        "For a complete trial, the mean score over its folds. For a pruned or stopped trial, its last intermediate "
        "value, which covers fewer epochs or folds and must not be ranked with complete trials. Otherwise `null`.",
        unit="metric",
    )
    fold_scores: list[float] = key(
        "Score of each finished fold, in the order of the folds: at the epoch that is best on the other folds; the "
        "best score so far if the trial was stopped.",
        unit="metric",
    )
    layers: str | None = key(
        "Architecture in the order of its computation: `lstm(64) > gru(32)`, `last > segments(7) > [gru(32) | "
        "lstm(32)] > parallel`. The number of a layer is its hidden size. Defaults are omitted.",
        stability="open",
    )
    params: dict[str, Any] = key(
        "Suggested values by parameter: `n_layers`, `cell_1`, `hidden_size_1`, …; for a second branch "
        "`branch_2_n_layers`, … Values that the study fixes are not included.",
        stability="open",
    )
    n_parameters: int | None = key("Number of trainable parameters. `null` before the trial ends, and if it failed.")
    latency: float | None = key(
        "Time of one forecast of one series: the median of repeated passes in the worker, with one thread. `null` "
        "before the trial ends, and if it failed.",
        unit="seconds",
    )
    epochs: int | None = key(
        "Trained epochs, all folds together. `null` before the trial ends, and if it ended before its first epoch.",
        unit="epochs",
    )
    seconds: float | None = key(
        "Wall time of the trial, all folds together. `null` before the trial ends.", unit="seconds"
    )
    train_seconds: float | None = key(
        "Training time, all folds together; for a pruned trial, until it was pruned. `null` before the trial ends, "
        "and if it failed.",
        unit="seconds",
    )
    feasible: bool | None = key(
        "Whether the trial is within the bounds; for a pruned trial, as far as measured. `true` if there are no "
        "bounds. `null` before the trial ends, and if it failed."
    )
    pareto: bool | None = key(
        "For a complete trial of a study with several objectives, whether it is on the Pareto front: it is within "
        "the bounds, and no other such trial is better in one objective and at least as good in all others. Can "
        "change while the study is running. Otherwise `null`."
    )
    origin: str | None = key(
        "Origin of a configuration that was tried before those of the sampler: `search.try_first`, `portfolio`, or "
        "`study` and the name of the study of `search.warm_start`. `null` if the sampler suggested it, and for a "
        "trial that repeats another one.",
        stability="open",
    )
    reason: str | None = key("Reason why the trial was pruned, stopped or failed.", stability="text")
    mlflow_run_id: str | None = key("ID of its run in the store of `mlflow`.")


class Holdout(BaseModel):
    """Scores of the exported model on the holdout."""

    score: float = key("Score in the metric of the study.", unit="metric")
    score_interval: tuple[float, float] | None = key(
        "Ends of the 95% interval of the score. `null` with too few cases.", unit="metric"
    )
    metrics: dict[str, float] = key(
        "All metrics by name. `mase` and `rmsse` are missing if the training part does not vary from season to "
        "season, `wql` if there are no intervals.",
        unit="each its own",
        stability="open",
    )
    intervals: list[IntervalRecord] = key(
        "Prediction intervals, one object for each level for which the backtest is large enough."
    )
    baseline_intervals: dict[str, tuple[float, float]] = key(
        "By baseline, the ends of the 95% interval of its difference from the model, around its score: it contains "
        "the score of the model unless they differ significantly. Baselines with too few cases are missing.",
        unit="metric",
        stability="open",
    )
    verdict: str = key("Whether the model beats the best baseline.", stability="text")
    beats_baselines: bool = key("Whether it is significantly better than the best baseline.")
    looks: int = key("How many models of this study were scored on the holdout.")


class TrialMember(BaseModel):
    """A trial in a blend."""

    trial: int = key("Number of the trial.")
    weight: float = key("Weight in the mean. The weights sum to 1.", unit="share")


class BaselineMember(BaseModel):
    """A baseline in a blend."""

    baseline: str = key("Name of the baseline.")
    weight: float = key("Weight in the mean. The weights sum to 1.", unit="share")


class Blend(BaseModel):
    """The exported blend."""

    members: list[TrialMember | BaselineMember] = key(
        "Its members, the largest weight first; one member if no blend is better on the folds."
    )
    folds: float | None = key(
        "Mean score over the folds, of at most 1 million kept numbers. `null` of a trial that was stopped and is "
        "exported alone.",
        unit="metric",
    )
    holdout: float = key("Score on the holdout, of the members trained on the data before it.", unit="metric")
    single: SingleRecord | None = key("The best trial alone. `null` if no trial is complete.")


class Tracking(BaseModel):
    """Where MLflow has the study."""

    tracking_uri: str = key("Store or server. Passwords are replaced with `***`.")
    experiment_id: str = key("ID of the MLflow experiment.")
    parent_run_id: str = key("Run of the study; the runs of its trials are its children.")


class Study(BaseModel):
    """A study."""

    study: str = key("Name of the study.")
    task: str = key("`forecast`, `classification` or `regression`.", stability="open")
    metric: str = key("The score: a value of `forecast.metric` or `labels.metric`.", stability="open")
    direction: str = key("`minimize` or `maximize`. Forecast metrics are minimized.")
    objectives: list[str] = key(
        "Minimized objectives: `score`, and for a study with several objectives also `latency`, `n_parameters`, "
        "`train_seconds`.",
        stability="open",
    )
    bounds: list[str] = key("Bounds of the study, such as `latency <= 2ms`. Empty if there are none.", stability="text")
    trials: list[Trial] = key("All trials, ordered by number. Empty before the first trial.")
    best: Trial | None = key(
        "Best complete trial within the bounds. With several objectives, the preferred trial. `null` if there is none."
    )
    baselines: dict[str, BaselineRecord] = key(
        "Baselines by name; for forecasts `naive`, `seasonal_naive`, `linear`, `channel_linear`, `croston`, `adida`, "
        "`theta`, `ets`, `trees`, those that fit the data and the time limit. Empty before they are scored.",
        stability="open",
    )
    holdout: Holdout | None = key(
        "Scores of the exported model on the holdout, of its members trained on the data before it. `null` before it "
        "is scored."
    )
    blend: Blend | None = key(
        "The exported blend. `null` before the holdout is scored, with `search.blend: off`, and with several "
        "objectives; then the exported model is the trial `best`. With several objectives and no trial to export, "
        "a blend of baselines."
    )
    bundle: str | None = key("Absolute path of the exported model. `null` before the export.")
    refits: list[RefitRecord] = key(
        "Trainings of the model on later tables (`refit`), first to last. Empty if there are none."
    )
    mlflow: Tracking | None = key(
        "Where the last run of the study, or `sync` to its own store, was tracked. `null` until one of them has "
        "reached MLflow."
    )

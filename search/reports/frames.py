"""The trials of a study and its scores on the holdout as data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from search.study.records import StudyRecord

TRIAL_COLUMNS = {
    "number": "number of the trial, from 0",
    "state": "`WAITING`, `RUNNING`, `COMPLETE`, `PRUNED`, `STOPPED` (by the time limit) or `FAIL`",
    "value": "mean score over the folds; of a pruned or stopped trial its last intermediate value",
    "fold_1, fold_2, …": "score of each fold that it finished",
    "layers": "architecture",
    "n_parameters": "number of trainable parameters",
    "latency": "seconds of one prediction",
    "epochs": "epochs over all folds",
    "seconds": "wall time",
    "train_seconds": "seconds of training",
    "feasible": "whether it is within the bounds of the study",
    "pareto": "whether it is on the Pareto front; missing with one objective",
    "origin": "where its configuration comes from if the sampler did not suggest it",
    "reason": "why it was pruned, stopped or failed",
    "started": "local time",
    "completed": "local time",
    "mlflow_run_id": "its run in MLflow",
    "params_NAME": "value of each searched parameter, as in Optuna's `trials_dataframe`",
}
"""The columns of :func:`trials_frame` and what they hold."""
_FIRST, _THEN = ("number", "state", "value"), tuple(TRIAL_COLUMNS)[4:-1]
_TYPES = {
    "number": "int64", "value": "float64", "n_parameters": "Int64", "latency": "float64", "epochs": "Int64",
    "seconds": "float64", "train_seconds": "float64", "feasible": "boolean", "pareto": "boolean",
    "started": "datetime64[us]", "completed": "datetime64[us]",
}  # fmt: skip
_FOLD, _PARAMETER = "fold_", "params_"


def trials_frame(study: StudyRecord) -> pd.DataFrame:
    """One row per trial in the order of their numbers, with the columns :data:`TRIAL_COLUMNS`.

    Measures are those of ``show --json``. Integer parameters that not every trial has are of pandas' type ``Int64``.
    """
    import pandas as pd

    folds = range(max((len(trial.fold_scores) for trial in study.trials), default=0))
    names = dict.fromkeys(name for trial in study.trials for name in trial.params)
    rows: list[dict[str, Any]] = [
        {
            **values,
            "started": trial.started,
            "completed": trial.completed,
            **{f"{_FOLD}{number + 1}": score for number, score in enumerate(trial.fold_scores)},
            **{f"{_PARAMETER}{name}": value for name, value in trial.params.items()},
        }
        for trial, values in zip(study.trials, study.to_json()["trials"], strict=True)
    ]
    columns = [
        *_FIRST,
        *(f"{_FOLD}{number + 1}" for number in folds),
        *_THEN,
        *(f"{_PARAMETER}{name}" for name in names),
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype(_TYPES | {f"{_PARAMETER}{name}": kind for name, kind in _nullable(study).items()})


def _nullable(study: StudyRecord) -> Mapping[str, str]:
    """The parameters that are always integers or truth values, whose gaps would make them floats or objects."""
    kinds: dict[str, set[type]] = {}
    for name, value in _values(study):
        kinds.setdefault(name, set()).add(type(value))
    pandas_types = {int: "Int64", bool: "boolean"}
    return {name: pandas_types[kind] for name, (kind, *more) in kinds.items() if not more and kind in pandas_types}


def _values(study: StudyRecord) -> Iterable[tuple[str, Any]]:
    return (item for trial in study.trials for item in trial.params.items() if item[1] is not None)


def holdout_frame(study: StudyRecord) -> pd.DataFrame:
    """The exported model, named ``model``, and the baselines on the holdout, best first.

    Columns are ``score``, and ``low`` and ``high``: 95% intervals, of the model that of its score, of a baseline that
    of its difference from the model around its score. Empty before the holdout is scored.
    """
    import pandas as pd

    rows = []
    if study.holdout is not None:
        missing = (float("nan"), float("nan"))
        rows.append(("model", study.holdout.score, *(study.holdout.score_interval or missing)))
        rows += [
            (name, baseline.holdout, *study.holdout.baseline_intervals.get(name, missing))
            for name, baseline in study.baselines.items()
            if baseline.holdout is not None
        ]
    frame = pd.DataFrame(rows, columns=["name", "score", "low", "high"]).set_index("name")
    return frame.astype(float).sort_values("score", ascending=study.direction == "minimize", kind="stable")

"""The table of the suite: a row for each run, and the means and losses over all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from data_sets import DATA_SETS
from data_sets.scores import best

Result = Mapping[str, Any]
LARGEST_LOSS = 0.01
"""The exported model may be worse than the best baseline of the holdout by this much."""
_COLUMNS = (
    "data", "metric", "ours", "goal", "best single", "baselines", "published", "holdout: ours", "best baseline",
    "advantage", "started", "complete", "seconds", "limit",
)  # fmt: skip


def markdown(results: Sequence[Result]) -> str:
    """A Markdown table of the results with the summary below it."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    lines += ["| " + " | ".join(_cells(result)) + " |" for result in results]
    return "\n".join([*lines, "", *(f"{key}: {_text(value)}" for key, value in summary(results).items())])


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Over all runs: failures, losses against the best baseline on the holdout, and mean accuracies of the labels.

    The mean of a baseline is over the data sets that have it, with their number.
    """
    done = [result for result in results if result["error"] is None]
    labels = [result for result in done if DATA_SETS[result["data"]].group == "labels"]
    names = dict.fromkeys(name for result in labels for name in result["baselines"])
    means = {"ours": [result["scores"][result["metric"]] for result in labels]} if labels else {}
    means |= {name: [each["baselines"][name] for each in labels if name in each["baselines"]] for name in names}
    return {
        "failed": [_row_name(result) for result in results if result["error"] is not None],
        "worse than the best baseline by more than 1%": [
            _row_name(result) for result in done if result["holdout"]["advantage"] < -LARGEST_LOSS
        ],
        "mean accuracy of labels": {f"{name} ({len(each)})": round(fmean(each), 4) for name, each in means.items()},
    }


def reached(result: Result) -> str:
    """Which goals the scores of the test part reach: ``mase: required (0.86)``."""
    data_set = DATA_SETS[result["data"]]
    if result["part"] == "train":
        return "–"
    texts = []
    for metric, goals in data_set.goals.items():
        score = result["scores"][metric]
        met = [goal for goal in goals if (score >= goal if data_set.maximize else score <= goal)]
        texts.append(f"{metric} {_text(score)}: " + (f"reaches {met[-1]:g}" if met else f"misses {goals[0]:g}"))
    return "; ".join(texts) or "–"


def _cells(result: Result) -> list[str]:
    if result["error"] is not None:
        return [_row_name(result), result["metric"], f"failed: {result['error']}", *[""] * (len(_COLUMNS) - 3)]
    maximize, holdout, metric = DATA_SETS[result["data"]].maximize, result["holdout"], result["metric"]
    strongest = best(holdout["baselines"], maximize=maximize)
    cells = [
        _row_name(result),
        metric,
        result["scores"][metric],
        reached(result),
        result["single"],
        result["baselines"],
        result["published"] if result["part"] == "test" else None,
        holdout["exported"],
        "–" if strongest is None else f"{strongest} {_text(holdout['baselines'][strongest])}",
        f"{holdout['advantage']:+.1%}",
        result["started"],
        result["complete"],
        result["seconds"],
        result["limit"],
    ]
    return [_text(cell) for cell in cells]


def _row_name(result: Result) -> str:
    several = len(DATA_SETS[result["data"]].seeds) > 1
    return f"{result['data']}, seed {result['seed']}" if several or result["seed"] else str(result["data"])


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}" if math.isfinite(value) else str(value)
    return "–" if value is None else str(value)

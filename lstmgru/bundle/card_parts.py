"""What the cards of all models share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lstmgru.bundle.markdown import code, escape
from lstmgru.evaluation.metrics import find_metric
from lstmgru.specs import TrainSpec


@dataclass(frozen=True)
class Card:
    """The content of a card: title and summary, and the lines of each section."""

    title: str
    summary: str
    needs: list[str]
    scores: list[str]
    training: list[str]
    limits: list[str]
    usage: list[str]


_UNITS = {"target": " in original units", "target squared": " in squared original units", "percent": "", "none": ""}
"""What follows the name of a metric."""


def score_lines(metrics: dict[str, Any], metric: str) -> Iterator[str]:
    """Verdict and scores on the holdout, the model's among those of the baselines.

    Args:
        metrics: ``holdout``, ``baselines`` and ``verdict``, as far as they are known.
        metric: The one that counts.
    """
    scores, baselines = metrics.get("holdout") or {}, metrics.get("baselines") or {}
    if not scores:
        yield "It has not been scored on data that it did not learn from."
        return
    if metrics.get("verdict"):
        yield f"**Verdict:** {escape(metrics['verdict'])}"
        yield ""
    scored = find_metric(metric)
    better = "larger" if scored.larger_is_better else "smaller"
    what = f"{metric}{_UNITS[scored.unit]}, {better} is better"
    yield f"On a holdout that neither the search nor the training saw; {what}:"
    yield ""
    yield f"| model | {metric} |"
    yield "|---|---|"
    rows = [("**this model**", scores.get(metric)), *((escape(name), score) for name, score in baselines.items())]
    sign = -1 if scored.larger_is_better else 1
    for name, score in sorted(rows, key=lambda row: float("inf") if row[1] is None else sign * row[1]):
        yield f"| {name} | {number(score)} |"
    yield ""
    others = [f"{escape(name)} {number(score)}" for name, score in scores.items() if name != metric]
    yield f"Further scores of this model: {', '.join(others)}." if others else "No further scores were taken."


def number(value: float | None) -> str:
    """A score as a card shows it."""
    return "undefined" if value is None else f"{value:.4g}"


def training_line(train: TrainSpec, *more: str) -> str:
    """How it was trained."""
    settings = [
        f"{train.max_epochs} epochs",
        f"loss {train.loss}",
        *more,
        train.optimizer,
        f"{train.schedule} learning rate {train.learning_rate:.3g}",
        f"batch size {train.batch_size}",
        f"weight decay {train.weight_decay:.3g}",
        f"seed {train.seed}",
    ]
    return f"- {', '.join(settings)}"


def origin_lines(provenance: dict[str, Any]) -> Iterator[str]:
    """Where it is from."""
    for name, value in provenance.items():
        parts = value.items() if isinstance(value, dict) else ()
        shown = ", ".join(f"{escape(part)} {code(item)}" for part, item in parts) if parts else code(value)
        yield f"- {escape(name)}: {shown}"


def onnx_limit(description: dict[str, Any], takes: str, unit: str) -> Iterator[str]:
    """What the ONNX model cannot do, or why there is none.

    Args:
        description: What ``bundle.json`` holds.
        takes: What it takes only.
        unit: Of the difference from torch.
    """
    if description["onnx"] is not None:
        parity = description["onnx"]["parity"]
        worst = max(batch["relative"] for batch in parity)
        sizes = ", ".join(str(batch["batch_size"]) for batch in parity)
        yield f"- The ONNX model takes {takes}. It differs from torch by up to {worst:.1e} {unit} (batches of {sizes})."
    elif description["onnx_problem"]:
        yield f"- There is no ONNX model: {escape(description['onnx_problem'])}."

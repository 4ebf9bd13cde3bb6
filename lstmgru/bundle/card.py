"""The model card: its sections, what the cards of all tasks share, and safe Markdown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgru.evaluation.decimals import decimals_of, fixed, score_decimals
from lstmgru.evaluation.metrics import find_metric
from lstmgru.runtime.files import EXAMPLE
from lstmgru.specs import TrainSpec

if TYPE_CHECKING:
    from lstmgru.bundle.members import Member

# Characters with a meaning inside a line; foreign text never starts one. The last two would become links.
_SPECIAL = re.compile(r"[\\`*_\[\]<>&|~$@#]|:(?=//)|(?<=www)\.", re.IGNORECASE)

_UNITS = {"target": " in original units", "target squared": " in squared original units", "percent": "", "none": ""}
EVERYTHING = "everything"
"""Of ``trained_on`` in the provenance: the model was trained again on all data after the holdout was scored."""
_HOLDOUTS = {
    False: "Scores on a holdout that neither the search nor the training used",
    True: (
        "Scores on a holdout that the search did not use, by the same members trained on the data before it. The "
        "members of this model were then trained on all data, the holdout included"
    ),
}


@dataclass(frozen=True)
class Card:
    """The content of a card: title and summary, and the lines of each section."""

    title: str
    summary: str
    inputs: list[str]
    scores: list[str]
    training: list[str]
    limits: list[str]
    usage: list[str]

    def to_markdown(self) -> str:
        """The card as a Markdown document."""
        sections = {
            "What it needs": self.inputs,
            "How good it is": self.scores,
            "Architecture and training": self.training,
            "Limits": self.limits,
            "How to use it": self.usage,
        }
        parts = ["\n".join([f"## {name}", "", *lines]).rstrip() for name, lines in sections.items()]
        return "\n\n".join([f"# {self.title}", self.summary, *parts]) + "\n"


def score_lines(description: dict[str, Any], metric: str) -> Iterator[str]:
    """Verdict and holdout scores of the model, its best network alone, and the baselines.

    Args:
        description: The content of ``bundle.json``.
        metric: The metric of the task.
    """
    metrics = description["metrics"]
    scores, baselines = metrics.get("holdout") or {}, metrics.get("baselines") or {}
    if not scores:
        yield "The model has not been scored on held-out data."
        return
    if metrics.get("verdict"):
        yield f"**Verdict:** {escape(metrics['verdict'])}"
        yield ""
    scored = find_metric(metric)
    what = f"{metric}{_UNITS[scored.unit]}, {'larger' if scored.larger_is_better else 'smaller'} is better"
    yield f"{_HOLDOUTS[description['provenance'].get('trained_on') == EVERYTHING]}; {what}:"
    yield ""
    yield f"| model | {metric} |"
    yield "|---|---|"
    single = metrics.get("single")
    decimals = score_decimals(scores.get(metric), larger_is_better=scored.larger_is_better)
    rows = [("**this model**", scores.get(metric)), *((escape(name), score) for name, score in baselines.items())]
    if single:
        rows.append((f"{escape(single['name'])}, alone", single["score"]))
    sign = -1 if scored.larger_is_better else 1
    for name, score in sorted(rows, key=lambda row: float("inf") if row[1] is None else sign * row[1]):
        yield f"| {name} | {number(score, decimals)} |"
    yield ""
    better = scored.larger_is_better
    if single and (cost := single_sentence(single["score"], scores.get(metric), larger_is_better=better)):
        yield cost
        yield ""
    others = [f"{escape(name)} {number(score)}" for name, score in scores.items() if name != metric]
    yield f"Other scores of this model: {', '.join(others)}." if others else "No other metrics were computed."


def single_sentence(single: float | None, blend: float | None, *, larger_is_better: bool) -> str:
    """What one network in place of a blend would cost; empty unless both scores on the holdout are known."""
    if single is None or blend is None:
        return ""
    cost = blend - single if larger_is_better else single - blend
    decimals = score_decimals(blend, larger_is_better=larger_is_better)
    size = fixed(abs(cost), decimals) if larger_is_better or not blend else f"{abs(cost / blend):.1%}"
    equal = number(single, decimals) == number(blend, decimals) or size == "0.0%"
    change = "equally good" if equal else f"{size} {'worse' if cost > 0 else 'better'}"
    return f"A single network in place of the blend would be {change}."


def member_lines(members: Sequence[Member], unit: str) -> Iterator[str]:
    """The table of members; nothing for a single one.

    Args:
        members: Of the blend.
        unit: What a member reads, such as ``steps``.
    """
    if len(members) == 1:
        return
    yield f"A weighted mean of {len(members)} members with {total_parameters(members):,} parameters:"
    yield ""
    yield f"| member | weight | {unit} read | parameters | mean score of the folds |"
    yield "|---|---|---|---|---|"
    decimals = decimals_of([member.score for member in members])
    for member in members:
        trial = "" if member.trial is None else f", trial {member.trial}"
        score = "unknown" if member.score is None else number(member.score, decimals)
        yield (
            f"| {escape(member.title)}{trial} | {member.weight:.3g} | {member.reads or 'all'} | "
            f"{member.n_parameters:,} | {score} |"
        )
    yield ""


def total_parameters(members: Sequence[Member]) -> int:
    """Parameters of all members."""
    return sum(member.n_parameters for member in members)


def size_line(members: Sequence[Member]) -> str:
    """The sentence of a summary about architecture and size."""
    parameters = f"{total_parameters(members):,} parameters."
    if len(members) == 1:
        return f"Architecture: {code(members[0].title)}, {parameters}"
    return f"A blend of {len(members)} members with {parameters}"


def number(value: float | None, decimals: int | None = None) -> str:
    """A score as a card shows it; ``None``: with four digits."""
    return "undefined" if value is None else fixed(value, decimals_of([value]) if decimals is None else decimals)


def training_line(train: TrainSpec, *more: str) -> str:
    """The training settings."""
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
    """Where the model is from."""
    for name, value in provenance.items():
        parts = value.items() if isinstance(value, dict) else ()
        shown = ", ".join(f"{escape(part)} {code(item)}" for part, item in parts) if parts else code(value)
        yield f"- {escape(name)}: {shown}"


def onnx_limit(description: dict[str, Any], takes: str, unit: str) -> Iterator[str]:
    """The limits of the ONNX model, or why there is none.

    Args:
        description: The content of ``bundle.json``.
        takes: The only inputs that it accepts.
        unit: Of the difference from PyTorch.
    """
    onnx, mixture = description["onnx"], description["mixture"]
    if onnx is not None:
        yield f"- The ONNX model accepts only {takes}. It differs from PyTorch by {_differences(onnx, unit)}."
    elif description["onnx_problem"]:
        yield f"- There is no ONNX model: {escape(description['onnx_problem'])}."
    if mixture is not None and not mixture["parity"]:
        yield "- NumPy computes it, with or without PyTorch."
    elif mixture is not None:
        yield (
            "- Without PyTorch, NumPy computes the baselines, and ONNX Runtime the networks. The model then differs by "
            f"{_differences(mixture, unit)}."
        )


def _differences(described: dict[str, Any], unit: str) -> str:
    parity = described["parity"]
    worst = max(batch["relative"] for batch in parity)
    sizes = ", ".join(str(batch["batch_size"]) for batch in parity)
    return f"up to {worst:.1e} {unit} (batches of {sizes})"


def usage(
    results: str, description: dict[str, Any], *, example: bool, options: str = "", more: Iterable[str] = ()
) -> Iterator[str]:
    """How to use the model on the command line, from Python and from MLflow.

    Args:
        results: Noun for the predictions, such as ``forecasts``.
        description: The content of ``bundle.json``.
        example: Whether the bundle has an example.
        options: Further arguments for ``pd.read_csv``.
        more: Further lines of Python.
    """
    yield "On the command line:"
    yield from _block("sh", f"python -m search predict path/to/this/bundle --data new.csv --output {results}.csv")
    yield "From Python:"
    yield from _block(
        "python",
        "import pandas as pd",
        "from lstmgru.bundle import load_bundle",
        "",
        'bundle = load_bundle("path/to/this/bundle")',
        f'{results} = bundle.predict(pd.read_csv("new.csv"{options}))',
        *more,
    )
    if description["onnx"] is not None or description["mixture"] is not None:
        yield (
            'Without PyTorch, `lstmgru.runtime.load_model("path/to/this/bundle")` of the package `lstmgru-runtime` '
            "predicts from the same tables."
        )
        yield ""
    if example:
        yield f"`{EXAMPLE}` holds a table to try the model with; a loaded bundle has it as `bundle.example`."
        yield ""
    yield (
        'If the model is registered in MLflow, `mlflow.pyfunc.load_model("models:/<name>@champion").get_raw_model()` '
        "loads it, and its `predict` accepts the same table. MLflow's wrapper without `get_raw_model` accepts only the "
        "types of the signature."
    )
    yield ""


def onnx_usage(
    onnx: dict[str, Any] | None, axes: Mapping[str, str], integers: Collection[str], arrays: Iterable[str]
) -> Iterator[str]:
    """How to use the ONNX file; nothing if there is none.

    Args:
        onnx: The description of the file in ``bundle.json``; ``None`` if there is none.
        axes: The axes of each input and output, by name.
        integers: Names of the inputs of integers.
        arrays: A line about each array.
    """
    if onnx is None:
        return
    yield "With ONNX Runtime alone. Values are float32 in original units; the batch can have any size."
    yield ""
    yield from (f"- {line}" for line in arrays)
    kinds = {name: "int64" if name in integers else "float32" for name in onnx["inputs"]}
    inputs = [
        f'"{name}": np.ones({_shape(shape)}, np.{kinds[name]}),  # {axes[name]}'
        for name, shape in onnx["inputs"].items()
    ]
    outputs = list(onnx["outputs"])
    names = ", ".join(outputs) if len(outputs) > 1 else f"({outputs[0]},)"
    asked = ", ".join(f'"{name}"' for name in outputs)
    yield from _block(
        "python",
        "import numpy as np",
        "import onnxruntime",
        "",
        f'session = onnxruntime.InferenceSession("{onnx["file"]}")',
        "inputs = {",
        *(f"    {line}" for line in inputs),
        "}",
        f"{names} = session.run([{asked}], inputs)  # {'; '.join(axes[name] for name in outputs)}",
    )


def escape(text: object) -> str:
    """Foreign text for use within a line: Markdown is escaped, control characters become spaces."""
    return _SPECIAL.sub(r"\\\g<0>", _one_line(text))


def code(text: object) -> str:
    """Foreign text as a code span, for use within a line outside of tables; control characters become spaces."""
    line = _one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def codes(texts: tuple[str, ...] | list[str], *, most: int = 12) -> str:
    """Code spans separated by commas, at most ``most`` of them."""
    shown = ", ".join(code(text) for text in texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"


def _shape(shape: list[Any]) -> str:
    sizes = ["1" if size == "batch" else str(size) for size in shape]
    return sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"


def _block(language: str, *lines: str) -> Iterator[str]:
    yield from ("", f"```{language}", *lines, "```", "")


def _one_line(text: object) -> str:
    return " ".join("".join(mark if mark.isprintable() else " " for mark in str(text)).split())

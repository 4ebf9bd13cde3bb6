"""The objectives of a study over the search: by trial, by epoch, and against each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.config.objectives import SCORE
from search.reports.charts.chart import Chart
from search.reports.charts.colors import baseline_color
from search.reports.charts.marks import AnyMark, Dots, Line, Rule, Shape
from search.reports.charts.scales import Axis
from search.reports.formatting import decimals_of_study
from search.reports.page import Cut, cut
from search.reports.trials.sample import drawn
from search.study.records import STATE_WORDS, StudyRecord, TrialRecord
from search.study.trials import state_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

_LABELS = {"latency": "latency (ms)", "n_parameters": "parameters", "train_seconds": "training (s)"}
_SCALES = {"latency": 1000.0}


@dataclass(frozen=True)
class Objective:
    """One objective of a study.

    Attributes:
        index: Its position in the values of a trial.
        name: Its name in the study: ``score``, ``latency``.
        label: Its name on the page: ``MAE``, ``latency (ms)``.
        alone: Whether it is the only objective.
        larger_is_better: Whether it is maximized.
        scale: Factor between its values and those on the page.
        decimals: Of its values on the page; ``None``: those that the range of an axis needs.
    """

    index: int
    name: str
    label: str
    alone: bool
    larger_is_better: bool = False
    scale: float = 1.0
    decimals: int | None = None

    def of(self, trial: FrozenTrial) -> float:
        """The value of a complete trial, on the scale of the page."""
        return self.scale * float(trial.values[self.index])


def objectives(study: Study, metric: str, decimals: int | None = None) -> tuple[Objective, ...]:
    """All objectives of a study.

    Args:
        study: Optuna's study; its metric names are the objectives' names, unless the score is the only objective.
        metric: Name of the score's metric on the page: ``MAE``.
        decimals: Of the scores; ``None``: those that the range of an axis needs.
    """
    count = len(study.directions)
    names = study.metric_names or ([SCORE] if count == 1 else [f"objective_{number}" for number in range(1, count + 1)])
    larger = [direction.name == "MAXIMIZE" for direction in study.directions]
    shown = {SCORE: decimals}
    return tuple(
        Objective(index, name, _label(name, metric), count == 1, larger[index], _SCALES.get(name, 1.0), shown.get(name))
        for index, name in enumerate(names)
    )


def _label(name: str, metric: str) -> str:
    return metric if name == SCORE else _LABELS.get(name, name.replace("_", " "))


def score_of(aims: tuple[Objective, ...]) -> Objective:
    """The score among the objectives of a study."""
    return next((aim for aim in aims if aim.name == SCORE), aims[0])


def best_baseline(study: StudyRecord) -> tuple[str, float] | None:
    """Name and score of the best baseline on the folds; ``None`` before the baselines are scored."""
    scores = {name: baseline.folds for name, baseline in study.baselines.items() if baseline.folds is not None}
    choose = min if study.direction == "minimize" else max
    return choose(scores.items(), key=lambda item: item[1], default=None)


def complete_trials(study: Study) -> list[FrozenTrial]:
    """The complete trials of a study."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def history_chart(
    study: StudyRecord, optuna_study: Study, objective: Objective, baseline: tuple[str, float] | None
) -> Chart:
    """The values of all complete trials and the best value so far; pruned trials at the score that they reached.

    Args:
        study: The study.
        optuna_study: The same study, with at least one complete trial.
        objective: The objective to draw.
        baseline: Name and score of the baseline to draw.
    """
    trials = complete_trials(optuna_study)
    last = len(study.trials) - 1
    kept = [trial for trial in trials if not breaks_bound(trial)]
    best = _best_so_far(kept, objective, last)
    marks: list[AnyMark] = [Line(name="best so far", x=best[0], y=best[1], steps=True, color="ink", listed=False)]
    marks += _trial_dots("complete", "blue", "dot", [(trial.number, objective.of(trial)) for trial in kept])
    broken = [(trial.number, objective.of(trial)) for trial in trials if breaks_bound(trial)]
    marks += _trial_dots("violates a bound", "grey", "cross", broken)
    if objective.alone:
        ended = [(each.number, each.value or 0.0) for each in unfinished(study)]
        marks += _trial_dots("pruned or stopped", "grey", "ring", ended)
    rules = () if baseline is None else (_baseline_rule(*baseline),)
    seen = history_cut(optuna_study, objective, study)
    seen = seen.including(baseline[1]) if baseline else seen
    return Chart(
        title=f"{objective.label} by trial",
        x=Axis("trial", whole=True, span=(-0.03 * last - 0.3, 1.03 * last + 0.3)),
        y=Axis(
            objective.label,
            kind="number" if objective.name == SCORE or not _positive(optuna_study, objective) else "log",
            span=seen.span,
            whole=objective.name == "n_parameters",
            decimals=objective.decimals,
        ),
        marks=tuple(marks),
        rules=rules,
        height=280,
    )


def breaks_bound(trial: FrozenTrial) -> bool:
    """Whether a trial violates a bound of its study."""
    return any(value > 0 for value in trial.constraints.values())


def _best_so_far(trials: list[FrozenTrial], objective: Objective, last: int) -> tuple[list[float], list[float]]:
    """Trial numbers and the best value from each on, up to the last trial."""
    numbers: list[float] = []
    values: list[float] = []
    choose = max if objective.larger_is_better else min
    for trial in sorted(trials, key=lambda trial: trial.number):
        values.append(choose(values[-1], objective.of(trial)) if values else objective.of(trial))
        numbers.append(float(trial.number))
    return [*numbers, float(last)][: len(numbers) + 1], [*values, *values[-1:]]


def _trial_dots(name: str, color: str, shape: Shape, points: list[tuple[int, float]]) -> list[AnyMark]:
    if not points:
        return []
    numbers = [number for number, _ in points]
    texts = [f"trial {number}" for number in numbers]
    x, y = [float(number) for number in numbers], [value for _, value in points]
    return [Dots(name=name, color=color, shape=shape, x=x, y=y, texts=texts, trials=numbers)]


def history_cut(optuna_study: Study, objective: Objective, study: StudyRecord | None = None) -> Cut:
    """The range of values to draw.

    Args:
        optuna_study: The study.
        objective: The objective to draw.
        study: The same study, if pruned and stopped trials are drawn too.
    """
    if objective.name != SCORE:
        return Cut()  # costs are drawn on a logarithmic axis
    values = [objective.of(trial) for trial in complete_trials(optuna_study)]
    if study is not None and objective.alone:
        values += [trial.value or 0.0 for trial in unfinished(study)]
    return cut(values, larger_is_better=objective.larger_is_better)


def unfinished(study: StudyRecord) -> list[TrialRecord]:
    """Pruned and stopped trials that have a score."""
    return [each for each in study.trials if each.state in ("PRUNED", "STOPPED") and each.value is not None]


def _baseline_rule(name: str, score: float) -> Rule:
    return Rule(at=score, upright=False, text=name.replace("_", " "), color=baseline_color(name))


def pareto_chart(study: StudyRecord, optuna_study: Study, first: Objective, second: Objective) -> Chart:
    """Two objectives of all complete trials, with the Pareto front of all objectives highlighted.

    Args:
        study: The study, whose bounds are drawn.
        optuna_study: The same study, with at least one complete trial.
        first: The objective on the vertical axis.
        second: The objective on the horizontal axis.
    """
    front, best = set(study.front), study.best.number if study.best else None
    kinds: dict[str, list[FrozenTrial]] = {"other trials": [], "violates a bound": [], "Pareto front": []}
    for trial in complete_trials(optuna_study):
        name = "violates a bound" if breaks_bound(trial) else "other trials"
        kinds["Pareto front" if trial.number in front else name].append(trial)
    looks: dict[str, tuple[str, Shape]] = {
        "other trials": ("grey", "dot"), "violates a bound": ("grey", "cross"), "Pareto front": ("orange", "dot"),
    }  # fmt: skip
    marks: list[AnyMark] = []
    for name, trials in kinds.items():
        if not trials:
            continue
        trials.sort(key=second.of)
        x, y = [second.of(trial) for trial in trials], [first.of(trial) for trial in trials]
        on_front = name == "Pareto front"
        if on_front and len(optuna_study.directions) == 2:
            marks.append(Line(name=name, x=x, y=y, steps=True, color="orange", legend=False, listed=False))
        marks.append(
            Dots(
                name=name, x=x, y=y, color=looks[name][0], shape=looks[name][1], sizes=5.0 if on_front else 4.0,
                texts=[f"trial {trial.number}" for trial in trials],
                labels=[str(trial.number) for trial in trials] if on_front else (),
                trials=[trial.number for trial in trials],
            )
        )  # fmt: skip
    chosen = [trial for trial in complete_trials(optuna_study) if trial.number == best]
    if chosen:
        x, y = [second.of(trial) for trial in chosen], [first.of(trial) for trial in chosen]
        marks.insert(0, Dots(name="exported", x=x, y=y, shape="ring", sizes=9.0, color="ink", listed=False))
    bounds = {bound.name: bound for bound in study.goal.bounds}
    rules = tuple(
        Rule(
            at=aim.scale * bounds[aim.name].limit, upright=upright, text=str(bounds[aim.name]), color="red", shaded=True
        )
        for aim, upright in ((second, True), (first, False))
        if aim.name in bounds
    )
    return Chart(
        title=f"{first.label} against {second.label}",
        x=Axis(second.label, kind="log" if _positive(optuna_study, second) else "number"),
        y=Axis(first.label, decimals=first.decimals),
        marks=tuple(marks),
        rules=rules,
        height=320,
    )


def _positive(study: Study, objective: Objective) -> bool:
    return all(objective.of(trial) > 0 for trial in complete_trials(study))


def curves_chart(study: StudyRecord, optuna_study: Study, best: int | None, label: str) -> Chart:
    """The intermediate values of the trials, fold after fold, as the pruner sees them.

    Args:
        study: The study, whose configuration defines the folds and their epochs.
        optuna_study: The same study, with at least one intermediate value.
        best: Number of the trial to highlight.
        label: Name of the metric on the page.
    """
    trials = [trial for trial in optuna_study.get_trials(deepcopy=False) if trial.intermediate_values]
    last = max(max(trial.intermediate_values) for trial in trials)
    largest = optuna_study.directions[0].name == "MAXIMIZE"  # only single-objective studies have intermediate values
    complete = sorted(complete_trials(optuna_study), key=lambda trial: trial.value or 0.0, reverse=largest)
    chosen = [trial for trial in complete if trial.number == best]
    trials = drawn(trials, [*chosen, *(trial for trial in complete if trial.intermediate_values)])
    configured = study.config.get("training", {}).get("max_epochs", 0)
    max_epochs = configured if isinstance(configured, int) else _max_epochs(trials)
    ordered = sorted(trials, key=lambda trial: (trial.number == best, trial.state.name == "COMPLETE"))
    return Chart(
        title=f"{label} by epoch, trial by trial",
        x=Axis("epoch, fold after fold", whole=True, span=(0.5, last + 0.5)),
        y=Axis(label, span=curves_cut(optuna_study).span, decimals=decimals_of_study(study)),
        marks=tuple(_curve(trial, _kind(trial, best), max_epochs) for trial in ordered),
        rules=tuple(
            Rule(at=start - 0.5, text=f"fold {fold}", dash=False, seen=False)
            for fold, start in _folds(trials, max_epochs)
        ),
        height=320,
    )


def curves_cut(optuna_study: Study) -> Cut:
    """The range of intermediate values to draw."""
    values = [
        value for trial in optuna_study.get_trials(deepcopy=False) for value in trial.intermediate_values.values()
    ]
    # Only single-objective studies have intermediate values.
    return cut(values, larger_is_better=optuna_study.directions[0].name == "MAXIMIZE")


_LOOKS: dict[str, tuple[str, float, bool]] = {
    "best": ("orange", 2.5, False),
    "complete": ("blue", 1.2, False),
    "pruned": ("grey", 1.2, True),
    "stopped": ("brown", 1.2, True),
    "failed": ("red", 1.2, True),
    "running": ("green", 1.2, False),
    "waiting": ("grey", 1.2, True),
}
"""Color, width, and whether the line is dashed."""


def _kind(trial: FrozenTrial, best: int | None) -> str:
    return "best" if trial.number == best else STATE_WORDS[state_of(trial)]


def _curve(trial: FrozenTrial, kind: str, max_epochs: int) -> Line:
    """The curve of a trial, interrupted between folds."""
    steps: list[float] = []
    values: list[float] = []
    fold_before = None
    for step in sorted(trial.intermediate_values):
        fold = (step - 1) // max_epochs if max_epochs else 0
        if fold_before not in (None, fold):
            steps, values = [*steps, math.nan], [*values, math.nan]
        steps.append(step)
        values.append(trial.intermediate_values[step])
        fold_before = fold
    color, width, dash = _LOOKS[kind]
    return Line(
        name=f"trial {trial.number}, the best" if kind == "best" else kind,
        label=f"trial {trial.number}",
        x=steps,
        y=values,
        color=color,
        width=width,
        dash=dash,
        opacity=1.0 if kind == "best" else 0.6,
        trials=(trial.number,),
    )


def _max_epochs(trials: list[FrozenTrial]) -> int:
    """The steps of a fold, from a trial that reached a second one; 0 if none did.

    A study with ``training.max_epochs: auto`` does not store the number, but the step of an epoch is
    ``(fold - 1) * max_epochs + epoch``.
    """
    for trial in trials:
        curve = trial.user_attrs.get("result", {}).get("curve", ())
        for (fold, epoch, *_), step in zip(curve, sorted(trial.intermediate_values), strict=False):
            if fold > 1:
                return int((step - epoch) // (fold - 1))
    return 0


def _folds(trials: list[FrozenTrial], max_epochs: int) -> Iterator[tuple[int, int]]:
    """Number and first step of each fold that any trial reached."""
    last = max(max(trial.intermediate_values) for trial in trials)
    if max_epochs:
        yield from enumerate(range(1, last + 1, max_epochs), start=1)

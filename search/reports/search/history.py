"""The objectives of a study over the search: by trial, by epoch, and against each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search.config.objectives import SCORE
from search.reports.page import BLUE, GREEN, GREY, INK, NUMBER, ORANGE, RED, Cut, axis_title, cut, style, whole_numbers
from search.study.records import STATE_WORDS, StudyRecord
from search.study.trials import state_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from plotly.graph_objects import Figure

_LABELS = {"latency": "latency (s)", "n_parameters": "parameters", "train_seconds": "training (s)"}


@dataclass(frozen=True)
class Objective:
    """One objective of a study.

    Attributes:
        index: Its position in the values of a trial.
        name: Its name in the study: ``score``, ``latency``.
        label: Its name on the page: ``score (mae)``.
        alone: Whether it is the only objective.
        larger_is_better: Whether it is maximized.
    """

    index: int
    name: str
    label: str
    alone: bool
    larger_is_better: bool = False

    def of(self, trial: FrozenTrial) -> float:
        """The value of a complete trial."""
        return float(trial.values[self.index])


def objectives(study: Study, metric: str) -> tuple[Objective, ...]:
    """All objectives of a study.

    Args:
        study: Optuna's study; its metric names are the objectives' names, unless the score is the only objective.
        metric: The metric of the score.
    """
    count = len(study.directions)
    names = study.metric_names or ([SCORE] if count == 1 else [f"objective_{number}" for number in range(1, count + 1)])
    larger = [direction.name == "MAXIMIZE" for direction in study.directions]
    return tuple(
        Objective(index, name, _label(name, metric), count == 1, larger[index]) for index, name in enumerate(names)
    )


def _label(name: str, metric: str) -> str:
    return f"{SCORE} ({metric})" if name == SCORE else _LABELS.get(name, name.replace("_", " "))


def complete_trials(study: Study) -> list[FrozenTrial]:
    """The complete trials of a study."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def history_figure(optuna_study: Study, objective: Objective, baseline: tuple[str, float] | None) -> Figure:
    """The values of all complete trials and the best value so far.

    Args:
        optuna_study: A study with at least one complete trial.
        objective: The objective to draw.
        baseline: Name and score of the baseline to draw.
    """
    from optuna.visualization import plot_optimization_history

    target = None if objective.alone else objective.of
    figure = plot_optimization_history(optuna_study, target=target, target_name=objective.label)
    style(figure)
    look = {"marker": {"color": BLUE, "size": 7}, "hovertemplate": f"trial %{{x}}: %{{y:{NUMBER}}}<extra></extra>"}
    figure.update_traces(**look, name="trial", selector={"name": objective.label})
    figure.update_traces(
        name="best so far",
        line={"color": ORANGE, "width": 2, "shape": "hv"},
        hoverinfo="skip",
        selector={"name": "Best Value"},
    )
    figure.update_traces(
        name="violates a bound",
        marker={"color": GREY, "symbol": "x"},
        hovertemplate=look["hovertemplate"],
        selector={"name": "Infeasible Trial"},
    )
    for trace in figure.data:
        trace.showlegend = any(value is not None for value in trace.x) if trace.name == "violates a bound" else True
    if baseline is not None:
        figure.add_trace(_baseline(*baseline, len(optuna_study.get_trials(deepcopy=False))))
    last = len(optuna_study.get_trials(deepcopy=False)) - 1
    seen = history_cut(optuna_study, objective)
    seen = seen.including(baseline[1]) if baseline else seen
    figure.update_xaxes(title="trial", **whole_numbers(last), range=[-0.03 * last - 0.3, 1.03 * last + 0.3])
    figure.update_yaxes(title=axis_title(objective.label), range=seen.span)
    return figure


def history_cut(optuna_study: Study, objective: Objective) -> Cut:
    """The range of values to draw."""
    values = [objective.of(trial) for trial in complete_trials(optuna_study)]
    return cut(values, larger_is_better=objective.larger_is_better)


def _baseline(name: str, score: float, n_trials: int) -> Any:
    from plotly.graph_objects import Scatter

    return Scatter(
        x=[0, max(1, n_trials - 1)],
        y=[score, score],
        mode="lines",
        line={"color": INK, "width": 1.3, "dash": "dash"},
        name=f"baseline: {name.replace('_', ' ')}",
        hoverinfo="skip",
    )


def pareto_figure(study: Study, first: Objective, second: Objective) -> Figure:
    """Two objectives of all complete trials, with the Pareto front of all objectives highlighted.

    Args:
        study: Optuna's study, with at least one complete trial.
        first: The objective on the vertical axis.
        second: The objective on the horizontal axis.
    """
    from optuna.visualization import plot_pareto_front

    def both(trial: FrozenTrial) -> tuple[float, float]:
        return second.of(trial), first.of(trial)

    figure = plot_pareto_front(study, targets=both, target_names=[second.label, first.label])
    style(figure)
    kinds = {"Best Trial": ("Pareto front", ORANGE), "Infeasible Trial": ("violates a bound", GREY)}
    for trace in figure.data:
        # Optuna's hover text contains every attribute of a trial; its number is enough to find it.
        said = str(trace.hovertemplate)
        name, color = next((look for mark, look in kinds.items() if mark in said), ("other trials", GREY))
        numbers = trace.marker.color if not isinstance(trace.marker.color, str) else None
        trace.update(
            name=name,
            text=None,
            customdata=numbers,
            showlegend=len(trace.x or ()) > 0,
            marker={
                "color": color,
                "size": 9 if name == "Pareto front" else 7,
                "showscale": False,
                "symbol": "x" if name == "violates a bound" else "circle",
            },
            hovertemplate=("" if numbers is None else "trial %{customdata}<br>")
            + f"%{{x:{NUMBER}}}, %{{y:{NUMBER}}}<extra></extra>",
        )
    figure.update_traces(marker_line={"color": BLUE, "width": 0})
    figure.update_xaxes(title=axis_title(second.label))
    figure.update_yaxes(title=axis_title(first.label))
    return figure


def curves_figure(study: StudyRecord, optuna_study: Study, best: int | None) -> Figure:
    """The intermediate values of all trials, fold after fold, as the pruner sees them.

    Args:
        study: The study, whose configuration defines the folds and their epochs.
        optuna_study: The same study, with at least one intermediate value.
        best: Number of the trial to highlight.
    """
    from plotly.graph_objects import Figure

    trials = [trial for trial in optuna_study.get_trials(deepcopy=False) if trial.intermediate_values]
    configured = study.config.get("training", {}).get("max_epochs", 0)
    max_epochs = configured if isinstance(configured, int) else _max_epochs(trials)
    figure = Figure()
    shown: set[str] = set()
    for trial in sorted(trials, key=lambda trial: (trial.number == best, trial.state.name == "COMPLETE")):
        kind = _kind(trial, best)
        figure.add_trace(_curve(trial, kind, max_epochs, legend=kind not in shown))
        shown.add(kind)
    style(figure)
    for fold, start in _folds(trials, max_epochs):
        if fold > 1:
            figure.add_vline(x=start - 0.5, line={"color": "#cccccc", "width": 1})
        figure.add_annotation(
            x=start, y=1, yref="paper", yanchor="top", xanchor="left", text=f"fold {fold}", showarrow=False,
            font={"color": GREY, "size": 12},
        )  # fmt: skip
    last = max(max(trial.intermediate_values) for trial in trials)
    figure.update_layout(showlegend=True)
    figure.update_xaxes(title="epoch, fold after fold", **whole_numbers(last), range=[0.5, last + 0.5])
    figure.update_yaxes(title=axis_title(f"score ({study.metric})"), range=curves_cut(optuna_study).span)
    return figure


def curves_cut(optuna_study: Study) -> Cut:
    """The range of intermediate values to draw."""
    values = [
        value for trial in optuna_study.get_trials(deepcopy=False) for value in trial.intermediate_values.values()
    ]
    # Only single-objective studies have intermediate values.
    return cut(values, larger_is_better=optuna_study.directions[0].name == "MAXIMIZE")


_LOOKS: dict[str, dict[str, Any]] = {
    "best": {"color": ORANGE, "width": 2.5},
    "complete": {"color": BLUE, "width": 1.2},
    "pruned": {"color": GREY, "width": 1.2, "dash": "dot"},
    "stopped": {"color": GREY, "width": 1.2, "dash": "dashdot"},
    "failed": {"color": RED, "width": 1.2, "dash": "dash"},
    "running": {"color": GREEN, "width": 1.2},
    "waiting": {"color": "#cccccc", "width": 1.2, "dash": "dot"},
}


def _kind(trial: FrozenTrial, best: int | None) -> str:
    return "best" if trial.number == best else STATE_WORDS[state_of(trial)]


def _curve(trial: FrozenTrial, kind: str, max_epochs: int, *, legend: bool) -> Any:
    """The curve of a trial, interrupted between folds."""
    from plotly.graph_objects import Scatter

    steps: list[int | None] = []
    values: list[float | None] = []
    places: list[tuple[int, int | None]] = []
    for step in sorted(trial.intermediate_values):
        fold, epoch = divmod(step - 1, max_epochs) if max_epochs else (0, step - 1)
        if places and places[-1][0] != fold + 1:
            steps, values, places = [*steps, None], [*values, None], [*places, (fold + 1, None)]
        steps.append(step)
        values.append(trial.intermediate_values[step])
        places.append((fold + 1, epoch + 1))
    return Scatter(
        x=steps,
        y=values,
        mode="lines" if len(steps) > 1 else "markers",
        line=_LOOKS[kind],
        marker={"color": _LOOKS[kind]["color"]},
        opacity=1.0 if kind == "best" else 0.55,
        name=f"trial {trial.number}, the best" if kind == "best" else kind,
        legendgroup=kind,
        showlegend=legend,
        customdata=places,
        hovertemplate=f"trial {trial.number}, fold %{{customdata[0]}}, epoch %{{customdata[1]}}: "
        f"%{{y:{NUMBER}}}<extra></extra>",
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

"""The objectives of a study under the names that a report shows, and the Pareto front of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.config.objectives import SCORE
from search.reports.charts import BLUE, GREY, NUMBER, ORANGE, axis_title, style

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

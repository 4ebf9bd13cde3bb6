"""Several objectives at once: which trials no other one beats in everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.reports.charts import BLUE, GREY, NUMBER, ORANGE, axis_title, style
from search.reports.objectives import Objective

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from plotly.graph_objects import Figure


def pareto_figure(study: Study, first: Objective, second: Objective) -> Figure:
    """Two objectives of all complete trials; the front is that of all objectives.

    Args:
        study: Optuna's, with a complete trial.
        first: What is drawn upwards.
        second: What is drawn to the right.
    """
    from optuna.visualization import plot_pareto_front

    def both(trial: FrozenTrial) -> tuple[float, float]:
        return second.of(trial), first.of(trial)

    figure = plot_pareto_front(study, targets=both, target_names=[second.label, first.label])
    style(figure)
    kinds = {"Best Trial": ("Pareto front", ORANGE), "Infeasible Trial": ("breaks a bound", GREY)}
    for trace in figure.data:
        # Optuna's own text holds everything that is known of a trial; its number is enough to find it.
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
                "symbol": "x" if name == "breaks a bound" else "circle",
            },
            hovertemplate=("" if numbers is None else "trial %{customdata}<br>")
            + f"%{{x:{NUMBER}}}, %{{y:{NUMBER}}}<extra></extra>",
        )
    figure.update_traces(marker_line={"color": BLUE, "width": 0})
    figure.update_xaxes(title=axis_title(second.label))
    figure.update_yaxes(title=axis_title(first.label))
    return figure

"""Optuna's plots of a study, in one HTML file that needs nothing from elsewhere."""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna import Study
    from plotly.graph_objects import Figure

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
</style>
<script>{script}</script>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def plots_html(study: Study) -> str:
    """A page with the plots that the study has enough trials for.

    History and learning curves need one trial with a value; importances, parallel coordinates and slices
    compare trials, so they need two complete ones with different scores.

    Args:
        study: Optuna's.
    """
    from plotly.offline import get_plotlyjs

    with warnings.catch_warnings():
        # That importances of few trials are uncertain.
        warnings.simplefilter("ignore")
        sections = [_section(title, plot(study)) for title, plot in _plots(study)]
    title = html.escape(f"{study.study_name}: plots of the search")
    body = "\n".join(sections) or "<p>No trial has a value yet.</p>"
    return _PAGE.format(title=title, script=get_plotlyjs(), body=body)


def _section(title: str, figure: Figure) -> str:
    figure.update_layout(title=None, margin={"t": 20})
    return f"<h2>{title}</h2>\n{figure.to_html(full_html=False, include_plotlyjs=False)}"


def _plots(study: Study) -> list[tuple[str, Callable[[Study], Figure]]]:
    from optuna import visualization
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    values = [trial.value for trial in trials if trial.state == TrialState.COMPLETE]
    plots: list[tuple[str, Callable[[Study], Figure]]] = []
    if values:
        plots.append(("Score of every trial", visualization.plot_optimization_history))
    if len(set(values)) > 1:
        plots.append(("Which parameters matter", visualization.plot_param_importances))
    if any(trial.intermediate_values for trial in trials):
        plots.append(("Score while training, fold after fold", visualization.plot_intermediate_values))
    if len(set(values)) > 1:
        plots.append(("Parameters together", visualization.plot_parallel_coordinate))
        plots.append(("Parameters one by one", visualization.plot_slice))
    return plots

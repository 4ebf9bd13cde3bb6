"""The charts of parts of the holdout or of the trials: steps, contexts, lengths and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.compare.breakdown_tables import length_unit, shown_classes, span
from search.compare.figures import line_of, look
from search.compare.results import Comparison
from search.reports.charts import NUMBER, axis_title, style, whole_numbers

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MOST_TICKS = 12


def steps_figure(comparison: Comparison) -> Figure:
    """Scores of each step of the horizon."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    looks = look(comparison)
    for family in comparison.families:
        if family.steps:
            figure.add_trace(
                Scatter(
                    x=list(range(1, len(family.steps) + 1)),
                    y=list(family.steps),
                    mode="lines+markers" if len(family.steps) <= 50 else "lines",
                    name=family.name,
                    line=line_of(looks[family.name]),
                    hovertemplate="step %{x}: %{y:.5g}<extra>" + family.name + "</extra>",
                )
            )
    style(figure)
    figure.update_xaxes(title="step of the horizon", **whole_numbers(comparison.horizon or 1))
    figure.update_yaxes(title=axis_title(f"{comparison.metric}, holdout"), tickformat=NUMBER)
    return figure


def contexts_figure(comparison: Comparison) -> Figure:
    """Median scores of complete trials by the length of their context; a larger point stands for more trials."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    looks = look(comparison)
    most = max(each.trials for family in comparison.families for each in family.contexts)
    for family in comparison.families:
        if family.contexts:
            sizes = [6 + 10 * each.trials / most for each in family.contexts]
            figure.add_trace(
                Scatter(
                    x=[(each.shortest + each.longest) / 2 for each in family.contexts],
                    y=[each.median for each in family.contexts],
                    mode="lines+markers",
                    name=family.name,
                    line=line_of(looks[family.name]),
                    marker={"size": sizes},
                    text=[f"{each.trials} trials" for each in family.contexts],
                    hovertemplate="%{x} steps: %{y:.5g}, %{text}<extra>" + family.name + "</extra>",
                )
            )
    style(figure)
    lengths = sorted({(each.shortest + each.longest) / 2 for family in comparison.families for each in family.contexts})
    figure.update_layout(legend_itemsizing="constant")
    figure.update_xaxes(title="steps of context", tickmode="array", tickvals=lengths[:_MOST_TICKS], tickformat=NUMBER)
    figure.update_yaxes(title=axis_title(f"{comparison.metric}, folds"), tickformat=NUMBER)
    return figure


def lengths_figure(comparison: Comparison) -> Figure:
    """Scores of the short, middle and long cases of the holdout."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    looks = look(comparison)
    for family in comparison.families:
        if family.lengths:
            figure.add_trace(
                Scatter(
                    x=[span(each.shortest, each.longest) for each in family.lengths],
                    y=[each.score for each in family.lengths],
                    mode="lines+markers",
                    name=family.name,
                    line=line_of(looks[family.name]),
                    text=[f"{each.cases} {comparison.cases}" for each in family.lengths],
                    hovertemplate="%{x}: %{y:.5g}, %{text}<extra>" + family.name + "</extra>",
                )
            )
    style(figure)
    figure.update_xaxes(title=length_unit(comparison), type="category")
    figure.update_yaxes(title=axis_title(f"{comparison.metric}, holdout"), tickformat=NUMBER)
    return figure


def classes_figure(comparison: Comparison) -> Figure:
    """F1 of each class that is shown, on the holdout."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    looks = look(comparison)
    families = [family for family in comparison.families if family.classes]
    codes = shown_classes(families)
    for family in families:
        figure.add_trace(
            Scatter(
                x=[family.classes[code].f1 for code in codes],
                y=[len(codes) - place for place in range(len(codes))],
                mode="markers",
                name=family.name,
                marker={"size": 10, "color": looks[family.name][0], "opacity": 0.75},
                text=[family.classes[code].name for code in codes],
                hovertemplate="%{text}: %{x:.5g}<extra>" + family.name + "</extra>",
            )
        )
    style(figure)
    names = [axis_title(families[0].classes[code].name) for code in codes]
    ticks = [len(codes) - place for place in range(len(codes))]
    figure.update_yaxes(tickmode="array", tickvals=ticks, ticktext=names, range=[0.4, len(codes) + 0.6])
    figure.update_xaxes(title="F1, holdout", tickformat=NUMBER)
    return figure

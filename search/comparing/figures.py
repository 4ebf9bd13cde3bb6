"""The charts of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search.comparing.results import Comparison, FamilyResult
from search.reports.charts import (
    BLUE,
    GREEN,
    GREY,
    INK,
    NUMBER,
    ORANGE,
    PURPLE,
    RED,
    axis_title,
    cut,
    style,
    whole_numbers,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, "#56b4e9", INK, GREY)
_MOST_TICKS = 12
_DASHES = ("solid", "dash", "dot")


def look(comparison: Comparison) -> dict[str, tuple[str, str]]:
    """Colour and dash of each family, the same in every chart, whatever is best."""
    names = sorted(family.name for family in comparison.families)
    return {
        name: (_COLOURS[number % len(_COLOURS)], _DASHES[number // len(_COLOURS) % len(_DASHES)])
        for number, name in enumerate(names)
    }


def scores_figure(comparison: Comparison) -> Figure:
    """Every seed's scores on the folds and on the holdout, and their means."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    scored = [family for family in comparison.families if family.folds and family.holdout]
    for part, colour, shift in (("folds", BLUE, 0.13), ("holdout", ORANGE, -0.13)):
        points = [(score, place) for place, family in _places(scored) for score in getattr(family, part).by_seed]
        means = [(getattr(family, part).mean, place) for place, family in _places(scored)]
        for name, pairs, marker in (
            (f"{part}, a seed", points, {"size": 7, "color": colour, "opacity": 0.45}),
            (f"{part}, mean", means, {"size": 17, "color": colour, "symbol": "line-ns-open", "line": {"width": 2}}),
        ):
            figure.add_trace(
                Scatter(
                    x=[score for score, _ in pairs],
                    y=[place + shift for _, place in pairs],
                    mode="markers",
                    name=name,
                    marker=marker,
                    hovertemplate="%{x:.5g}<extra>" + name + "</extra>",
                )
            )
    style(figure)
    _families_axis(figure, scored)
    figure.update_xaxes(title=axis_title(comparison.metric), tickformat=NUMBER)
    return figure


def differences_figure(comparison: Comparison) -> Figure:
    """Each family's errors minus those of the best one, with their intervals."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    families = [family for family in comparison.families if family.difference and family.difference.low is not None]
    for place, family in _places(families):
        difference = family.difference
        assert difference is not None  # those without one are left out above
        assert difference.low is not None
        assert difference.high is not None
        colour = {"worse": RED, "better": GREEN}.get(family.standing or "", GREY)
        figure.add_trace(
            Scatter(
                x=[difference.mean],
                y=[place],
                mode="markers",
                marker={"size": 10, "color": colour},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [difference.high - difference.mean],
                    "arrayminus": [difference.mean - difference.low],
                    "color": colour,
                },
                showlegend=False,
                hovertemplate="%{x:.4g}<extra>" + family.name + "</extra>",
            )
        )
    style(figure)
    _families_axis(figure, families)
    figure.add_vline(x=0, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title="error minus that of the best family", tickformat=NUMBER)
    return figure


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
                    line=_line(looks[family.name]),
                    hovertemplate="step %{x}: %{y:.5g}<extra>" + family.name + "</extra>",
                )
            )
    style(figure)
    figure.update_xaxes(title="step of the horizon", **whole_numbers(comparison.horizon))
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
                    line=_line(looks[family.name]),
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


def costs_figure(comparison: Comparison) -> Figure:
    """Score against the time of a forecast; a larger point has more parameters."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    looks = look(comparison)
    shown = [family for family in comparison.families if family.folds and family.latency is not None]
    most = max(family.n_parameters or 1 for family in shown)
    for family in shown:
        assert family.folds is not None  # those without a score are left out above
        assert family.latency is not None
        told = f"%{{x:.3g}} ms, %{{y:.5g}}, {family.n_parameters:,} parameters<extra>{family.name}</extra>"
        figure.add_trace(
            Scatter(
                x=[family.latency * 1000],
                y=[family.folds.mean],
                mode="markers+text",
                name=family.name,
                text=[family.name],
                textposition="top center",
                marker={"size": 8 + 22 * ((family.n_parameters or 1) / most) ** 0.5, "color": looks[family.name][0]},
                showlegend=False,
                hovertemplate=told,
            )
        )
    style(figure)
    figure.update_xaxes(title="milliseconds of a forecast", tickformat=NUMBER, rangemode="tozero")
    figure.update_yaxes(title=axis_title(f"{comparison.metric}, folds"), tickformat=NUMBER)
    return figure


def trials_figure(comparison: Comparison) -> Figure:
    """Scores of every complete trial: how sensitive a family is to its settings."""
    from plotly.graph_objects import Box, Figure

    figure = Figure()
    looks = look(comparison)
    shown = [family for family in comparison.families if family.trial_scores]
    for family in reversed(shown):
        figure.add_trace(
            Box(
                x=list(family.trial_scores),
                name=family.name,
                boxpoints="all",
                jitter=0.4,
                pointpos=0,
                line={"color": looks[family.name][0], "width": 1.3},
                marker={"size": 5, "opacity": 0.6},
                showlegend=False,
                hovertemplate="%{x:.5g}<extra>" + family.name + "</extra>",
            )
        )
    style(figure)
    hidden = cut([score for family in shown for score in family.trial_scores])
    figure.update_xaxes(title=axis_title(f"{comparison.metric}, folds"), tickformat=NUMBER, range=hidden.span)
    return figure


def _places(families: Sequence[FamilyResult]) -> list[tuple[int, FamilyResult]]:
    """Heights on an axis of families, the first on top."""
    return [(len(families) - number, family) for number, family in enumerate(families)]


def _families_axis(figure: Figure, families: Sequence[FamilyResult]) -> None:
    places = _places(families)
    ticks: dict[str, Any] = {"tickvals": [place for place, _ in places], "ticktext": [each.name for _, each in places]}
    figure.update_yaxes(tickmode="array", range=[0.4, len(families) + 0.6], **ticks)


def _line(colour_and_dash: tuple[str, str]) -> dict[str, str]:
    return {"color": colour_and_dash[0], "dash": colour_and_dash[1]}

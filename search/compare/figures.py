"""The charts of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from search.compare.results import Comparison, Contender, FamilyResult
from search.compare.tables import shown_classes, span
from search.reports.page import (
    BLUE,
    GREEN,
    GREY,
    INK,
    NUMBER,
    ORANGE,
    PURPLE,
    RED,
    Cut,
    axis_title,
    cut,
    style,
    whole_numbers,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, "#56b4e9", INK, GREY)
_DASHES = ("solid", "dash", "dot")
_MOST_TICKS = 12


def _lines(comparison: Comparison) -> dict[str, dict[str, str]]:
    """Color and dash of each family and baseline, the same in every chart and independent of the ranking."""
    names = sorted(family.name for family in comparison.families)
    baselines = sorted(each.title for each in comparison.baseline_results)
    own = {name: {"color": GREY, "dash": _DASHES[::-1][number % len(_DASHES)]} for number, name in enumerate(baselines)}
    return own | {
        name: {
            "color": _COLORS[number % len(_COLORS)],
            "dash": _DASHES[number // len(_COLORS) % len(_DASHES)],
        }
        for number, name in enumerate(names)
    }


def scores_figure(comparison: Comparison) -> Figure:
    """Scores of every seed on the folds and on the holdout, and their means; of baselines on the holdout."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    shown = comparison.contenders
    for part, color, shift in (("folds", BLUE, 0.13), ("holdout", ORANGE, -0.13)):
        scores = [(place, found) for place, each in _places(shown) if (found := getattr(each, part, None))]
        points = [(score, place) for place, found in scores for score in found.by_seed]
        means = [(found.mean, place) for place, found in scores]
        for name, pairs, marker in (
            (f"{part}, a seed", points, {"size": 7, "color": color, "opacity": 0.45}),
            (f"{part}, mean", means, {"size": 17, "color": color, "symbol": "line-ns-open", "line": {"width": 2}}),
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
    _families_axis(figure, shown)
    figure.update_xaxes(title=axis_title(comparison.metric), tickformat=NUMBER)
    return figure


def differences_figure(comparison: Comparison) -> Figure:
    """Difference of each family from the best one, with its 95 % interval."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    families = [each for each in comparison.contenders if each.difference and each.difference.low is not None]
    for place, family in _places(families):
        difference = family.difference
        assert difference is not None  # those without one are left out above
        assert difference.low is not None
        assert difference.high is not None
        color = {"worse": RED, "better": GREEN}.get(family.standing or "", GREY)
        figure.add_trace(
            Scatter(
                x=[difference.mean],
                y=[place],
                mode="markers",
                marker={"size": 10, "color": color},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [difference.high - difference.mean],
                    "arrayminus": [difference.mean - difference.low],
                    "color": color,
                },
                showlegend=False,
                hovertemplate="%{x:.4g}<extra>" + family.title + "</extra>",
            )
        )
    style(figure)
    _families_axis(figure, families)
    figure.add_vline(x=0, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title=f"{comparison.terms.compared} minus that of the best family", tickformat=NUMBER)
    return figure


def costs_figure(comparison: Comparison) -> Figure:
    """Score on the holdout against latency; larger points have more parameters."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    lines = _lines(comparison)
    shown = [each for each in comparison.contenders if each.holdout and each.latency is not None]
    most = max(family.n_parameters or 1 for family in shown)
    for family in shown:
        assert family.holdout is not None  # those without a score are left out above
        assert family.latency is not None
        label = f"%{{x:.3g}} ms, %{{y:.5g}}, {family.n_parameters or 0:,} parameters<extra>{family.title}</extra>"
        figure.add_trace(
            Scatter(
                x=[family.latency * 1000],
                y=[family.holdout.mean],
                mode="markers+text",
                name=family.title,
                text=[family.title],
                textposition="top center",
                marker={
                    "size": 8 + 22 * ((family.n_parameters or 1) / most) ** 0.5,
                    "color": lines[family.title]["color"],
                },
                showlegend=False,
                hovertemplate=label,
            )
        )
    style(figure)
    figure.update_xaxes(title=f"milliseconds per {comparison.terms.output}", tickformat=NUMBER, rangemode="tozero")
    figure.update_yaxes(title=axis_title(f"{comparison.metric}, holdout"), tickformat=NUMBER)
    return figure


def trials_figure(comparison: Comparison) -> Figure:
    """Scores of all complete trials, which show how sensitive a family is to its hyperparameters."""
    from plotly.graph_objects import Box, Figure

    figure = Figure()
    lines = _lines(comparison)
    shown = [family for family in comparison.families if family.trial_scores]
    for family in reversed(shown):
        figure.add_trace(
            Box(
                x=list(family.trial_scores),
                name=family.name,
                boxpoints="all",
                jitter=0.4,
                pointpos=0,
                line={"color": lines[family.name]["color"], "width": 1.3},
                marker={"size": 5, "opacity": 0.6},
                showlegend=False,
                hovertemplate="%{x:.5g}<extra>" + family.name + "</extra>",
            )
        )
    style(figure)
    hidden = trials_cut(comparison)
    figure.update_xaxes(title=axis_title(f"{comparison.metric}, folds"), tickformat=NUMBER, range=hidden.span)
    return figure


def trials_cut(comparison: Comparison) -> Cut:
    """The range of trial scores that is drawn, which leaves out outliers on the worse side."""
    scores = [score for family in comparison.families for score in family.trial_scores]
    return cut(scores, larger_is_better=comparison.terms.larger_is_better)


def _places(families: Sequence[Contender]) -> list[tuple[int, Contender]]:
    """Each family with its height on the axis, the first on top."""
    return [(len(families) - number, family) for number, family in enumerate(families)]


def _families_axis(figure: Figure, families: Sequence[Contender]) -> None:
    rows = _places(families)
    ticks: dict[str, Any] = {"tickvals": [place for place, _ in rows], "ticktext": [each.title for _, each in rows]}
    figure.update_yaxes(tickmode="array", range=[0.4, len(families) + 0.6], **ticks)


def _lines_figure(comparison: Comparison, points: Callable[[Contender], dict[str, Any]], hover: str) -> Figure:
    """A line for each family and baseline.

    Args:
        comparison: The comparison.
        points: The points of a family, as arguments of ``Scatter``; a family without any has no line.
        hover: Template of the text of a point.
    """
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    lines = _lines(comparison)
    drawable: list[Contender] = [*comparison.families, *comparison.baseline_results]
    for family in drawable:
        drawn = {"mode": "lines+markers", **points(family)}
        if drawn["y"]:
            text = f"{hover}<extra>{family.title}</extra>"
            figure.add_trace(Scatter(name=family.title, line=lines[family.title], hovertemplate=text, **drawn))
    style(figure)
    return figure


def steps_figure(comparison: Comparison) -> Figure:
    """Scores by step of the horizon."""

    def points(family: Contender) -> dict[str, Any]:
        mode = "lines+markers" if len(family.steps) <= 50 else "lines"
        return {"x": list(range(1, len(family.steps) + 1)), "y": list(family.steps), "mode": mode}

    figure = _lines_figure(comparison, points, "step %{x}: %{y:.5g}")
    figure.update_xaxes(title="step of the horizon", **whole_numbers(comparison.horizon or 1))
    figure.update_yaxes(title=axis_title(f"{comparison.metric}, holdout"), tickformat=NUMBER)
    return figure


def contexts_figure(comparison: Comparison) -> Figure:
    """Median score of complete trials by context length; larger points stand for more trials."""
    contexts = [each for family in comparison.families for each in family.contexts]
    most = max(each.trials for each in contexts)

    def points(family: Contender) -> dict[str, Any]:
        groups = family.contexts if isinstance(family, FamilyResult) else ()
        return {
            "x": [(each.shortest + each.longest) / 2 for each in groups],
            "y": [each.median for each in groups],
            "marker": {"size": [6 + 10 * each.trials / most for each in groups]},
            "text": [f"{each.trials} trials" for each in groups],
        }

    figure = _lines_figure(comparison, points, "%{x} steps: %{y:.5g}, %{text}")
    lengths = sorted({(each.shortest + each.longest) / 2 for each in contexts})
    figure.update_layout(legend_itemsizing="constant")
    figure.update_xaxes(
        title="context length in steps", tickmode="array", tickvals=lengths[:_MOST_TICKS], tickformat=NUMBER
    )
    figure.update_yaxes(title=axis_title(f"{comparison.metric}, folds"), tickformat=NUMBER)
    return figure


def lengths_figure(comparison: Comparison) -> Figure:
    """Scores of short, middle and long cases of the holdout."""

    def points(family: Contender) -> dict[str, Any]:
        return {
            "x": [span(each.shortest, each.longest) for each in family.lengths],
            "y": [each.score for each in family.lengths],
            "text": [f"{each.cases} {comparison.cases}" for each in family.lengths],
        }

    figure = _lines_figure(comparison, points, "%{x}: %{y:.5g}, %{text}")
    figure.update_xaxes(title=comparison.terms.length_unit, type="category")
    figure.update_yaxes(title=axis_title(f"{comparison.metric}, holdout"), tickformat=NUMBER)
    return figure


def classes_figure(comparison: Comparison) -> Figure:
    """F1 on the holdout by class."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    lines = _lines(comparison)
    families = [each for each in comparison.contenders if each.classes]
    codes = shown_classes(comparison.scored)
    for family in families:
        figure.add_trace(
            Scatter(
                x=[family.classes[code].f1 for code in codes],
                y=[len(codes) - place for place in range(len(codes))],
                mode="markers",
                name=family.title,
                marker={"size": 10, "color": lines[family.title]["color"], "opacity": 0.75},
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

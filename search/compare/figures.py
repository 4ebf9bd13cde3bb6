"""The charts of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.compare.results import Comparison, Contender, FamilyResult, Standing
from search.compare.tables import shown_classes, span
from search.reports.charts.chart import Chart
from search.reports.charts.colors import baseline_color, family_colors
from search.reports.charts.marks import AnyMark, Dots, Line, Rule, Shape
from search.reports.charts.scales import Axis
from search.reports.page import Cut, cut

_MOST_MARKED = 50
"""Number of points up to which a line has dots."""
_LARGEST, _SMALLEST = 15.0, 4.0
"""Radius of a point in pixels."""

_PARTS: tuple[tuple[str, Shape, float], ...] = (("folds", "ring", -0.15), ("holdout", "dot", 0.15))
_STANDINGS: tuple[tuple[str, Shape, tuple[Standing | None, ...]], ...] = (
    ("worse than the best family", "dot", ("worse",)),
    ("better on the holdout", "dot", ("better",)),
    ("not significantly different", "ring", ("equal", "seeds", "unknown", None)),
)
"""Names in the legend, shapes, and the standings that have them."""

Points = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""Horizontal and vertical positions, and radii."""


def colors(comparison: Comparison) -> dict[str, str]:
    """Color of each family and baseline, the same in every chart and independent of the ranking."""
    own = {each.title: baseline_color(each.name) for each in comparison.baseline_results}
    return own | family_colors(family.name for family in comparison.families)


def scores_chart(comparison: Comparison) -> Chart:
    """Scores of every seed on the folds (hollow) and on the holdout, and their means; of baselines on the holdout."""
    shown, looks, marks = comparison.contenders, colors(comparison), list[AnyMark]()
    for part, shape, shift in _PARTS:
        for name, point, size, opacity in ((f"{part}, a seed", shape, 3.5, 0.7), (f"{part}, mean", "tick", 9.0, 1.0)):
            marks.append(Dots(name=name, color="ink", shape=point, x=[], y=[], listed=False))
            for place, each in enumerate(shown):
                found = getattr(each, part, None)
                if found is None:
                    continue
                scores = [found.mean] if point == "tick" else found.by_seed
                marks.append(
                    Dots(
                        name=name, color=looks[each.title], shape=point, sizes=size, opacity=opacity, legend=False,
                        x=scores, y=[place + shift] * len(scores),
                    )
                )  # fmt: skip
    return Chart(
        title="Scores of each family and baseline",
        x=Axis(comparison.terms.title, decimals=comparison.decimals),
        y=_families_axis(shown),
        marks=tuple(marks),
        height=38 * len(shown),
    )


def differences_chart(comparison: Comparison) -> Chart:
    """Difference of each family and baseline from the best family, with its 95% interval; hollow: not significant."""
    shown = [each for each in comparison.contenders if each.difference and each.difference.low is not None]
    looks, marks = colors(comparison), list[AnyMark]()
    for name, shape, standings in _STANDINGS:
        found = [(place, each) for place, each in enumerate(shown) if each.standing in standings]
        if found:
            marks.append(Dots(name=name, color="ink", shape=shape, x=[], y=[], listed=False))
        for place, each in found:
            assert each.difference is not None  # see above
            low, high = each.difference.low, each.difference.high
            marks.append(
                Dots(
                    name=name, color=looks[each.title], shape=shape, sizes=5.0, legend=False,
                    x=[each.difference.mean], y=[place], low=[low or 0.0], high=[high or 0.0],
                )
            )  # fmt: skip
    return Chart(
        title="Differences from the best family, with 95% intervals",
        x=Axis(f"{comparison.terms.compared} minus that of the best family ({comparison.best})"),
        y=_families_axis(shown),
        marks=tuple(marks),
        rules=(Rule(at=0, color="ink"),),
    )


def costs_chart(comparison: Comparison) -> Chart:
    """Score on the holdout against latency; larger points have more parameters."""
    lines, marks = colors(comparison), []
    shown = [each for each in comparison.contenders if each.holdout and each.latency is not None]
    most = max(family.n_parameters or 1 for family in shown)
    for family in shown:
        assert family.holdout is not None  # those without a score are left out above
        assert family.latency is not None
        marks.append(
            Dots(
                name=family.title,
                color=lines[family.title],
                x=[family.latency * 1000],
                y=[family.holdout.mean],
                sizes=[_SMALLEST + (_LARGEST - _SMALLEST) * ((family.n_parameters or 1) / most) ** 0.5],
                opacity=0.8,
                labels=[family.title],
                texts=[f"{family.n_parameters or 0:,} parameters"],
            )
        )
    return Chart(
        title="Score on the holdout against latency",
        x=Axis(f"milliseconds per {comparison.terms.output}", kind="log" if _all_above_0(shown) else "number"),
        y=Axis(f"{comparison.terms.title}, holdout", decimals=comparison.decimals),
        marks=tuple(marks),
        height=320,
    )


def _all_above_0(shown: Sequence[Contender]) -> bool:
    return all((each.latency or 0) > 0 for each in shown)


def trials_chart(comparison: Comparison) -> Chart:
    """Scores of all complete trials, which show how sensitive a family is to its hyperparameters."""
    lines = colors(comparison)
    shown = [family for family in comparison.families if family.trial_scores]
    return Chart(
        title="Scores of the trials of each family",
        x=Axis(f"{comparison.terms.title}, folds", span=trials_cut(comparison).span, decimals=comparison.decimals),
        y=_families_axis(shown),
        marks=tuple(
            Dots(
                name=family.name,
                color=lines[family.name],
                x=family.trial_scores,
                y=[place] * len(family.trial_scores),
                opacity=0.6,
                legend=False,
            )
            for place, family in enumerate(shown)
        ),
    )


def trials_cut(comparison: Comparison) -> Cut:
    """The range of trial scores that is drawn, which leaves out outliers on the worse side."""
    scores = [score for family in comparison.families for score in family.trial_scores]
    return cut(scores, larger_is_better=comparison.terms.larger_is_better)


def _families_axis(families: Sequence[Contender]) -> Axis:
    return Axis(kind="words", words=tuple(each.title for each in families))


def _lines(comparison: Comparison, points: Callable[[Contender], Points]) -> tuple[AnyMark, ...]:
    """A line for each family and baseline, those of baselines dashed.

    Args:
        comparison: The comparison.
        points: The points of a family; a family without any has no line.
    """
    found: list[AnyMark] = []
    looks = colors(comparison)
    drawn: list[Contender] = [*comparison.families, *comparison.baseline_results]
    for family in drawn:
        x, y, sizes = points(family)
        color, dash = looks[family.title], not isinstance(family, FamilyResult)
        if len(y):
            found.append(Line(name=family.title, color=color, x=x, y=y, dash=dash))
        if 0 < len(y) <= _MOST_MARKED:
            found.append(Dots(name=family.title, color=color, x=x, y=y, sizes=sizes or 3.0, legend=False, listed=False))
    return tuple(found)


def steps_chart(comparison: Comparison) -> Chart:
    """Scores by step of the horizon."""
    return Chart(
        title="Score by step of the horizon",
        x=Axis("step of the horizon", whole=True),
        y=Axis(f"{comparison.terms.title}, holdout", decimals=comparison.decimals),
        marks=_lines(comparison, lambda family: (range(1, len(family.steps) + 1), family.steps, ())),
        height=320,
    )


def contexts_chart(comparison: Comparison) -> Chart:
    """Median score of complete trials by context length; larger points stand for more trials."""
    most = max(each.trials for family in comparison.families for each in family.contexts)

    def points(family: Contender) -> Points:
        groups = family.contexts if isinstance(family, FamilyResult) else ()
        sizes = [3 + 5 * each.trials / most for each in groups]
        return [(each.shortest + each.longest) / 2 for each in groups], [each.median for each in groups], sizes

    return Chart(
        title="Median score of the trials by context length",
        x=Axis("context length in steps"),
        y=Axis(f"{comparison.terms.title}, folds", decimals=comparison.decimals),
        marks=_lines(comparison, points),
        height=320,
    )


def lengths_chart(comparison: Comparison) -> Chart:
    """Scores of short, middle and long cases of the holdout."""
    groups = sorted({(each.shortest, each.longest) for family in comparison.contenders for each in family.lengths})

    def points(family: Contender) -> Points:
        places = [groups.index((each.shortest, each.longest)) for each in family.lengths]
        return places, [each.score for each in family.lengths], ()

    return Chart(
        title="Score by length",
        x=Axis(comparison.terms.length_unit, kind="words", words=tuple(span(*group) for group in groups)),
        y=Axis(f"{comparison.terms.title}, holdout", decimals=comparison.decimals),
        marks=_lines(comparison, points),
        height=320,
    )


def classes_chart(comparison: Comparison) -> Chart:
    """F1 on the holdout by class."""
    lines = colors(comparison)
    families = [each for each in comparison.contenders if each.classes]
    codes = shown_classes(comparison.scored)
    return Chart(
        title="F1 on the holdout by class",
        x=Axis("F1, holdout", decimals=4),
        y=Axis(kind="words", words=tuple(families[0].classes[code].name for code in codes)),
        marks=tuple(
            Dots(
                name=family.title,
                color=lines[family.title],
                x=[family.classes[code].f1 for code in codes],
                y=list(range(len(codes))),
                sizes=5.0,
                opacity=0.8,
            )
            for family in families
        ),
    )

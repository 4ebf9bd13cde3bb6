"""Draw the pictures of docs/concepts with the charts of the reports: python docs/images/draw.py

Blends, intervals and tests are shown with invented numbers, but computed by the functions that a study uses.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lstmgru.evaluation.blending import Criterion, select
from lstmgru.evaluation.intervals import calibrate, conformity
from lstmgru.evaluation.significance import paired_interval
from lstmgru.runtime.forecasting.conformal import apply
from search.api import load_plan
from search.reports.charts import chart as charts
from search.reports.charts.chart import Chart
from search.reports.charts.marks import Band, Boxes, Dots, Label, Line, Rule
from search.reports.charts.scales import Axis

FOLDER = Path(__file__).parent
STYLE = (Path(charts.__file__).parents[1] / "page.css").read_text(encoding="utf-8")
WIDTH, RIGHT, TOP, BOTTOM = 760, 16, 34, 44
_LETTER = 6.6


def drawing(chart: Chart) -> str:
    """A chart as an SVG of its own, with its legend and in the colors of the reader's scheme."""
    drawn = chart.fitted()
    left = charts.tick_room(drawn.y)
    height = TOP + drawn.height + BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12">\n<style>{"".join(_style())}</style>\n'
        f'<rect class="sheet" width="{WIDTH}" height="{height}"/>{"".join(_legend(drawn, left))}'
        f'<svg class="plot" x="{left:.0f}" y="{TOP}" width="{WIDTH - left - RIGHT:.0f}" height="{drawn.height}" '
        f'overflow="visible">{charts.svg(drawn)}</svg>'
        f'<text x="{left + (WIDTH - left - RIGHT) / 2:.0f}" y="{height - 6}" text-anchor="middle">'
        f"{html.escape(drawn.x.title)}</text></svg>\n"
    )


def _style() -> Iterator[str]:
    """The rules of the reports' style sheet for colors and charts."""
    kept = re.compile(r"^(:root|\.[a-z]+ \{ color|\.axes|\.line|\.rule|\.dash|\.fill|\.box|\.ring|\.plot text)")
    for rule in re.findall(r"@media[^{]+\{\s*:root \{[^}]*\}\s*\}|[^{}@]+\{[^}]*\}", STYLE):
        if rule.lstrip().startswith("@media screen and (prefers-color-scheme") or kept.match(rule.strip()):
            yield re.sub(r"\s+", " ", rule.strip())
    yield "text { fill: var(--muted); } .sheet { fill: var(--page); } svg { overflow: visible; }"


def _legend(chart: Chart, left: float) -> Iterator[str]:
    x = left
    for name, mark in {mark.name: mark for mark in chart.marks if mark.legend}.items():
        yield f'<svg x="{x:.0f}" y="6" width="22" height="12">{charts.swatch(mark)}</svg>'
        yield f'<text x="{x + 27:.0f}" y="16">{html.escape(name)}</text>'
        x += 27 + _LETTER * len(name) + 16


def folds() -> Chart:
    """The folds and the holdout of the weather study."""
    plan = load_plan("weather")
    times = plan.panel.times.astype("datetime64[s]").astype(float)  # type: ignore[attr-defined]
    rows = [*plan.splits.folds, plan.splits.holdout]  # type: ignore[attr-defined]
    names = (*(f"fold {number + 1}" for number in range(len(rows) - 1)), "holdout")

    def boxes(name: str, color: str, parts: list[tuple[int, int, int]]) -> Boxes:
        rows_, starts, ends = zip(*parts, strict=True)
        return Boxes(
            name=name,
            color=color,
            left=[times[start] for start in starts],
            right=[times[end - 1] for end in ends],
            bottom=[row + 0.34 for row in rows_],
            top=[row - 0.34 for row in rows_],
            texts=[names[row] for row in rows_],
            opacity=0.85,
        )

    spans = [(row, *map(int, split.train[0]), *map(int, split.evaluation[0])) for row, split in enumerate(rows)]
    last = len(rows) - 1
    return Chart(
        title="The folds and the holdout of the weather study",
        x=Axis("", kind="time"),
        y=Axis("", kind="words", words=names),
        marks=(
            boxes("training part", "blue", [(row, start, end) for row, start, end, _, _ in spans]),
            boxes("scored part of a fold", "orange", [(row, start, end) for row, _, _, start, end in spans[:last]]),
            boxes("holdout", "green", [(row, start, end) for row, _, _, start, end in spans[last:]]),
        ),
        height=170,
    )


def blends() -> Chart:
    """Two members whose errors differ, and their blend."""
    days = np.arange(42)
    noise = np.random.default_rng(3).normal(0, 0.6, len(days))
    truth = 15 + 5 * np.sin(days / 6) + noise
    late = 15 + 5 * np.sin((days - 3) / 6) + 0.6
    flat = 15 + 2.2 * np.sin((days + 2.5) / 6) - 0.6
    outputs = [[member.astype(np.float32)] for member in (late, flat)]
    found = select(outputs, Criterion(lambda folds: float(np.abs(folds[0] - truth).mean())))
    assert found is not None
    blend = sum(weight * outputs[place][0] for place, weight in found.weights.items())

    def error(values: object) -> str:
        return f"{np.abs(values - truth).mean():.2f}"  # type: ignore[operator]

    first, second = (f"{100 * found.weights[place]:.0f}%" for place in (0, 1))
    name = f"blend of {first} and {second}, error {error(blend)}"
    return Chart(
        title="Two members and their blend",
        x=Axis("day", whole=True),
        y=Axis("value"),
        marks=(
            Line(name="actual", color="ink", x=days, y=truth, width=1.2),
            Line(name=f"member 1, error {error(late)}", color="blue", x=days, y=late, dash=True),
            Line(name=f"member 2, error {error(flat)}", color="orange", x=days, y=flat, dash=True),
            Line(
                name=name,
                color="green",
                x=days,
                y=blend,
                width=2.6,
            ),
        ),
        height=240,
    )


def intervals() -> Chart:
    """Errors on the folds become the intervals of the next forecast."""
    horizon, windows = 14, 120
    random = np.random.default_rng(4)
    errors = random.normal(0, 1, (windows, horizon)).cumsum(axis=1).astype(np.float32)[..., None]
    scale = np.ones((windows, 1), np.float32)
    point = np.zeros_like(errors)
    found = calibrate([conformity(errors, point, scale)], levels=(0.8, 0.95), scaled=False, season_length=1)
    past = 20 + 3 * np.sin(np.arange(-28, 1) / 4) + random.normal(0, 0.7, 29)
    ahead = np.arange(1, horizon + 1)
    forecast = (20 + 3 * np.sin(ahead / 4)).astype(np.float32)[None, :, None]
    lower, upper = apply(found, forecast, scale[:1])
    line = forecast[0, :, 0]
    faint = tuple(
        Line(
            name="forecast plus an error of the folds",
            color="grey",
            x=ahead,
            y=line + each[:, 0],
            width=0.8,
            opacity=0.45,
            legend=not number,
        )
        for number, each in enumerate(errors[:25])
    )
    bands = tuple(
        Band(
            name=f"{100 * level:.0f}% interval",
            color="blue",
            x=ahead,
            low=low[0, :, 0],
            high=high[0, :, 0],
            opacity=opacity,
        )
        for level, low, high, opacity in zip(found.levels, lower, upper, (0.3, 0.17), strict=True)
    )[::-1]
    return Chart(
        title="Errors on the folds become the intervals of a forecast",
        x=Axis("step", whole=True),
        y=Axis("value"),
        marks=(
            *bands,
            *faint,
            Line(name="actual", color="ink", x=np.arange(-28, 1), y=past),
            Line(name="forecast", color="blue", x=ahead, y=line, width=2.4),
        ),
        rules=(Rule(at=0, text=""),),
        height=240,
    )


def tests() -> Chart:
    """A mean difference, with the interval of independent errors and with that of the test."""
    count, overlap = 168, 7
    steps = np.random.default_rng(11).normal(-0.1, 1.0, count + overlap - 1)
    differences = np.convolve(steps, np.ones(overlap) / overlap, "valid")
    cutoffs = np.arange(count)
    found = paired_interval(differences, cutoffs, overlap=overlap)
    naive = 1.96 * differences.std(ddof=1) / np.sqrt(count)
    words = ("each cutoff", "as if independent", "the test of a study")
    ends = [(found.mean - naive, found.mean + naive), (found.low, found.high)]
    says = ("would be called better", "no significant difference")
    return Chart(
        title="A mean difference of errors and its 95% interval",
        x=Axis("error of the model minus error of the baseline"),
        y=Axis("", kind="words", words=words),
        marks=(
            Dots(
                name="difference at a cutoff",
                color="grey",
                x=differences,
                y=np.zeros(count),
                sizes=3,
                opacity=0.35,
                legend=False,
            ),
            *(
                Dots(
                    name=words[row], color=color, x=[found.mean], y=[row], low=[low], high=[high], sizes=5, legend=False
                )
                for row, color, (low, high) in zip((1, 2), ("orange", "blue"), ends, strict=True)
            ),
        ),
        rules=(Rule(at=0, text="no difference"),),
        labels=tuple(
            Label(x=found.mean, y=row + 0.32, text=f"{low:.2f} to {high:.2f}: {text}")
            for row, (low, high), text in zip((1, 2), ends, says, strict=True)
        ),
        height=190,
    )


PICTURES: dict[str, Callable[[], Chart]] = {"folds": folds, "blends": blends, "intervals": intervals, "tests": tests}

if __name__ == "__main__":
    for name, picture in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(drawing(picture()), encoding="utf-8")

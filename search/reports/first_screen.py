"""The first screen of a report: whether to use the model, its score beside the baselines, and how to use it."""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING

from lstmgru.evaluation.decimals import fixed
from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.colors import baseline_color
from search.reports.charts.marks import AnyMark, Dots, Rule
from search.reports.charts.scales import Axis
from search.reports.formatting import better, counted, decimals_of_study, measure, milliseconds, percent_sign
from search.reports.leaderboard import is_blended
from search.reports.page import Cut, cut, paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.study.records import HoldoutRecord, StudyRecord

_USED = re.compile(r"Use ([\w ]+)\.$")
"""End of the verdict if a baseline is significantly better."""
_LONGEST_NAME = 20
_ROOM, _EDGE = 0.35, 0.1
"""Room beside the scores as a share of their range, and beyond the best possible score as a share of that."""
_PAIRED = (
    "Lines are 95% intervals: of the model that of its score, of a baseline that of its difference from the model, "
    "from eight consecutive blocks of the holdout where it is long enough. A baseline whose line does not reach the "
    "dashed line differs significantly. Lines that reach an end of the axis go on."
)


def badge(study: StudyRecord) -> str:
    """Whether to use the model, in a few words and color, and the sentence behind it, as HTML."""
    holdout = study.holdout
    if holdout is None:
        return paragraph("There is no verdict yet: the holdout is scored once, after the search.")
    alone = study.blend.alone.baseline if study.blend and study.blend.alone else None
    boxed = verdict_html(holdout.verdict, beats=holdout.beats_baselines, baseline=alone or "")
    again = (
        f"The holdout has been scored for {holdout.looks} models of this study, so it is no longer fully untouched by "
        "the search."
    )
    return boxed + paragraph(*([again] if holdout.looks > 1 else []))


def verdict_html(verdict: str, *, beats: bool, baseline: str = "") -> str:
    """A verdict with its meaning in a few words and color.

    Args:
        verdict: One sentence; it ends with the baseline to use if one is significantly better.
        beats: Whether the model beats every baseline.
        baseline: The baseline that is exported alone; empty: there is none.
    """
    used = _USED.search(verdict)
    if beats:
        words, look = "Use this model", " good"
    elif baseline or used:
        words, look = f"Use {(used[1] if used else baseline).replace('_', ' ')}", " bad"
    else:
        words, look = "No clear difference", ""
    return f'<p class="verdict{look}"><strong>{html.escape(words)}</strong> {html.escape(verdict)}</p>\n'


def tiles(study: StudyRecord) -> str:
    """Score, skill against the best baseline, coverage of the intervals, size and latency, as HTML."""
    holdout = study.holdout
    if holdout is None:
        return ""
    shown = [_score(study, holdout), *_skill(study, holdout), *_coverage(holdout), *_costs(study)]
    cells = "".join(
        f"<div><span>{html.escape(title)}</span><b>{html.escape(value)}</b><span>{html.escape(note)}</span></div>"
        for title, value, note in shown
    )
    return f'<div class="tiles">{cells}</div>\n'


Tile = tuple[str, str, str]
"""What is shown, its value, and a note."""


def _score(study: StudyRecord, holdout: HoldoutRecord) -> Tile:
    decimals = decimals_of_study(study)
    value, note = fixed(holdout.score, decimals), better(study)
    if holdout.score_interval:
        low, high = holdout.score_interval
        half = (high - low) / 2
        if half < abs(holdout.score) / 2:
            value, note = f"{value} ± {fixed(half, decimals)}", f"95% interval, {note}"
        else:
            low = max(low, 0.0) if study.direction == "minimize" else low
            note = f"95% interval {fixed(low, decimals)} to {fixed(high, decimals)}, {note}"
    return f"{score_title(study)}, holdout", value, note


def _skill(study: StudyRecord, holdout: HoldoutRecord) -> Iterator[Tile]:
    """The share of the best baseline's error that the model avoids; of scores that are best at 1, of what they lack."""
    scores = {name: each.holdout for name, each in study.baselines.items() if each.holdout is not None}
    if not scores:
        return
    maximized = study.direction == "maximize"
    best = (max if maximized else min)(scores.values())
    names = [name.replace("_", " ") for name, score in scores.items() if score == best]
    name = next((name for name in names if f"({name})" in holdout.verdict), names[0])
    other, own = (1 - best, 1 - holdout.score) if maximized else (best, holdout.score)
    value = f"{1 - own / other:+z.1%}".replace("-", "−") if other else "undefined"
    yield f"Skill against {name}", value, "error avoided, holdout"


def _coverage(holdout: HoldoutRecord) -> Iterator[Tile]:
    if holdout.intervals:
        each = holdout.intervals[0]
        yield f"Coverage of the {100 * each.level:g}% interval", f"{100 * each.coverage:.1f}%", "holdout"


def _costs(study: StudyRecord) -> Iterator[Tile]:
    """Number of parameters and latency of all members together."""
    members = [member.trial for member in study.blend.members] if study.blend else []
    if not members and study.holdout:
        members = [study.holdout.trial]
    trials = [trial for trial in study.trials if trial.number in members]
    sizes = [trial.n_parameters for trial in trials if trial.n_parameters is not None]
    times = [trial.latency for trial in trials if trial.latency is not None]
    if sizes:
        of = f"of {counted(len(trials), 'network')}" if len(trials) > 1 else "of the network"
        latency = f"{milliseconds(sum(times))} per prediction, {of}" if times else of
        yield "Parameters", f"{sum(sizes):,}", latency


def score_title(study: StudyRecord) -> str:
    """The metric with its unit: ``MAE of temp_max``."""
    targets = study.config.get("data", {}).get("target") or []
    percent = ", %" if percent_sign(study.metric) else ""
    return measure(study.metric, [targets] if isinstance(targets, str) else targets) + percent


def standing_html(study: StudyRecord) -> str:
    """The model and every baseline on the holdout as a chart; empty before they are scored there."""
    if study.holdout is None or not any(each.holdout is not None for each in study.baselines.values()):
        return ""
    found = study.holdout.score_interval or study.holdout.baseline_intervals
    hidden = _seen(study, study.holdout)
    sentences = [_PAIRED] if found else []
    sentences += [hidden.sentence("baselines" if hidden.hidden > 1 else "baseline")] if hidden.hidden else []
    note = paragraph(*sentences)
    return f"<div><h2>Beside the baselines</h2>\n{chart_html(standing_chart(study, study.holdout))}{note}</div>\n"


def _seen(study: StudyRecord, holdout: HoldoutRecord) -> Cut:
    """The range of the scores without baselines that are far off."""
    scores = [each.holdout for each in study.baselines.values() if each.holdout is not None]
    return cut([holdout.score, *scores], larger_is_better=study.direction == "maximize").including(holdout.score)


def standing_chart(study: StudyRecord, holdout: HoldoutRecord) -> Chart:
    """The score of the model and of every baseline on the holdout, the best baseline first, with 95% intervals."""
    sign = -1 if study.direction == "maximize" else 1
    scores = {name: each.holdout for name, each in study.baselines.items() if each.holdout is not None}
    names = sorted(scores, key=lambda name: sign * scores[name])
    missing = (float("nan"), float("nan"))
    low, high = holdout.score_interval or missing
    marks: list[AnyMark] = [
        Dots(name="model", x=[holdout.score], y=[0], low=[low], high=[high], sizes=6.0, legend=False)
    ]
    for place, name in enumerate(names, start=1):
        low, high = holdout.baseline_intervals.get(name, missing)
        dots = Dots(
            name="baseline", color=baseline_color(name), x=[scores[name]], y=[place], low=[low], high=[high], sizes=5.0,
            legend=False,
        )  # fmt: skip
        marks.append(dots)
    span = _span(_seen(study, holdout), [holdout.score, *scores.values()], study)
    return Chart(
        title="Scores on the holdout",
        x=Axis(f"{score_title(study)}, holdout ({better(study)})", span=span, decimals=decimals_of_study(study)),
        y=Axis(kind="words", words=(_model_name(study), *(name.replace("_", " ") for name in names))),
        marks=tuple(marks),
        rules=(Rule(at=holdout.score, color="blue"),),
        height=max(120, 28 * (1 + len(names))),
    )


def _span(seen: Cut, scores: list[float], study: StudyRecord) -> tuple[float, float] | None:
    """The range of the scores with some room; wide intervals go on at its ends."""
    low, high = seen.span or (min(scores), max(scores))
    if not low < high:
        return None
    room = _ROOM * (high - low)
    lowest = 0.0 if min(scores) >= 0 else -math.inf
    highest = 1.0 if study.direction == "maximize" and max(scores) <= 1 else math.inf
    return max(lowest, low - room), min(highest + _EDGE * room, high + room)


def _model_name(study: StudyRecord) -> str:
    if study.blend is not None and is_blended(study):
        return f"blend of {len(study.blend.members)}"
    trial = next((each for each in study.trials if study.holdout and each.number == study.holdout.trial), None)
    name = trial.layers if trial and trial.layers else "this model"
    return name if len(name) <= _LONGEST_NAME else f"trial {trial.number if trial else ''}"


def use_html(study: StudyRecord) -> str:
    """The command that uses the model, to copy."""
    if study.bundle is None:
        return ""
    command = f"python -m search predict studies/{study.study}.bundle --data new.csv"
    return f'<div class="copy"><code tabindex="0">{html.escape(command)}</code></div>\n'

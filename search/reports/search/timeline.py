"""Timeline of the trials: concurrent trials in separate lanes, pauses between runs cut out."""

from __future__ import annotations

import html
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from search.reports.formatting import duration
from search.reports.page import BLUE, GREEN, GREY, ORANGE, RED, style
from search.study.records import TrialRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LOOKS = {
    "COMPLETE": ("complete", BLUE),
    "PRUNED": ("pruned", ORANGE),
    "STOPPED": ("stopped", GREY),
    "FAIL": ("failed", RED),
    "RUNNING": ("running", GREEN),
}
_PAUSE_SHARE, _PAUSE_LEAST = 0.1, 60.0
"""A gap counts as a pause if it is longer than this share of the busy time and this number of seconds."""
_STILL_RUNNING = 5
"""A running trial that takes this many times as long as the longest one was left behind by a killed process."""
_UNITS = ((2 * 3600, 3600, "hours"), (300, 60, "minutes"), (0, 1, "seconds"))


@dataclass(frozen=True)
class Span:
    """A trial on the timeline.

    Attributes:
        trial: The trial.
        start: Seconds since the first start, pauses excluded.
        end: Likewise.
        lane: Number of its lane, from 1.
    """

    trial: TrialRecord
    start: float
    end: float
    lane: int


@dataclass(frozen=True)
class Timeline:
    """The spans of all trials that have started.

    Attributes:
        spans: In order of their start.
        pauses: Position of each removed pause, in seconds as in a span, and its length in seconds.
    """

    spans: tuple[Span, ...]
    pauses: tuple[tuple[float, float], ...]

    @property
    def lanes(self) -> int:
        """Largest number of concurrent trials."""
        return max((span.lane for span in self.spans), default=0)

    @property
    def seconds(self) -> float:
        """Seconds from the first start to the last end, pauses excluded."""
        return max((span.end for span in self.spans), default=0.0)

    @property
    def busy(self) -> float:
        """Share of the lanes' time in which a trial was running, in [0, 1]."""
        whole = self.lanes * self.seconds
        return sum(span.end - span.start for span in self.spans) / whole if whole else 1.0


def timeline(trials: Sequence[TrialRecord], now: datetime) -> Timeline:
    """Arrange the trials in lanes.

    Args:
        trials: Trials; those that have not started are left out.
        now: Local time, at which running trials end.
    """
    timed = sorted(_times(trials, now), key=lambda item: (item[1], item[0].number))
    if not timed:
        return Timeline((), ())
    cuts = _pauses([(start, end) for _, start, end in timed])
    first = timed[0][1]

    def place(at: datetime) -> float:
        cut = sum((min(at, end) - start for start, end in cuts if at > start), timedelta())
        return (at - first - cut).total_seconds()

    spans: list[Span] = []
    ends: list[float] = []
    for trial, start, end in timed:
        begin = place(start)
        lane = next((number for number, free in enumerate(ends) if free <= begin), len(ends))
        ends[lane:] = [place(end), *ends[lane + 1 :]]
        spans.append(Span(trial, begin, place(end), lane + 1))
    return Timeline(tuple(spans), tuple((place(start), (end - start).total_seconds()) for start, end in cuts))


def _times(trials: Sequence[TrialRecord], now: datetime) -> list[tuple[TrialRecord, datetime, datetime]]:
    """Start and end of each trial that has started."""
    ended = [(trial, trial.started, trial.completed) for trial in trials if trial.started and trial.completed]
    longest = max((end - start for _, start, end in ended), default=None)
    running = []
    for trial in trials:
        if trial.started and trial.state == "RUNNING":
            left_behind = longest is not None and now - trial.started > _STILL_RUNNING * longest
            end = trial.started + longest if left_behind and longest else max(now, trial.started)
            running.append((trial, trial.started, end))
    return [*((trial, start, max(start, end)) for trial, start, end in ended), *running]


def _pauses(times: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Long gaps in which no trial was running."""
    gaps, busy, end = [], timedelta(), times[0][0]
    for start, stop in times:
        if start > end:
            gaps.append((end, start))
        busy += max(timedelta(), stop - max(start, end))
        end = max(end, stop)
    least = max(_PAUSE_SHARE * busy.total_seconds(), _PAUSE_LEAST)
    return [(start, stop) for start, stop in gaps if (stop - start).total_seconds() > least]


def timeline_figure(line: Timeline) -> Figure:
    """A bar for each trial."""
    from plotly.graph_objects import Figure

    unit, unit_name = next((size, name) for least, size, name in _UNITS if line.seconds >= least)
    figure = Figure()
    for state, (name, color) in _LOOKS.items():
        spans = [span for span in line.spans if span.trial.state == state]
        if spans:
            figure.add_trace(_bars(spans, name, color, unit))
    style(figure)
    figure.update_layout(barmode="overlay", bargap=0.25, showlegend=True)
    for at, seconds in line.pauses:
        figure.add_vline(x=at / unit, line={"color": "#888888", "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=at / unit, y=0, yref="paper", yanchor="bottom", xanchor="left", showarrow=False, textangle=-90,
            text=f"pause {duration(seconds)}", font={"size": 11, "color": "#666666"},
        )  # fmt: skip
    figure.update_xaxes(title=f"{unit_name} of search", rangemode="tozero")
    figure.update_yaxes(title="lane", dtick=1, range=[line.lanes + 0.6, 0.4])
    return figure


def _bars(spans: list[Span], name: str, color: str, unit: int) -> Any:
    from plotly.graph_objects import Bar

    return Bar(
        base=[span.start / unit for span in spans],
        x=[max(span.end - span.start, 0.0) / unit for span in spans],
        y=[span.lane for span in spans],
        orientation="h",
        name=name,
        marker={"color": color, "line": {"color": "white", "width": 1}},
        customdata=[[span.trial.number, html.escape(_about(span))] for span in spans],
        hovertemplate="trial %{customdata[0]}, " + name + "<br>%{customdata[1]}<extra></extra>",
    )


def _about(span: Span) -> str:
    trial = span.trial
    parts = [trial.layers or "", "" if trial.value is None else f"{trial.value:.4g}", duration(span.end - span.start)]
    return ", ".join(part for part in parts if part)


def timeline_text(line: Timeline) -> list[str]:
    """Sentences that describe the timeline."""
    sentences = ["A lane holds one trial at a time; the process that ran it is not recorded."]
    ended = [span.end - span.start for span in line.spans if span.trial.state != "RUNNING"]
    if ended:
        sentences.append(f"The median trial took {duration(statistics.median(ended))}.")
    if line.lanes > 1:
        sentences.append(f"The lanes were busy {line.busy:.0%} of the time.")
    if line.pauses:
        sentences.append("Pauses between runs are cut out at the dotted lines.")
    return sentences

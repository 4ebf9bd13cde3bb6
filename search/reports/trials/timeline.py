"""Timeline of the trials: concurrent trials in separate lanes, pauses between runs cut out."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lstmgru.evaluation.decimals import fixed
from search.reports.charts.chart import Chart
from search.reports.charts.marks import Boxes, Rule
from search.reports.charts.scales import Axis
from search.reports.formatting import duration
from search.study.records import TrialRecord

_LOOKS = {
    "COMPLETE": ("complete", "blue"),
    "PRUNED": ("pruned", "grey"),
    "STOPPED": ("stopped", "brown"),
    "FAIL": ("failed", "red"),
    "RUNNING": ("running", "green"),
}
_PAUSE_SHARE, _PAUSE_LEAST = 0.1, 60.0
"""A gap counts as a pause if it is longer than this share of the busy time and this number of seconds."""
_STILL_RUNNING = 5
"""A running trial that takes this many times as long as the longest one was left behind by a killed process."""
_HALF = 0.36
"""Half of the height of a bar, as a share of its lane."""
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


def timeline_chart(line: Timeline, decimals: int) -> Chart:
    """A bar for each trial.

    Args:
        line: The timeline.
        decimals: Of the scores.
    """
    unit, unit_name = next((size, name) for least, size, name in _UNITS if line.seconds >= least)
    marks = tuple(
        _bars(spans, name, color, unit, decimals)
        for state, (name, color) in _LOOKS.items()
        if (spans := [span for span in line.spans if span.trial.state == state])
    )
    return Chart(
        title="When each trial ran",
        x=Axis(f"{unit_name} of search", zero=True),
        y=Axis(kind="words", words=tuple(f"lane {lane}" for lane in range(1, line.lanes + 1))),
        marks=marks,
        rules=tuple(Rule(at=at / unit, text=f"pause {duration(seconds)}") for at, seconds in line.pauses),
    )


def _bars(spans: list[Span], name: str, color: str, unit: int, decimals: int) -> Boxes:
    return Boxes(
        name=name,
        color=color,
        left=[span.start / unit for span in spans],
        right=[span.end / unit for span in spans],
        bottom=[span.lane - 1 - _HALF for span in spans],
        top=[span.lane - 1 + _HALF for span in spans],
        texts=[f"trial {span.trial.number}, {name}" for span in spans],
        trials=[span.trial.number for span in spans],
        values=[_about(span, decimals) for span in spans],
    )


def _about(span: Span, decimals: int) -> str:
    trial = span.trial
    score = "" if trial.value is None else fixed(trial.value, decimals)
    parts = [trial.layers or "", score, duration(span.end - span.start)]
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

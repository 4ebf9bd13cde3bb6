"""When which trial ran."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from helpers.combinations import each_row

from search.reports.charts.marks import Boxes
from search.reports.formatting import duration
from search.reports.trials.timeline import timeline, timeline_chart, timeline_text
from search.study.records import TrialRecord

NOON = datetime(2026, 3, 1, 12, 0, 0)
NOW = NOON + timedelta(days=1)


def ran(number: int, start: float, end: float | None, state: str = "COMPLETE", **changes: object) -> TrialRecord:
    """A trial, its times in seconds after noon."""
    completed = None if end is None else NOON + timedelta(seconds=end)
    return TrialRecord(
        number,
        state,  # type: ignore[arg-type]
        started=NOON + timedelta(seconds=start),
        completed=completed,
        **changes,  # type: ignore[arg-type]
    )


def layout(*times: tuple[float, float]) -> list[tuple[int, float, float]]:
    """Lane, start and end of trials with these times."""
    line = timeline([ran(number, start, end) for number, (start, end) in enumerate(times)], NOW)
    return [(span.lane, span.start, span.end) for span in line.spans]


@pytest.mark.parametrize(
    ("times", "lanes"),
    [
        ([(0, 10), (10, 20), (21, 30)], [1, 1, 1]),
        ([(0, 10), (0, 5), (5, 20), (10, 12)], [1, 2, 2, 1]),
        ([(0, 30), (1, 5), (2, 5), (5, 9), (6, 9)], [1, 2, 3, 2, 3]),
        ([(0, 0), (0, 0)], [1, 1]),
    ],
)
def test_a_trial_goes_to_the_first_lane_that_is_free(times: list[tuple[float, float]], lanes: list[int]) -> None:
    assert [lane for lane, _, _ in layout(*times)] == lanes


@pytest.mark.parametrize(
    ("times", "places", "pauses"),
    [
        # within ten minutes of work, a gap of half a minute stays
        ([(0, 300), (330, 600)], [(0, 300), (330, 600)], []),
        ([(0, 300), (3900, 4200)], [(0, 300), (300, 600)], [(300, 3600)]),
        ([(0, 300), (100, 200), (86_400, 86_500)], [(0, 300), (100, 200), (300, 400)], [(300, 86_100)]),
        ([(0, 5), (66, 70)], [(0, 5), (5, 9)], [(5, 61)]),
        ([(0, 5), (65, 70)], [(0, 5), (65, 70)], []),
        # a day of work: an hour is none
        ([(0, 80_000), (83_600, 90_000)], [(0, 80_000), (83_600, 90_000)], []),
    ],
)
def test_long_pauses_are_cut_out(
    times: list[tuple[float, float]], places: list[tuple[float, float]], pauses: list[tuple[float, float]]
) -> None:
    assert [(start, end) for _, start, end in layout(*times)] == places
    line = timeline([ran(number, start, end) for number, (start, end) in enumerate(times)], NOW)
    assert list(line.pauses) == pauses


def test_a_trial_that_runs_ends_now() -> None:
    line = timeline([ran(0, 0, 10), ran(1, 10, None, "RUNNING")], NOON + timedelta(seconds=40))

    assert [(span.start, span.end) for span in line.spans] == [(0, 10), (10, 40)]


def test_a_trial_that_a_killed_process_left_running_does_not_grow_for_ever() -> None:
    line = timeline([ran(0, 0, 10), ran(1, 10, None, "RUNNING")], NOW)

    assert [(span.start, span.end) for span in line.spans] == [(0, 10), (10, 20)]


def test_trials_that_wait_are_not_there() -> None:
    assert timeline([TrialRecord(0, "WAITING"), ran(1, 0, None, "WAITING")], NOW).spans == ()


def test_the_share_of_the_time_that_was_used_is_told() -> None:
    line = timeline([ran(0, 0, 100), ran(1, 0, 50)], NOW)

    assert line.busy == pytest.approx(0.75)
    text = " ".join(timeline_text(line))
    assert "The lanes were busy 75% of the time." in text
    assert "median trial took 1\N{NO-BREAK SPACE}min 15\N{NO-BREAK SPACE}s" in text
    assert "Pauses" not in text


def test_a_bar_says_which_trial_it_is() -> None:
    trials = [ran(7, 0, 600, layers="lstm(8) > gru(4)", value=2.5), ran(8, 3000, 3600, "FAIL")]

    complete, failed = timeline_chart(timeline(trials, NOW), 3).marks

    assert isinstance(complete, Boxes)
    assert isinstance(failed, Boxes)
    assert complete.texts == ["trial 7, complete"]
    assert complete.values == ["lstm(8) > gru(4), 2.500, 10\N{NO-BREAK SPACE}min"]
    assert (complete.left, complete.right) == ([0], [10])
    assert (failed.name, failed.left, failed.right) == ("failed", [10], [20])


@pytest.mark.parametrize(
    ("seconds", "unit"), [(299, "seconds"), (300, "minutes"), (7199, "minutes"), (7200, "hours"), (1e6, "hours")]
)
def test_the_axis_has_a_unit_for_its_length(seconds: float, unit: str) -> None:
    assert timeline_chart(timeline([ran(0, 0, seconds)], NOW), 3).x.title == f"{unit} of search"


@each_row(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (600, "10 min"),
        (3599.7, "1 h"),
        (7260, "2 h 1 min"),
        (86_399, "1 d"),
        (200_000, "2 d 8 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == text

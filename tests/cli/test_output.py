"""Output that cannot be written is one line and an exit code, never a traceback."""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.studies import program_environment
from helpers.synthetic_study import finished_study, make_trial
from rich.console import Console

from search.cli.console import print_facts, print_table
from search.cli.progress import RunListener
from search.cli.sparkline import print_forecast, sparkline
from search.errors import printable
from search.run.progress import Progress
from search.study.paths import NEXT_TABLE, report_path

FULL = Path("/dev/full")


def schema(stdout: int | None, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """A command that needs no study, with that standard output; ``None``: a closed one."""
    command = [sys.executable, "-m", "search", "schema"]
    if stdout is None:
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    environment = program_environment()
    return subprocess.run(command, stdout=stdout, stderr=stderr, text=True, check=False, env=environment)


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with FULL.open("w") as full:
        done = schema(full.fileno())
        assert done.returncode == 2
        assert done.stderr == "error: standard output or a file cannot be read or written: No space left on device\n"
        assert schema(full.fileno(), full.fileno()).returncode == 2


def test_a_pipe_that_nobody_reads_ends_the_command_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = schema(writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_closed_standard_output_is_not_missed() -> None:
    done = schema(None)
    assert (done.returncode, done.stderr) == (0, "")


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[2J\x07b\u202ec\x9bd\r\ne é 漢 🙂") == "a[2Jbcd\ne é 漢 🙂"


BEST = make_trial(7, layers="last > segments(12) > [fused(23) > gru(26) | gru(16)] > additive > linear +linear")


def frames_of(progress: Progress, *, width: int = 80) -> list[str]:
    """The lines of the last frame of a terminal."""
    seen = io.StringIO()
    console = Console(file=seen, force_terminal=True, width=width, color_system=None)
    with RunListener(console) as listener:
        listener.on_progress(progress)
        listener._bar.refresh()
    frames = re.split(r"\x1b\[\d?[A-Z]|\r", seen.getvalue())
    return [line.strip() for frame in frames for line in frame.split("\n") if line.strip() and "\x1b" not in line]


def test_the_bar_shows_time_and_trials_and_the_best_score_beside_the_best_baseline() -> None:
    progress = Progress(12, 30, (BEST, BEST), BEST, 60.0, 238.0, 2, 2, ("seasonal_naive", 4.25), True, 9, 3)

    bar, below = frames_of(progress)[-2:]

    assert re.fullmatch(r"━[━╸╺ ]*12/30 0:00:0\d 3 min 58 s left", bar.replace("\N{NO-BREAK SPACE}", " "))
    assert below.startswith("best 3.700 · seasonal naive 4.250 · 2 running · 9 pruned · 3 promoted · last >")
    assert below.endswith("…")


@pytest.mark.parametrize(
    ("progress", "bar"),
    [
        (Progress(0, 30, (), None, 2.0, None, 4, 1), r".*0/30 .* starting 4 workers: 1 ready"),
        (Progress(0, 30, (), None, 2.0, None, 4, 4), r".*0/30 .* first trials running"),
        (Progress(3, None, (), None, 60.0, 180.0), r".*3 trials .* 3.min left"),
    ],
    ids=["workers start", "no trial yet", "a limit of time alone"],
)
def test_the_bar_says_what_is_waited_for(progress: Progress, bar: str) -> None:
    assert any(re.fullmatch(bar, line) for line in frames_of(progress))


def test_a_narrow_terminal_cuts_names_and_no_number() -> None:
    lines = frames_of(Progress(12, 30, (), BEST, 60.0, 238.0, baseline=("linear", 3.25)), width=50)

    assert all(len(line) <= 50 for line in lines)
    assert re.fullmatch(r"best 3\.700 · linear 3\.250 · last > .*…", lines[-1])


def test_a_quiet_run_shows_no_progress() -> None:
    seen = io.StringIO()
    with RunListener(Console(file=seen, force_terminal=True, width=80), quiet=True) as listener:
        listener.on_phase("refitting")
        listener.on_message("the time is up")
        listener.on_trial(BEST, Progress(1, 2, (), BEST, 1.0, 1.0))

    assert seen.getvalue() == ""


# --- columns and characters -------------------------------------------------------------------------------------------

FACTS = [("data", "a.csv: " + " ".join(["many"] * 30) + " words"), ("  hidden_size", "4 or 8"), ("time", "30 s")]


def test_in_a_terminal_the_lines_of_a_long_text_begin_below_each_other() -> None:
    seen = io.StringIO()
    print_facts(Console(file=seen, force_terminal=True, width=80, color_system=None), FACTS)

    lines = [line.rstrip() for line in seen.getvalue().splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) > len(FACTS)
    assert {re.search(r"a\.csv|many|4 or|30 s", line).start() for line in lines} == {20}  # type: ignore[union-attr]


def test_elsewhere_each_text_is_one_line() -> None:
    seen = io.StringIO()
    print_facts(Console(file=seen, width=80), FACTS)

    assert [line.split()[0] for line in seen.getvalue().splitlines()] == ["data", "hidden_size", "time"]


def test_a_sparkline_spans_the_values_and_leaves_out_unknown_ones() -> None:
    assert sparkline([0.0, 3.5, math.nan, 7.0]) == "▁▅ █"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([math.nan]) == " "


@pytest.mark.parametrize(("encoding", "lines"), [("utf-8", 2), ("ascii", 0)])
def test_the_next_forecast_is_drawn_where_the_terminal_has_the_characters(
    encoding: str, lines: int, tmp_path: Path
) -> None:
    study = replace(finished_study(), bundle=str(tmp_path / "tiny.bundle"))
    table = report_path(tmp_path / "tiny.bundle") / NEXT_TABLE
    table.parent.mkdir(parents=True)
    values = [f"2022-01-{day:02},sales,{day},,shop,2022-01-06" for day in range(1, 7)]
    forecasts = [f"2022-01-{day:02},sales,,{20 - day},shop,2022-01-06" for day in range(7, 10)]
    table.write_text("\n".join(["time,target,actual,forecast,series,cutoff", *values, *forecasts]))
    seen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)

    print_forecast(Console(file=seen, width=80), study)

    seen.seek(0)
    printed = seen.read().splitlines()
    assert len(printed) == lines
    assert printed[:1] in ([], ["next 3 steps of sales of shop"])
    assert printed[1:] in ([], ["▁▂▂▃▃▄│█▇▇  11.00 to 13.00"])


def test_a_table_breaks_neither_numbers_nor_words_in_a_terminal_that_is_too_narrow() -> None:
    seen = io.StringIO()
    rows = [("seasonal naive", "1,234,567.890", "-1,234.500 to +1,234.500"), ("lstm", "12.500", "")]

    head = ("family", "on the holdout", "95% interval")
    print_table(Console(file=seen, width=40), "scores", head, rows, words=("family",))

    text = seen.getvalue()
    assert all(part in text for part in ("seasonal", "naive", "1,234,567.890", "-1,234.500 to +1,234.500", "12.500"))
    assert "…" not in text
    assert len({len(line) for line in text.splitlines()[1:]}) == 1  # no line is cut

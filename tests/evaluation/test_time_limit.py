"""Time limits of work in parts."""

from __future__ import annotations

import time

import pytest

from lstmgru.errors import BaselineTooSlow
from lstmgru.evaluation.time_limit import TimeLimit


def test_what_is_ahead_is_estimated_from_the_current_part() -> None:
    limit = TimeLimit(10.0, started=time.monotonic() - 9).next_part()
    limit.check(done=1, total=100)
    with pytest.raises(BaselineTooSlow, match="it would take 11 s, longer than its limit of 10 s"):
        TimeLimit(10.0, started=time.monotonic() - 9, part_started=time.monotonic() - 1).check(done=1, total=3)

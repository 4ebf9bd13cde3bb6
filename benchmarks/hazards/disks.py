"""Disks without room: a limit on the size of files while a study runs, and a full device as the output of commands."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hazards.command import Attempt, Ended, environment, fault
from hazards.processes import Place, study_text

KIND = "disks"
_FULL = Path("/dev/full")
_OUTPUTS = (
    ("show", "tiny"),
    ("show", "tiny", "--json"),
    ("check", "tiny.yaml"),
    ("schema",),
    ("report", "tiny", "--output", str(_FULL)),
    ("predict", "studies/tiny.bundle", "--data", "shop.csv", "--output", str(_FULL)),
    ("predict", "studies/tiny.bundle", "--data", "shop.csv"),
    ("run", "tiny.yaml"),
)
"""Commands whose standard output, or whose file, is a full device."""


def attempts(count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """Half of them run a study under a limit and then without one, half write to a full device."""
    finished = folder / "finished"
    place = Place(finished, study_text(tracked=False), 1)
    place.start().finish()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        if number % 2 and _FULL.exists():
            yield _to_a_full_device(_OUTPUTS[number // 2 % len(_OUTPUTS)], finished)
        else:
            yield _with_a_limit(rng, folder / str(number), f"{seed}/{number}")


def _with_a_limit(rng: random.Random, folder: Path, case: str) -> Attempt:
    """Every write beyond the limit fails, as on a full disk, wherever in the program it happens."""
    place = Place(folder, study_text(tracked=rng.random() < 0.5), 1)
    limit = int(10 ** rng.uniform(2.5, 5.5))
    attempt = Attempt(KIND, f"no file larger than {limit} bytes, {case}")
    ended = place.start(file_size=limit).finish()
    attempt.check(fault(ended) is None, str(fault(ended)))
    place.check(attempt, ended, resting=False)
    place.check_finished(attempt)
    shutil.rmtree(folder, ignore_errors=True)
    return attempt


def _to_a_full_device(arguments: tuple[str, ...], folder: Path) -> Attempt:
    attempt = Attempt(KIND, f"{' '.join(arguments)} > {_FULL}")
    to_file = str(_FULL) in arguments
    with _FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "search", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE if to_file else full,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    ended = Ended(done.returncode, "", done.stderr.decode(errors="replace"))
    attempt.check(fault(ended) is None, str(fault(ended)))
    attempt.check(ended.code in (1, 2), f"exit code {ended.code}, though nothing could be written")
    attempt.check(len(ended.error.splitlines()) == 1, f"not one line: {ended.error[-300:]!r}")
    return attempt

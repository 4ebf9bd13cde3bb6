"""A whole study whose workers are new interpreters, as on Windows, on macOS and with a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.studies import search, shown, write_study

pytestmark = pytest.mark.slow

SPAWNED = ("--set", "search.executor={kind: processes, start_method: spawn}", "--jobs", "2")
COMMON = ("--set", "tracking.enabled=false", "--set", "search.pruner=none", "--set", "search.sampler=random")


def test_scores_are_those_of_forked_workers(tmp_path: Path) -> None:
    scores = []
    for name, chosen in (("forked", ("--executor", "processes", "--jobs", "2")), ("spawned", SPAWNED)):
        folder = tmp_path / name
        folder.mkdir()
        write_study(folder)
        result = search(folder, "run", "tiny.yaml", *chosen, *COMMON)
        assert result.returncode == 0, result.stderr
        assert (folder / "studies" / "tiny.bundle" / "bundle.json").exists()
        found = shown(folder)
        scores.append(([(trial["params"], trial["value"]) for trial in found["trials"]], found["holdout"]["metrics"]))
    assert scores[0] == scores[1]
    assert len(scores[0][0]) == 4

"""Retraining the best of each family with new seeds: fair, resumable, and within the time."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.running_comparisons import retrained, searched

from search.compare.summary import best_trials, summarize
from search.executors.in_process import InProcessExecutor


def test_every_family_is_trained_with_a_seed_before_any_is_with_the_next(tmp_path: Path) -> None:
    searched(tmp_path, 2)

    _, store, trained = retrained(tmp_path, 3)

    assert trained == [f"{name}, seed {number}" for number in (1, 2, 3) for name in ("lstm", "gru")]
    seeds = [
        [result.seed for result in each.seeds(trial.number).values() if not isinstance(result, str)]
        for each, trial in best_trials(store).items()
    ]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3
    assert not {trial.user_attrs["seed"] for each in store.families for trial in each.ended()} & set(seeds[0])


def test_trainings_that_are_there_are_not_repeated(tmp_path: Path) -> None:
    searched(tmp_path, 2)

    _, store, first = retrained(tmp_path, 2, stop_after=3)
    before = [dict(each.seeds(trial.number)) for each, trial in best_trials(store).items()]
    _, _, second = retrained(tmp_path, 2)
    _, _, third = retrained(tmp_path, 2)
    _, store, more = retrained(tmp_path, 3)

    assert (len(first), second, third) == (3, ["gru, seed 2"], [])
    assert more == ["lstm, seed 3", "gru, seed 3"]
    after = [each.seeds(trial.number) for each, trial in best_trials(store).items()]
    assert [sorted(seeds) for seeds in after] == [[0, 1, 2]] * 2
    assert [{number: now[number] for number in then} for then, now in zip(before, after, strict=True)] == before


def test_no_more_workers_are_kept_than_there_are_trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    monkeypatch.setattr(InProcessExecutor, "scale_down", lambda executor, jobs: kept.append(jobs))
    searched(tmp_path, 1)

    for _ in range(2):
        retrained(tmp_path, 2)

    assert kept == [4, 1]  # one is left for what follows


def test_when_the_time_is_up_two_seeds_are_trained_all_the_same(tmp_path: Path) -> None:
    searched(tmp_path, 1)

    plan, store, trained = retrained(tmp_path, 5, time_left=-1.0)

    assert len(trained) == 4
    comparison = summarize(plan, store, seeds=5, seconds=1.0)
    assert [family.seeds for family in comparison.families] == [2, 2]
    assert "Retrained with fewer than 5 seeds: " in " ".join(comparison.notes)

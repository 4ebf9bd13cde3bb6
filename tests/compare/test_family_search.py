"""The search of all families: as many trials for each, resumable, and no trial twice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from helpers.drivers import drive
from helpers.running_comparisons import TWO, opened, searched, states, told

from search.executors.in_process import InMemory


def test_every_family_has_as_many_trials(tmp_path: Path) -> None:
    store = searched(tmp_path, 3)

    assert {name: len(trials) for name, trials in store.records().items()} == {"lstm": 3, "gru": 3}
    layers = {name: {str(trial.layers)[:3] for trial in trials} for name, trials in store.records().items()}
    assert layers == {"lstm": {"lst"}, "gru": {"gru"}}


def test_all_families_share_one_copy_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[Any] = []

    def share(data: InMemory, value: Any) -> Any:
        shared.append(value)
        return value

    monkeypatch.setattr(InMemory, "share", share)
    store = searched(tmp_path, 1)

    assert states(store) == {"lstm": ["COMPLETE"], "gru": ["COMPLETE"]}
    assert len(shared) == 1


@pytest.mark.parametrize("stop_in", [("lstm", 0), ("gru", 1), ("lstm", 2)])
def test_an_interrupted_search_goes_on_and_no_trial_is_run_twice(stop_in: tuple[str, int], tmp_path: Path) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = told(searched(tmp_path / "whole", 3))

    first = searched(tmp_path / "parts", 3, stop_in=stop_in)
    done = told(first)
    assert sum(map(len, done.values())) == 2 * stop_in[1] + (stop_in[0] == "gru")
    assert [state for family in states(first).values() for state in family if state != "COMPLETE"] == ["WAITING"]

    again = told(searched(tmp_path / "parts", 3))

    assert again == whole
    assert {name: trials[: len(done[name])] for name, trials in again.items()} == done


def test_trials_that_a_dead_process_left_running_are_run_again(tmp_path: Path) -> None:
    store = searched(tmp_path, 1)
    family = store.families[0]
    family.plan.space.suggest(family.store.study.ask())
    assert states(store)["lstm"] == ["COMPLETE", "RUNNING"]

    again = searched(tmp_path, 2)

    assert states(again) == {"lstm": ["COMPLETE", "COMPLETE"], "gru": ["COMPLETE", "COMPLETE"]}


def test_more_trials_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    before = told(searched(tmp_path, 2))
    after = told(searched(tmp_path, 3))

    assert {name: trials[:2] for name, trials in after.items()} == before
    assert told(searched(tmp_path, 3)) == after


def test_the_time_ends_the_search_and_judges_no_trial(tmp_path: Path) -> None:
    end = time.monotonic() + 1.5
    settings = ("search.pruner=none", "training.max_epochs=40", "training.patience=null")
    store = searched(tmp_path, None, *settings, time_left=lambda: end - time.monotonic())

    found = states(store)
    assert time.monotonic() < end + 30  # of trials without end
    assert {state for family in found.values() for state in family} <= {"COMPLETE", "WAITING"}
    counts = [family.count("COMPLETE") for family in found.values()]
    assert max(counts) - min(counts) <= 1


def test_the_family_that_the_study_neglected_is_searched_first(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=5", text=TWO)
    _, before = opened(tmp_path, text=TWO)
    inherited = {name: len(trials) for name, trials in before.records().items()}
    assert min(inherited.values()) < max(inherited.values())

    after = searched(tmp_path, max(inherited.values()))

    assert {name: len(trials) for name, trials in after.records().items()} == dict.fromkeys(
        inherited, max(inherited.values())
    )

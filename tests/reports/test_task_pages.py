"""The architecture of a trial from what its study records, without its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.report_study import NUMBERS, TEXTS, Made, make_label_store, make_store
from helpers.studies import write_study

from lstmgru.errors import SpecError
from search.reports.task_pages import candidate
from search.study.store import StudyStore
from search.tasks import find_task, make_plan
from search.tasks.study_file import read_study_file

PAGES = find_task("forecast").pages


def recorded(store: StudyStore) -> Any:
    """The identity of a study as it comes from the journal."""
    return json.loads(json.dumps(store.get("identity")))


@pytest.mark.parametrize("preset", ["small", "standard", "full"])
def test_the_forecaster_of_every_trial_is_rebuilt(tmp_path: Path, preset: str) -> None:
    overrides = [f"space={{preset: {preset}}}"]
    store = make_store(tmp_path, [Made()] * 20, overrides=overrides)
    space = PAGES.search_space(recorded(store))

    found = [candidate(space, trial.params)[0].architecture for trial in store.study.trials]

    assert found == [trial.user_attrs["layers"] for trial in store.study.trials]
    plan = make_plan(
        read_study_file(write_study(tmp_path), overrides=[*overrides, f"data.path={tmp_path}/shop.csv"]).config
    )
    assert space.to_dict() == plan.space.to_dict()


@pytest.mark.parametrize(
    ("kind", "preset"),
    [((), "small"), ((), "full"), (NUMBERS, "standard"), (TEXTS, "small"), (TEXTS, "full")],
    ids=["classes-small", "classes-full", "numbers-standard", "texts-small", "texts-full"],
)
def test_the_network_of_every_sequence_trial_is_rebuilt(tmp_path: Path, kind: tuple[str, ...], preset: str) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.5,))] * 10, overrides=[*kind, f"space={{preset: {preset}}}"])
    space = find_task(store.record().task).pages.search_space(recorded(store))

    found = [candidate(space, trial.params)[0].architecture for trial in store.study.trials]

    assert found == [trial.user_attrs["layers"] for trial in store.study.trials]


def test_the_training_settings_are_rebuilt_too(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()])
    [trial] = store.study.trials

    _, settings = candidate(PAGES.search_space(recorded(store)), trial.params)

    assert settings.learning_rate == trial.params["learning_rate"]
    assert settings.batch_size == 64  # fixed in the preset, so not a parameter of a trial


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space.cell": ["lstm", "mine"]}, "the cell 'mine' is not registered in this process; import the module"),
        ({"space.merge": "maximum"}, r"space\.merge of the study is unknown to this version"),
        ({"space.new": 3}, r"space\.new of the study is unknown to this version"),
    ],
)
def test_a_space_that_cannot_be_read_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    identity = make_store(tmp_path, []).get("identity")

    with pytest.raises(SpecError, match=message):
        PAGES.search_space(identity | changes)


def test_a_study_without_a_space_is_refused() -> None:
    with pytest.raises(SpecError, match=r"does not record its search space: space\.n_branches is missing"):
        PAGES.search_space({})


def test_a_trial_that_lacks_a_parameter_is_refused(tmp_path: Path) -> None:
    space = PAGES.search_space(recorded(make_store(tmp_path, [])))

    with pytest.raises(SpecError, match="lacks a parameter of its architecture, it has n_layers"):
        candidate(space, {"n_layers": 2})

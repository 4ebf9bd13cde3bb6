"""A trial's architecture from what its study keeps, without its data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.report_study import NUMBERS, TEXTS, Made, make_label_store, make_store
from helpers.studies import write_study

from lstmgru.errors import SpecError
from search.reports.diagram.candidate import candidate, search_space
from search.tasks import make_plan
from search.tasks.study_file import load_study


@pytest.mark.parametrize("preset", ["small", "standard", "full"])
def test_the_architecture_of_every_trial_is_built_again(tmp_path: Path, preset: str) -> None:
    overrides = [f"space={{preset: {preset}}}"]
    store = make_store(tmp_path, [Made()] * 20, overrides=overrides)
    identity = json.loads(json.dumps(store.get("identity")))  # as it comes from the journal

    found = {candidate(identity, trial.params)[0].architecture: trial for trial in store.study.trials}

    assert list(found) == list(dict.fromkeys(trial.user_attrs["layers"] for trial in store.study.trials))
    plan = make_plan(load_study(write_study(tmp_path), overrides=[*overrides, f"data.path={tmp_path}/shop.csv"]).config)
    assert search_space(identity).to_dict() == plan.space.to_dict()


@pytest.mark.parametrize("preset", ["small", "standard", "full"])
@pytest.mark.parametrize("kind", [(), NUMBERS, TEXTS], ids=["classes", "numbers", "texts"])
def test_the_labeller_of_every_trial_is_built_again(tmp_path: Path, preset: str, kind: tuple[str, ...]) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.5,))] * 10, overrides=[*kind, f"space={{preset: {preset}}}"])
    identity = json.loads(json.dumps(store.get("identity")))

    found = [candidate(identity, trial.params)[0].architecture for trial in store.study.trials]

    assert found == [trial.user_attrs["layers"] for trial in store.study.trials]


def test_settings_of_the_training_are_built_too(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()])
    [trial] = store.study.trials

    _, settings = candidate(store.get("identity"), trial.params)

    assert settings.learning_rate == trial.params["learning_rate"]
    assert settings.batch_size == 64  # fixed in the preset, so no parameter of a trial


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space.cell": ["lstm", "mine"]}, "the cell 'mine' is not registered in this process; import the module"),
        ({"space.merge": "maximum"}, r"space\.merge of the study is not one that this version knows"),
        ({"space.new": 3}, r"space\.new of the study is not one that this version knows"),
    ],
)
def test_a_space_that_cannot_be_read_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    identity = make_store(tmp_path, []).get("identity")

    with pytest.raises(SpecError, match=message):
        search_space(identity | changes)


def test_a_study_that_keeps_no_space_is_refused() -> None:
    with pytest.raises(SpecError, match=r"does not say what it searched: space\.n_branches is missing"):
        search_space({})


def test_a_trial_that_lacks_a_parameter_is_refused(tmp_path: Path) -> None:
    identity = make_store(tmp_path, []).get("identity")

    with pytest.raises(SpecError, match="lacks a parameter of its architecture, it has n_layers"):
        candidate(identity, {"n_layers": 2})

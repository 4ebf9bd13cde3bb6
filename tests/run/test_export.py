"""What the end of a study exports: networks that were trained again, on which data, and what is recorded of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import drivers
from helpers.drivers import Clock, Notes, finish, plan_of
from helpers.json_output import valid_json
from helpers.studies import shop_table

from lstmgru.bundle import load_bundle
from search.study.paths import StudyPaths
from search.study.store import StudyStore

RANDOM = ("search.sampler=random", "search.pruner=none", "search.blend=off")
BEFORE = ("export.train_on=before_holdout",)


def bundle_of(folder: Path) -> Any:
    return load_bundle(StudyPaths(folder, "tiny").bundle)


def provenance_of(folder: Path) -> dict[str, Any]:
    description = json.loads((StudyPaths(folder, "tiny").bundle / "bundle.json").read_text())
    provenance: dict[str, Any] = description["provenance"]
    return provenance


def mean_error(bundle: Any) -> float:
    """Of the holdout of 20 days, whose forecasts are of 3 days."""
    table = shop_table()
    errors = []
    for cutoff in range(len(table) - 20, len(table) - 2):
        forecast = bundle.predict(table.iloc[:cutoff])["forecast"].to_numpy()
        errors.append(np.abs(forecast - table["sales"].to_numpy()[cutoff : cutoff + 3]).mean())
    return float(np.mean(errors))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same study with either training data of its export."""
    found = {name: tmp_path_factory.mktemp(name) for name in ("everything", "before_holdout")}
    for name, folder in found.items():
        finish(folder, *RANDOM, f"export.train_on={name}")
    return found


def record_of(folder: Path) -> Any:
    store = StudyStore.find(StudyPaths(folder, "tiny"))
    assert store is not None
    return store.record()


def test_the_scored_model_is_exported_if_it_shall_be_trained_before_the_holdout(folders: dict[str, Path]) -> None:
    record = record_of(folders["before_holdout"])
    assert mean_error(bundle_of(folders["before_holdout"])) == pytest.approx(record.holdout.score, rel=1e-4)
    assert provenance_of(folders["before_holdout"])["trained_on"] == "before_holdout"


def test_the_score_is_that_of_the_training_before_the_holdout_whatever_is_exported(folders: dict[str, Path]) -> None:
    records = [record_of(folder) for folder in folders.values()]
    assert records[0].holdout == records[1].holdout
    assert records[0].baselines == records[1].baselines
    assert records[0].blend is None  # it is off


def test_the_exported_model_has_learned_from_the_holdout_too(folders: dict[str, Path]) -> None:
    """It is the network that the library trains on all rows with the settings of the winner."""
    from lstmgru.data.forecasting.splits import Split
    from lstmgru.training.fit_forecasts import fit

    folder = folders["everything"]
    plan, bundle = plan_of(folder, *RANDOM), bundle_of(folder)
    rows = Split("all", np.array([[0, 200]]), np.array([[180, 200]]))
    (member,) = bundle.networks
    fitted = fit(plan.whole_data().panel, rows, member.model_spec, member.train_spec, plan.forecast)  # type: ignore[attr-defined]
    found = member.network.state_dict()
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in fitted.network.state_dict().items()
    }
    assert provenance_of(folder)["trained_on"] == "everything"
    assert mean_error(bundle) != pytest.approx(record_of(folder).holdout.score, rel=1e-4)


def test_a_refit_of_the_last_fold_is_exported_as_it_was_scored(tmp_path: Path) -> None:
    """By a metric of quantiles, for which every baseline has its own calibration."""
    finish(tmp_path, *RANDOM, "training.refit=last_fold", "search.trials=1", "forecast.metric=wql")
    record, (network,) = record_of(tmp_path), bundle_of(tmp_path).networks
    assert mean_error(bundle_of(tmp_path)) == pytest.approx(record.holdout.metrics["mae"], rel=1e-4)
    assert network.train_spec.max_epochs == min(record.trials[0].curve, key=lambda each: each.value).epoch
    assert record.holdout.score == record.holdout.metrics["wql"]
    assert len({baseline.holdout for baseline in record.baselines.values()}) == len(record.baselines) > 1
    with np.load(StudyPaths(tmp_path, "tiny").predictions / "trial-00000.npz") as file:
        low, high = file["fold_1"][..., 0, 1], file["fold_1"][..., 0, 3]
    truth = np.array([shop_table()["sales"][cut : cut + 3] for cut in range(160, 178)])
    offsets = np.sort(np.maximum(low - truth, truth - high), axis=0)[int(np.ceil(19 * 0.8)) - 1]
    np.testing.assert_allclose(bundle_of(tmp_path).calibration.offsets[0, :, 0], offsets, rtol=1e-4)
    assert provenance_of(tmp_path)["trained_on"] == "before_holdout"


def test_baselines_without_scores_on_the_folds_are_scored_on_the_holdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if their jobs had failed."""
    store = drivers.drive(tmp_path, *RANDOM, "search.trials=1")
    store.set("baselines", {})
    monkeypatch.setattr(drivers, "drive", lambda *_, **__: store)
    finish(tmp_path, *RANDOM, "search.trials=1")
    record = record_of(tmp_path)
    assert record.holdout is not None
    assert {each.folds for each in record.baselines.values()} == {None}
    assert all(each.holdout is not None for each in record.baselines.values())
    valid_json("show", json.dumps(record.to_json()))


def test_a_finished_study_is_finished_again_only_for_another_model(tmp_path: Path) -> None:
    singles = set()

    def looks(*overrides: str) -> int:
        record = finish(tmp_path, "search.sampler=random", "search.pruner=none", *overrides).record()
        assert record.holdout is not None
        assert record.blend is not None
        singles.add(record.blend.single)
        return record.holdout.looks

    assert looks("search.trials=1") == 1
    assert looks("search.trials=1") == 1
    assert looks("search.trials=1", *BEFORE) == 2
    assert looks("search.trials=1", *BEFORE) == 2
    assert looks("search.trials=1") == 3
    assert len(singles) == 1  # it is scored as trained before the holdout, whatever is exported


def test_a_study_of_an_earlier_version_stays_finished(tmp_path: Path) -> None:
    store = finish(tmp_path, *RANDOM, *BEFORE, "search.trials=2")
    store.study.set_user_attr("exported", None)  # as such a study has none
    before = store.record()
    for path in StudyPaths(tmp_path, "tiny").predictions.iterdir():
        path.unlink()
    again = finish(tmp_path, "search.sampler=random", "search.pruner=none", "search.trials=2").record()
    assert (again.holdout, again.trials, again.blend) == (before.holdout, before.trials, None)


# --- time -------------------------------------------------------------------------------------------------------------


def test_where_no_time_is_left_the_scored_network_is_exported_and_said_to_be(tmp_path: Path) -> None:
    notes = Notes()
    store = finish(tmp_path, *RANDOM, "search.trials=1", notes=notes, timeout=30.0, clock=Clock(10.0))
    assert store.record().holdout is not None
    assert provenance_of(tmp_path)["trained_on"] == "before_holdout"
    assert (
        "trial 0 is exported as trained before the holdout, as the time was too short to train it on everything; rerun "
        "with a longer --timeout"
    ) in notes.notes
    assert mean_error(bundle_of(tmp_path)) == pytest.approx(store.record().holdout.score, rel=1e-4)  # type: ignore[union-attr]
    again = finish(tmp_path, *RANDOM, "search.trials=1", timeout=30.0, clock=Clock(0.0)).record().holdout
    assert again is not None
    assert again.looks == 1
    longer = finish(tmp_path, *RANDOM, "search.trials=1", timeout=60.0, clock=Clock(0.0)).record().holdout
    assert longer is not None
    assert longer.looks == 2
    assert provenance_of(tmp_path)["trained_on"] == "everything"


@pytest.mark.slow
@pytest.mark.parametrize("key", ["blend", "holdout", "exported"])
def test_a_study_that_is_killed_while_it_records_its_end_ends_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    noted = StudyStore.set

    def killed(store: StudyStore, name: str, value: Any) -> None:
        if name == key:
            raise KeyboardInterrupt
        noted(store, name, value)

    settings = ("search.sampler=random", "search.pruner=none", "search.trials=2")
    with monkeypatch.context() as patch:
        patch.setattr(StudyStore, "set", killed)
        with pytest.raises(KeyboardInterrupt):
            finish(tmp_path, *settings)
    record = finish(tmp_path, *settings).record()
    assert record.holdout is not None
    assert record.blend is not None
    assert record.blend.holdout == record.holdout.score
    assert record.holdout.looks == (2 if key == "exported" else 1)
    assert load_bundle(StudyPaths(tmp_path, "tiny").bundle).provenance["export"] == record.holdout.looks

"""The blend of a small study: the same members, weights and scores as an independent computation with the library."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.drivers import Notes, drive, finish, in_process, plan_of
from helpers.studies import shop_table
from optuna.trial import FixedTrial

from lstmgru.bundle import load_bundle
from lstmgru.evaluation.decimals import decimals_of, fixed
from search.run.selection import BlendSelection
from search.run.single_job import SingleJob
from search.study.out_of_fold import Predictions
from search.study.paths import StudyPaths
from search.study.store import StudyStore
from search.tasks.epochs import refit_epochs
from search.tasks.final_steps import Deadline, refit_network

SETTINGS = (
    "search.sampler=random",
    "search.pruner=none",
    "search.trials=6",
    "splits.folds=2",
    "training.max_epochs=4",
    "training.patience=null",
    "space.learning_rate=[0.3, 0.03]",
)
"""Networks that learn fast, so that the best epochs of many are not the last ones."""
BEFORE = ("export.train_on=before_holdout",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study whose exported model is the scored one."""
    folder = tmp_path_factory.mktemp("blend")
    finish(folder, *SETTINGS, *BEFORE)
    return folder


def store_of(folder: Path) -> StudyStore:
    store = StudyStore.find(StudyPaths(folder, "tiny"))
    assert store is not None
    return store


def kept(folder: Path, name: str) -> list[np.ndarray]:
    """The forecasts of a file, as float64."""
    with np.load(StudyPaths(folder, "tiny").predictions / f"{name}.npz") as file:
        return [file[f"fold_{fold}"].astype(np.float64) for fold in (1, 2)]


def greedy(folds: dict[Any, list[np.ndarray]], truth: list[np.ndarray]) -> tuple[dict[Any, float], float]:
    """Twenty rounds, each averaging the whole list anew; the shortest prefix that nothing improves by 1e-4."""

    def error(chosen: list[Any]) -> float:
        means = [np.mean([folds[each][fold] for each in chosen], axis=0) for fold in range(2)]
        return float(np.mean([np.abs(mean - actual).mean() for mean, actual in zip(means, truth, strict=True)]))

    chosen: list[Any] = []
    best: list[Any] = []
    for _ in range(20):
        chosen = [*chosen, min(folds, key=lambda each: error([*chosen, each]))]
        if not best or error(chosen) < error(best) * (1 - 1e-4):
            best = chosen
    return {each: best.count(each) / len(best) for each in best}, error(best)


def members_of(record: Any) -> dict[Any, float]:
    return {member.candidate: member.weight for member in record.blend.members}


def file_of(candidate: int | str) -> str:
    return f"trial-{candidate:05d}" if isinstance(candidate, int) else f"baseline-{candidate}"


def truth_of(plan: Any) -> list[np.ndarray]:
    rows = plan.whole_data().panel.values[:, 0].astype(np.float64)
    cutoffs = [plan.whole_data().evaluation(fold).cutoffs for fold in plan.splits.folds]
    return [rows[each[:, None] + np.arange(3)][..., None] for each in cutoffs]


def test_members_weights_and_score_are_those_of_a_selection_from_the_files(folder: Path) -> None:
    plan, record = plan_of(folder, *SETTINGS), store_of(folder).record()
    candidates: dict[Any, list[np.ndarray]] = {name: kept(folder, f"baseline-{name}") for name in record.baselines}
    candidates |= {trial.number: kept(folder, f"trial-{trial.number:05d}") for trial in record.complete}
    weights, score = greedy(candidates, truth_of(plan))
    assert record.blend is not None
    assert len(weights) > 1
    assert members_of(record) == pytest.approx(weights)
    assert record.blend.folds == pytest.approx(score, rel=1e-6)
    assert record.blend.folds < record.complete[0].value * (1 + 1e-6)  # type: ignore[operator]


def test_the_holdout_score_is_that_of_networks_trained_with_the_library(folder: Path) -> None:
    from lstmgru.evaluation.forecast_baselines import fit_baseline, forecaster
    from lstmgru.training.fit_forecasts import fit, predict

    plan: Any = plan_of(folder, *SETTINGS)
    store = store_of(folder)
    record, panel = store.record(), plan.whole_data().panel
    cutoffs = np.arange(180, 198)
    truth = panel.values[cutoffs[:, None] + np.arange(3), 0]

    def of_baseline(name: str) -> np.ndarray:
        fitted = fit_baseline(name, panel, plan.splits.holdout, plan.forecast, 7)
        return forecaster(panel, fitted)(cutoffs)[..., 0].astype(np.float64)

    def forecast(number: int | str) -> np.ndarray:
        if isinstance(number, str):
            return of_baseline(number)
        trial = store.trial(number)
        model, settings = plan.space.suggest(FixedTrial(trial.params))
        train = plan.train_spec(settings, seed=trial.user_attrs["seed"])
        epochs = refit_epochs(trial.user_attrs["result"]["best_epochs"])
        spec = type(train)(**{**train.to_dict(), "max_epochs": epochs})
        fitted = fit(panel, plan.splits.holdout, model, spec, plan.forecast)
        return predict(fitted.network, fitted.scaler, panel, cutoffs, plan.forecast)[..., 0, 0].astype(np.float64)

    epochs = [refit_epochs(store.trial(trial.number).user_attrs["result"]["best_epochs"]) for trial in record.complete]
    assert min(epochs) < 4
    for name, baseline in record.baselines.items():
        assert baseline.holdout == pytest.approx(float(np.abs(of_baseline(name) - truth).mean()), rel=1e-6)
    blend = sum(weight * forecast(number) for number, weight in members_of(record).items())
    assert record.holdout is not None
    assert record.holdout.score == pytest.approx(float(np.abs(blend - truth).mean()), rel=1e-6)
    assert record.blend is not None
    assert record.blend.holdout == record.holdout.score
    single = record.blend.single
    assert single is not None
    assert (single.trial, single.folds) == (record.complete[0].number, record.complete[0].value)
    assert single.holdout == pytest.approx(float(np.abs(forecast(single.trial) - truth).mean()), rel=1e-6)


def test_the_verdict_names_the_blend_also_if_the_best_baseline_is_a_member(folder: Path) -> None:
    record = store_of(folder).record()
    scores = {name: baseline.holdout for name, baseline in record.baselines.items() if baseline.holdout is not None}
    best = min(scores, key=scores.__getitem__)
    assert best in members_of(record)
    assert record.holdout is not None
    assert "blend" in record.holdout.verdict
    assert f"({best.replace('_', ' ')})" in record.holdout.verdict
    decimals = decimals_of([record.holdout.score])
    numbers = f"MAE of sales {fixed(record.holdout.score, decimals)} against {fixed(scores[best], decimals)}"
    assert numbers in record.holdout.verdict


def test_the_bundle_forecasts_what_was_scored(folder: Path) -> None:
    bundle, record, table = load_bundle(StudyPaths(folder, "tiny").bundle), store_of(folder).record(), shop_table()
    errors = []
    for cutoff in range(180, 198):
        forecast = bundle.predict(table.iloc[:cutoff])["forecast"].to_numpy()
        errors.append(np.abs(forecast - table["sales"].to_numpy()[cutoff : cutoff + 3]).mean())
    assert record.holdout is not None
    assert np.mean(errors) == pytest.approx(record.holdout.score, rel=1e-4)
    found = {member.trial if member.kind == "network" else member.kind: member for member in bundle.members}
    assert {name: member.weight for name, member in found.items()} == pytest.approx(members_of(record))
    scores: dict[Any, Any] = {trial.number: trial.value for trial in record.trials}
    scores |= {name: baseline.folds for name, baseline in record.baselines.items()}
    assert {name: member.score for name, member in found.items()} == {name: scores[name] for name in found}


def test_intervals_are_calibrated_on_the_folds_of_the_blend_and_not_on_the_holdout(folder: Path) -> None:
    """The offsets are ranks of the absolute errors of the blended forecasts of both folds."""
    plan, record = plan_of(folder, *SETTINGS), store_of(folder).record()
    weights = members_of(record)
    blended = [sum(weight * kept(folder, file_of(each))[fold] for each, weight in weights.items()) for fold in (0, 1)]
    pairs = zip(blended, truth_of(plan), strict=True)
    errors = np.concatenate([np.abs(found - actual) for found, actual in pairs])
    bundle: Any = load_bundle(StudyPaths(folder, "tiny").bundle)
    calibration = bundle.calibration
    assert calibration.n_windows == len(errors) == 36
    for level, offsets in zip(calibration.levels, calibration.offsets, strict=True):
        rank = int(np.ceil((len(errors) + 1) * level - 1e-9))
        np.testing.assert_allclose(offsets, np.sort(errors, axis=0)[rank - 1], rtol=1e-5)
    signs = np.sign(np.concatenate([actual - found for found, actual in zip(blended, truth_of(plan), strict=True)]))
    assert np.array_equal(np.sign(bundle.normal_scores), signs)
    np.testing.assert_array_equal(np.argsort(np.abs(bundle.normal_scores), axis=0), np.argsort(errors, axis=0))


def test_a_finished_study_selects_the_same_blend_again_and_exports_nothing(folder: Path) -> None:
    before = store_of(folder).record()
    assert finish(folder, *SETTINGS, *BEFORE).record() == before


def copy_of(folder: Path, to: Path) -> StudyStore:
    shutil.copytree(folder, to, dirs_exist_ok=True)
    return store_of(to)


def test_an_earlier_blend_is_kept_where_another_one_is_not_clearly_better(folder: Path, tmp_path: Path) -> None:
    store = copy_of(folder, tmp_path)
    blend = store.get("blend")
    more, less = blend["members"][:2]
    more["weight"] += 1e-4
    less["weight"] -= 1e-4
    store.set("blend", blend)
    plan = plan_of(tmp_path, *SETTINGS)
    with in_process() as executor:
        job = SingleJob(executor, Notes(), lambda: False)
        predictions = Predictions(StudyPaths(tmp_path, "tiny").predictions, store.get("uid"))
        found = BlendSelection(plan, store, predictions, job, Notes()).choose()
    assert found is not None
    assert found.weights == members_of(store.record())


def test_every_network_of_a_blend_is_trained_again_as_its_own_trial_and_scored_before_the_holdout(
    folder: Path, tmp_path: Path
) -> None:
    store, paths = copy_of(folder, tmp_path), StudyPaths(tmp_path, "tiny")
    single = store.record().blend.single  # type: ignore[union-attr]
    for path in paths.predictions.glob("baseline-*"):
        path.unlink()  # so that the blend is one of networks
    store.set("blend", {**store.get("blend"), "members": []})
    record = finish(tmp_path, *SETTINGS).record()
    trials = {trial.number: kept(tmp_path, f"trial-{trial.number:05d}") for trial in record.complete}
    bundle: Any = load_bundle(paths.bundle)
    weights, _ = greedy(trials, truth_of(plan_of(tmp_path, *SETTINGS)))
    assert {member.trial: member.weight for member in bundle.networks} == pytest.approx(weights)
    assert len(weights) > 1
    for member in bundle.networks:
        trial = store.trial(member.trial)
        epochs = round(float(np.median(trial.user_attrs["result"]["best_epochs"])))
        assert (member.train_spec.max_epochs, member.train_spec.seed) == (epochs, trial.user_attrs["seed"])
        assert member.model_spec.branches[0][0].hidden_size == trial.params["hidden_size_1"]
        assert member.score == pytest.approx(trial.value)
    assert record.blend is not None
    assert record.blend.single == single
    assert bundle.provenance["trained_on"] == "everything"


@pytest.mark.parametrize("timeout", [1.0, None])
def test_a_network_that_the_time_or_failures_left_of_a_blend_does_not_replace_a_better_blend(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    refits = itertools.count()

    def refit_first(*arguments: Any) -> Any:
        if timeout is None and next(refits) > 0:
            raise ValueError("bad")
        return refit_network(*arguments)

    monkeypatch.setattr("search.run.member_refits.refit_network", refit_first)
    store, notes = copy_of(folder, tmp_path), Notes()
    paths, before = StudyPaths(tmp_path, "tiny"), store.record()
    description = (paths.bundle / "bundle.json").read_bytes()
    for path in paths.predictions.glob("baseline-*"):
        path.unlink()  # so that the new blend is one of networks
    store.set("blend", {**store.get("blend"), "members": []})
    finish(tmp_path, *SETTINGS, *BEFORE, notes=notes, timeout=timeout)
    assert notes.notes[-1] == (
        "the model that is exported already is kept: what is left of the new blend is worse on the folds"
    )
    assert (paths.bundle / "bundle.json").read_bytes() == description
    assert store_of(tmp_path).record().holdout == before.holdout


@pytest.mark.parametrize("epochs", [1, 2])
def test_where_the_networks_are_cut_short_the_best_of_what_is_left_is_exported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    """A blend of baselines that is selected anew, or a network whose curve was better after so many epochs."""
    monkeypatch.setattr(Deadline, "on_epoch", lambda self, result: vars(self).update(trained=result.epoch))
    monkeypatch.setattr(Deadline, "should_stop", lambda self: vars(self).get("trained", 0) >= epochs)
    store, notes = copy_of(folder, tmp_path), Notes()
    paths, before = StudyPaths(tmp_path, "tiny"), store.record()
    for path in paths.predictions.glob("baseline-*"):
        if path.stem != "baseline-naive":
            path.unlink()  # so that networks are selected
    shutil.rmtree(paths.bundle)
    found = finish(tmp_path, *SETTINGS, *BEFORE, notes=notes).record()

    outputs = {trial.number: kept(folder, file_of(trial.number)) for trial in before.complete}
    outputs["naive"] = kept(folder, "baseline-naive")
    truth = truth_of(plan_of(tmp_path, *SETTINGS))
    selected = [each for each in greedy(outputs, truth)[0] if isinstance(each, int)]
    trained = {*selected, before.complete[0].number}
    needed = {each: refit_epochs(store.trial(each).user_attrs["result"]["best_epochs"]) for each in trained}
    scores = {each: curve_of(before, each)[epochs - 1] for each in trained}
    assert all(count > epochs for count in needed.values())  # each of them is cut short
    scores["naive"] = greedy({"naive": outputs["naive"]}, truth)[1]
    assert found.blend is not None
    assert members_of(found) == {min(scores, key=scores.__getitem__): 1.0}
    assert any("left out of the blend, as the time was too short" in note for note in notes.notes)


def test_where_no_member_can_be_trained_again_the_best_blend_of_the_rest_is_exported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only member is a slow baseline, for which the time is too short; a longer run exports it."""
    store, notes, paths = copy_of(folder, tmp_path), Notes(), StudyPaths(tmp_path, "tiny")
    shutil.rmtree(paths.bundle)
    perfect = tuple(each.astype(np.float32) for each in truth_of(plan_of(tmp_path, *SETTINGS)))
    Predictions(paths.predictions, store.get("uid")).write("theta", perfect)
    scores = {name: {"folds": each["folds"]} for name, each in store.get("baselines").items()}
    store.set("baselines", scores | {"theta": {"folds": 0.0}})
    monkeypatch.setattr("search.run.finalize.baseline_seconds", lambda timeout: 0.0 if timeout == 300.0 else 60.0)

    left = finish(tmp_path, *SETTINGS, *BEFORE, notes=notes, timeout=300.0).record()
    assert left.blend is not None
    assert "theta" not in members_of(left)
    assert left.blend.folds is not None
    assert left.blend.folds <= left.blend.single.folds  # type: ignore[union-attr]
    late = "theta is left out of the blend, as the time was too short to train it again; rerun with a longer --timeout"
    assert late in notes.notes
    assert len(load_bundle(paths.bundle).predict(shop_table())) == 3

    longer = finish(tmp_path, *SETTINGS, *BEFORE, timeout=600.0).record()
    assert members_of(longer) == {"theta": 1.0}


def test_the_best_baseline_of_the_folds_is_scored_on_the_holdout_however_little_time_is_left(
    folder: Path, tmp_path: Path
) -> None:
    """The verdict is about it; the others are named."""
    store, notes = copy_of(folder, tmp_path), Notes()
    shutil.rmtree(StudyPaths(tmp_path, "tiny").bundle)
    scores = {name: {"folds": each["folds"]} for name, each in store.get("baselines").items()}
    store.set("baselines", scores | {"theta": {"folds": 0.001}, "ets": {"folds": 1e6}})
    found = finish(tmp_path, *SETTINGS, *BEFORE, notes=notes, timeout=1.0).record()

    assert found.baselines["theta"].holdout is not None
    assert found.baselines["ets"].holdout is None
    assert (
        "trees and ets are not scored on the holdout, as the time was too short; rerun with a longer --timeout"
        in notes.notes
    )
    assert found.holdout is not None
    assert "The comparison lacks" not in found.holdout.verdict


def test_a_best_baseline_that_the_time_is_too_short_for_is_scored_by_a_run_with_a_longer_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = copy_of(folder, tmp_path).get("baselines")
    shutil.rmtree(StudyPaths(tmp_path, "tiny").bundle)
    scores = {name: {"folds": each["folds"]} for name, each in found.items()}
    store_of(tmp_path).set("baselines", scores | {"theta": {"folds": 0.001}})
    monkeypatch.setattr("search.run.finalize.baseline_seconds", lambda timeout: 0.0 if timeout == 300.0 else 60.0)
    notes, looks = Notes(), []
    for timeout in (300.0, 300.0, 600.0, 900.0):
        record = finish(tmp_path, *SETTINGS, *BEFORE, "search.blend=off", notes=notes, timeout=timeout).record()
        assert record.holdout is not None
        looks.append(record.holdout.looks)
        late = "which could not be scored on the holdout; rerun with a longer --timeout. " in record.holdout.verdict
        assert late == (timeout == 300.0)
        assert (record.baselines["theta"].holdout is None) == late
    assert looks[1:] == [looks[0], looks[0] + 1, looks[0] + 1]


def curve_of(record: Any, number: int) -> list[float]:
    """Mean score over both folds after each epoch; every fold has all of them."""
    [trial] = [trial for trial in record.trials if trial.number == number]
    scores = [[row.value for row in trial.curve if row.fold == fold] for fold in {row.fold for row in trial.curve}]
    return [float(np.mean(each)) for each in zip(*scores, strict=True)]


@pytest.mark.slow
def test_more_trials_keep_or_improve_the_score_of_the_folds(tmp_path: Path) -> None:
    scores = []
    for trials in (2, 3, 5, 8, 12):
        blend = finish(tmp_path, *SETTINGS, f"search.trials={trials}").record().blend
        assert blend is not None
        scores.append(blend.folds)
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in itertools.pairwise(scores))  # type: ignore[operator]


@pytest.mark.slow
def test_a_blend_of_one_trial_is_what_no_blend_exports(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("alone", "off")}
    for name, setting in {"alone": "search.blend={members: 1}", "off": "search.blend=off"}.items():
        folders[name].mkdir()
        drive(folders[name], *SETTINGS)
        for path in StudyPaths(folders[name], "tiny").predictions.glob("baseline-*"):
            path.unlink()
        finish(folders[name], *SETTINGS, *BEFORE, setting)
    alone, off = (store_of(folder).record() for folder in folders.values())
    assert off.blend is None
    assert alone.blend is not None
    assert members_of(alone) == {alone.complete[0].number: 1.0}
    assert alone.holdout == off.holdout
    bundles: list[Any] = [load_bundle(StudyPaths(folder, "tiny").bundle) for folder in folders.values()]
    states = [bundle.networks[0].network.state_dict() for bundle in bundles]
    assert {name: value.tolist() for name, value in states[0].items()} == {
        name: value.tolist() for name, value in states[1].items()
    }
    assert bundles[0].calibration.to_dict() == bundles[1].calibration.to_dict()
    assert bundles[0].normal_scores is not None
    np.testing.assert_allclose(bundles[0].normal_scores, bundles[1].normal_scores, rtol=1e-5)


@pytest.mark.slow
def test_a_study_without_files_of_predictions_exports_its_best_trial_and_says_so_once(tmp_path: Path) -> None:
    record = drive(tmp_path, *SETTINGS, "search.trials=3").record()
    folder = StudyPaths(tmp_path, "tiny").predictions
    for path in folder.glob("baseline-*"):
        path.unlink()
    best = record.complete[0].number
    (folder / f"trial-{best:05d}.npz").write_bytes(b"torn")
    notes = Notes()
    finished = finish(tmp_path, *SETTINGS, "search.trials=3", "search.blend={members: 1}", notes=notes).record()
    assert finished.blend is not None
    assert members_of(finished) == {best: 1.0}  # no other trial is better
    assert len([note for note in notes.notes if note.startswith("no blend can hold naive, ")]) == 1
    assert any(f"trial {best}, whose predictions for the folds were not kept" in note for note in notes.notes)


def test_without_time_the_quick_baselines_are_scored_and_exported(tmp_path: Path) -> None:
    """There is always a result: here the time is up before the search begins."""
    notes = Notes()
    record = finish(tmp_path, *SETTINGS, notes=notes, searched=1.0, timeout=1.0).record()
    assert record.trials == ()
    assert {name for name, baseline in record.baselines.items() if baseline.holdout is not None} == {
        "naive", "seasonal_naive", "linear",
    }  # fmt: skip
    assert record.blend is not None
    assert all(member.baseline is not None for member in record.blend.members)
    assert record.holdout is not None
    assert record.holdout.verdict.startswith("No network completed, so ")
    assert notes.notes[0] == "no trial ended within the budget; rerun with a longer --timeout"
    assert len(load_bundle(StudyPaths(tmp_path, "tiny").bundle).predict(shop_table())) == 3
    longer = finish(tmp_path, *SETTINGS).record()
    assert longer.blend is not None
    assert longer.blend.single is not None
    assert longer.blend.folds <= record.blend.folds  # type: ignore[operator]


def test_without_time_baselines_are_exported_of_several_objectives_too(tmp_path: Path) -> None:
    several = ("search.objectives=[score, latency]", "search.prefer={score: 0.5, latency: 0.5}")
    record = finish(tmp_path, *SETTINGS, *several, searched=1.0, timeout=1.0).record()
    assert record.trials == ()
    assert record.blend is not None
    assert set(record.weights) <= set(record.baselines)
    assert record.holdout is not None
    assert record.holdout.verdict.startswith("No network completed, so ")
    assert len(load_bundle(StudyPaths(tmp_path, "tiny").bundle).predict(shop_table())) == 3
    longer = finish(tmp_path, *SETTINGS, *several).record()
    assert longer.blend is None
    assert longer.weights == {longer.best.number: 1.0}  # type: ignore[union-attr]

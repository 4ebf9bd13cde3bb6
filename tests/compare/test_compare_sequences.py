"""A comparison of families on labels: the same story as with forecasts, with the tests and words of labels."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparisons import JobContext, suggested
from helpers.drivers import Notes, drive, plan_of
from helpers.sequence_studies import NOTES, SUMS, WAVES, write_label_study
from helpers.studies import search
from optuna.trial import FixedTrial
from sklearn import metrics as reference

from lstmgru.data.sequences.word_vectors import WordVectors
from lstmgru.errors import DataError
from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.evaluation.significance import paired_bootstrap
from lstmgru.specs import LabelSpec, SequenceModelSpec, parse_branches
from lstmgru.training.fit_sequences import predict_sequences
from search.api import load_plan
from search.compare.costs import measure
from search.compare.families import family_of, family_plan, study_families
from search.compare.search import Rounds
from search.compare.seeds import Retraining
from search.compare.significance import differences, standing
from search.compare.store import ORIGIN, ComparisonStore, open_comparison
from search.compare.summary import best_trials, summarize
from search.errors import StudyFileError
from search.executors.in_process import InProcessExecutor
from search.run.trial import run_trial, warm_up
from search.space.space import Settings
from search.study.journal import open_storage
from search.study.paths import StudyPaths
from search.study.store import StudyStore
from search.tasks.plan import Plan
from search.tasks.retrain import Candidate, retrain
from search.tasks.sequences.compare import (
    ComparedSequences,
    SequenceSeed,
    case_lengths,
    drawn_scores,
    length_groups,
)
from search.tasks.sequences.plan import SequencePlan
from search.tasks.sequences.presets import LABEL_PRESETS

STUDIES = {"waves": WAVES, "notes": NOTES, "sums": SUMS}
TWO = (
    WAVES.replace("max_epochs: 12", "max_epochs: 2").replace("preset: small", "preset: small\n  cell: [lstm, gru]")
    + "tracking: {enabled: false}\ncompare: {families: {lstm: {cell: lstm}, gru: {cell: gru}}}\n"
)
"""Two families whose trials take a tenth of a second."""


def label_plan_of(folder: Path, text: str = WAVES, *overrides: str) -> SequencePlan:
    write_label_study(folder, text)
    plan = plan_of(folder, *overrides, text=text)
    assert isinstance(plan, SequencePlan)
    return plan


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SequencePlan]:
    return {name: label_plan_of(tmp_path_factory.mktemp(name), text) for name, text in STUDIES.items()}


def candidate_of(plan: SequencePlan, refit: str = "all", epochs: int = 3, **spec: Any) -> Candidate:
    """A small network for the study, trained for a few epochs."""
    usual: dict[str, Any] = {"max_length": 14, "pooling": "max"}
    if plan.sequences.is_text:
        usual |= {"tokens": "word", "embedding_size": 4, "normalization": "none"}
    model = SequenceModelSpec(parse_branches("gru(6)"), **(usual | spec))
    loss = "cross_entropy" if plan.labels.classes else "mse"
    settings = Settings(0.02, 8, 0.0, "adamw", "constant", loss)
    train = replace(plan.train_spec(settings, seed=0), max_epochs=epochs)
    return replace(Candidate.of_plan(plan, model, train), refit=refit)


def result_of(candidate: Candidate, seed: int = 5) -> SequenceSeed:
    result = retrain(candidate, seed, JobContext())
    assert isinstance(result, SequenceSeed)
    return result


# --- families ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", LABEL_PRESETS["texts"])
@pytest.mark.parametrize("study", STUDIES)
def test_every_family_can_be_expressed_in_every_preset(study: str, preset: str, tmp_path: Path) -> None:

    text = STUDIES[study].replace("  preset: small", f"  preset: {preset}")
    families = study_families(label_plan_of(tmp_path, text))

    assert [family.name for family in families] == ["lstm", "gru", "stacked", "parallel", "fused"]
    for family in families:
        for model, parameters in suggested(family, 10):
            assert family_of(model, families) is family
            assert family.space.suggest(FixedTrial(parameters))[0] == model


def test_a_key_that_the_data_do_not_have_is_an_error_of_its_family_alone(tmp_path: Path) -> None:
    path = write_label_study(tmp_path, WAVES + "compare: {families: {a: {tokens: word}, b: {hidden_size: 8}}}\n")

    with pytest.raises(StudyFileError, match=r"compare.families.a.tokens is for texts") as caught:
        load_plan(path)

    assert len(caught.value.problems) == 1


# --- training again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("study", STUDIES)
def test_a_seed_scores_on_the_folds_what_a_trial_with_it_scores(study: str, plans: dict[str, SequencePlan]) -> None:
    plan = plans[study]
    candidate = candidate_of(plan)

    result = result_of(candidate)

    trial = run_trial(plan.task, plan.search_data(), candidate.model, replace(candidate.train, seed=5), JobContext())
    assert (result.fold_scores, result.best_epochs) == (trial.fold_scores, trial.best_epochs)


@pytest.mark.parametrize("study", STUDIES)
def test_the_holdout_is_scored_as_the_end_of_a_study_scores_it(study: str, plans: dict[str, SequencePlan]) -> None:
    plan = plans[study]
    candidate = candidate_of(plan, refit="last_fold")

    result = result_of(candidate)

    fitted = plan.task.fit(candidate.data, candidate.data.folds[-1], candidate.model, replace(candidate.train, seed=5))
    outputs = predict_sequences(fitted.network, fitted.encoding, plan.sequences, plan.holdout.evaluation, plan.labels)
    evaluation = SequenceEvaluation.of(plan.sequences, plan.holdout.evaluation, plan.labels)
    assert result.holdout == evaluation.score(plan.labels.metric, outputs)
    assert result.drawn == drawn_scores(evaluation, outputs)
    assert len(result.drawn) == (0 if study == "notes" else 1000)  # three groups of authors are too few
    if plan.labels.classes:
        predicted = outputs.argmax(axis=1)
        codes = range(len(plan.labels.classes))
        for found, score in ((result.recall, reference.recall_score), (result.f1, reference.f1_score)):
            assert found == pytest.approx(score(evaluation.labels, predicted, labels=codes, average=None))
    else:
        assert (result.recall, result.f1) == ((), ())


def test_a_result_is_kept_as_json(plans: dict[str, SequencePlan]) -> None:
    result = result_of(candidate_of(plans["waves"]))

    assert plans["waves"].task.seed_result.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_the_last_fold_is_not_trained_twice(plans: dict[str, SequencePlan]) -> None:
    result = result_of(candidate_of(plans["sums"], refit="last_fold"))
    whole = result_of(candidate_of(plans["sums"]))

    assert result.fold_scores == whole.fold_scores
    assert result.holdout != whole.holdout


@pytest.mark.parametrize("questions", [0, 4, 9])
def test_a_stop_gives_no_result(plans: dict[str, SequencePlan], questions: int) -> None:
    assert retrain(candidate_of(plans["waves"]), 5, JobContext(questions)) is None


def test_what_happens_in_the_holdout_changes_no_score_of_a_fold(plans: dict[str, SequencePlan]) -> None:
    candidate = candidate_of(plans["sums"])
    sequences = candidate.data.sequences
    labels = sequences.labels.copy()
    labels[candidate.holdout.evaluation] += 100
    changed = replace(candidate, data=replace(candidate.data, sequences=replace(sequences, labels=labels)))

    before, after = result_of(candidate), result_of(changed)

    assert before.fold_scores == after.fold_scores
    assert before.holdout != after.holdout


def test_a_metric_without_a_value_on_the_holdout_is_an_error(plans: dict[str, SequencePlan]) -> None:
    candidate = candidate_of(plans["waves"], epochs=1)
    data = replace(candidate.data, labels=LabelSpec("classification", "auroc", ("fast", "flat", "slow")))
    same = candidate.holdout.evaluation[data.sequences.labels[candidate.holdout.evaluation] == 0]
    alone = replace(candidate, data=data, holdout=replace(candidate.holdout, evaluation=same))

    with pytest.raises(DataError, match=r"auroc has no value where all \d+ labels that are scored are the same"):
        retrain(alone, 5, JobContext())


# --- costs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("study", STUDIES)
def test_costs_of_every_kind_of_data_are_measured(study: str, plans: dict[str, SequencePlan]) -> None:
    costs = measure(candidate_of(plans[study]), JobContext())

    assert 0 < costs.latency < costs.batch_latency
    assert costs.memory is None or costs.memory >= 0


def test_what_warms_a_process_up_is_the_smallest_network_of_the_architecture(plans: dict[str, SequencePlan]) -> None:
    candidate = candidate_of(plans["notes"])
    vectors = WordVectors(("walk",), np.ones((1, 4), np.float32))
    narrow = replace(candidate, data=replace(candidate.data, vectors=vectors)).smallest()

    assert narrow.model.architecture == "word(1) > gru(1) > max"
    assert narrow.data.vectors is None  # they are of another size


# --- differences ------------------------------------------------------------------------------------------------------

CLASSES = LabelSpec("classification", "macro_f1", ("a", "b", "c"))


def outputs_of(labels: np.ndarray, right: float, seed: int) -> np.ndarray:
    """(k, 3) probabilities, the largest one of the right class in that share of the cases."""
    generator = np.random.default_rng(seed)
    chosen = np.where(generator.random(len(labels)) < right, labels, generator.integers(3, size=len(labels)))
    outputs = generator.random((len(labels), 3))
    outputs[np.arange(len(labels)), chosen] += 1
    return (outputs / outputs.sum(axis=1, keepdims=True)).astype(np.float32)


def seed_of(evaluation: SequenceEvaluation, outputs: np.ndarray) -> SequenceSeed:
    score = evaluation.score(evaluation.task.metric, outputs)
    return SequenceSeed(0, (score,), (1,), 0.1, 0.1, score, drawn_scores(evaluation, outputs), (), (), ())


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "auroc"])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_difference_of_single_seeds_is_that_of_two_methods(
    metric: Any, grouped: bool, plans: dict[str, SequencePlan]
) -> None:
    labels = np.random.default_rng(0).integers(3, size=90)
    groups = np.arange(90) // 6 if grouped else None
    evaluation = SequenceEvaluation(labels, replace(CLASSES, metric=metric), groups)
    good, bad = outputs_of(labels, 0.8, 1), outputs_of(labels, 0.5, 2)

    found = ComparedSequences(plans["waves"]).interval([seed_of(evaluation, good)], [seed_of(evaluation, bad)])

    expected = evaluation.difference(metric, good, bad)  # of errors
    sign = -1 if metric != "log_loss" else 1
    assert found.mean == pytest.approx(sign * expected.mean)
    assert sorted((sign * found.low, sign * found.high)) == pytest.approx([expected.low, expected.high])
    assert found.p_value == expected.p_value


def test_scores_are_averaged_over_the_seeds_draw_by_draw(plans: dict[str, SequencePlan]) -> None:
    """Accuracy is a mean over the cases, so that of several seeds is the accuracy of cases that are right in part."""
    labels = np.random.default_rng(0).integers(3, size=60)
    evaluation = SequenceEvaluation(labels, replace(CLASSES, metric="accuracy"))
    ours = [outputs_of(labels, 0.7, seed) for seed in (1, 2, 3)]
    theirs = [outputs_of(labels, 0.5, seed) for seed in (4, 5)]

    found = ComparedSequences(plans["waves"]).interval(
        [seed_of(evaluation, each) for each in ours], [seed_of(evaluation, each) for each in theirs]
    )

    right = [np.mean([each.argmax(axis=1) == labels for each in group], axis=0) for group in (ours, theirs)]
    expected = paired_bootstrap(lambda rows: float((right[0] - right[1])[rows].mean()), np.arange(60))
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high))
    assert found.p_value == pytest.approx(expected.p_value)


def test_too_few_groups_allow_no_claim(plans: dict[str, SequencePlan]) -> None:
    labels = np.random.default_rng(0).integers(3, size=60)
    evaluation = SequenceEvaluation(labels, CLASSES, groups=np.arange(60) // 20)
    results = {
        name: [seed_of(evaluation, outputs_of(labels, right, seed)) for seed in (1, 2)]
        for name, right in (("gru", 0.9), ("lstm", 0.4))
    }

    found = differences(results, "gru", ComparedSequences(plans["waves"]).interval)["lstm"]

    assert (found.low, found.high, found.p_value) == (None, None, 1.0)
    assert found.mean == pytest.approx(results["lstm"][0].holdout - results["gru"][0].holdout, abs=0.2)
    assert standing(found, larger_is_better=True) == "unknown"


# --- lengths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "groups"),
    [
        ([5, 5, 5], []),
        ([3, 9], [[0], [1]]),
        ([4, 8, 6], [[0], [2], [1]]),
        ([1, 2, 3, 4, 5, 6], [[0, 1], [2, 3], [4, 5]]),
        ([7, 7, 7, 7, 7, 9], [[0, 1, 2, 3, 4], [5]]),
        ([1, 7, 7, 7, 7, 7], [[0], [1, 2, 3, 4, 5]]),
        ([1, 1, 1, 2, 2, 2, 2, 3, 3, 3], [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]),
        ([1, 2, 3, 4, 4, 4, 4, 4, 4], [[0, 1, 2], [3, 4, 5, 6, 7, 8]]),
    ],
)
def test_cases_are_short_middle_or_long(lengths: list[int], groups: list[list[int]]) -> None:
    assert [group.tolist() for group in length_groups(np.array(lengths))] == groups


def test_steps_are_counted_and_of_texts_characters(plans: dict[str, SequencePlan]) -> None:
    waves, notes = plans["waves"].sequences, plans["notes"].sequences
    numbers = np.array([3, 0])

    assert case_lengths(waves, numbers).tolist() == waves.lengths[[3, 0]].tolist()
    assert case_lengths(notes, numbers).tolist() == [len(notes.texts[3]), len(notes.texts[0])]


def test_the_scores_by_length_and_by_class_fit_that_of_the_holdout(plans: dict[str, SequencePlan]) -> None:
    plan = plans["waves"]
    seeds = [result_of(candidate_of(plan), seed) for seed in (5, 6)]

    found = ComparedSequences(plan).findings(seeds)

    mean = np.mean([each.holdout for each in seeds])
    lengths, classes = found["lengths"], found["classes"]
    assert np.average([each.score for each in lengths], weights=[each.cases for each in lengths]) == pytest.approx(mean)
    assert np.average([each.recall for each in classes], weights=[each.support for each in classes]) == pytest.approx(
        mean
    )
    assert [each.name for each in classes] == ["fast", "flat", "slow"]
    assert [each.f1 for each in classes] == pytest.approx(np.mean([each.f1 for each in seeds], axis=0))
    assert all(one.longest < other.shortest for one, other in pairwise(lengths))


def test_where_a_part_has_no_score_it_is_left_out(plans: dict[str, SequencePlan]) -> None:
    plan = plans["waves"]
    seed = result_of(candidate_of(plan, epochs=1))
    without = replace(seed, by_length=(math.nan, *seed.by_length[1:]))

    lengths = ComparedSequences(plan).findings([seed, without])["lengths"]

    assert len(lengths) == len(seed.by_length) - 1


def test_sequences_of_one_length_and_numbers_have_no_parts(plans: dict[str, SequencePlan]) -> None:
    plan = plans["sums"]

    assert ComparedSequences(plan).findings([result_of(candidate_of(plan, epochs=1))]) == {"classes": (), "lengths": ()}


# --- the whole --------------------------------------------------------------------------------------------------------


def opened(folder: Path, text: str = TWO, notes: Notes | None = None) -> tuple[Plan, ComparisonStore]:
    plan = label_plan_of(folder, text)
    plans = {family: family_plan(plan, family) for family in study_families(plan)}
    path = StudyPaths(folder, plan.name).comparison_journal
    path.parent.mkdir(exist_ok=True)
    journal = StudyPaths(folder, plan.name).journal
    study = StudyStore.load(open_storage(journal), plan.name) if journal.exists() else None
    return plan, open_comparison(plan, plans, study, path, notes or Notes())


def compared(folder: Path, trials: int, seeds: int, text: str = TWO) -> tuple[Plan, ComparisonStore]:
    """The comparison after its trials and seeds, in this process."""
    plan, store = opened(folder, text)
    common: dict[str, Any] = {"time_left": lambda: math.inf, "note_time": lambda: None, "listener": Notes()}
    with InProcessExecutor(lambda: warm_up({}, {})) as executor:
        Rounds(store.families, executor, limit=trials, **common).run()
        Retraining(plan, best_trials(store), executor, seeds=seeds, **common).run()
    return plan, store


def test_the_best_of_a_family_and_of_all_is_that_with_the_largest_accuracy(tmp_path: Path) -> None:
    plan, store = compared(tmp_path, 3, 2)

    assert {each.store.direction for each in store.families} == {store.whole.direction} == {"maximize"}
    records = store.records()
    assert {name: len(trials) for name, trials in records.items()} == {"lstm": 3, "gru": 3}
    for each, trial in best_trials(store).items():
        assert trial.value == max(record.value or 0.0 for record in records[each.name])
    comparison = summarize(plan, store, seeds=2, seconds=1.0)
    assert (comparison.task, comparison.metric, comparison.direction) == ("classification", "accuracy", "maximize")
    assert (comparison.cases, comparison.horizon) == ("sequences", None)
    means = [family.folds.mean for family in comparison.families if family.folds]
    assert means == sorted(means, reverse=True)
    assert comparison.best == comparison.families[0].name
    first, second = comparison.families
    assert second.difference is not None
    assert first.holdout is not None
    assert second.holdout is not None
    assert second.difference.mean == pytest.approx(second.holdout.mean - first.holdout.mean)
    assert [each.name for each in second.classes] == ["fast", "flat", "slow"]
    assert len(second.lengths) > 1
    assert (second.steps, second.contexts) == ((), ())
    assert json.loads(json.dumps(comparison.to_json(), allow_nan=False))


def test_a_family_that_learns_nothing_is_worse(tmp_path: Path) -> None:
    families = "{able: {cell: gru}, stuck: {cell: gru, learning_rate: 1.0e-07}}"
    text = WAVES + f"tracking: {{enabled: false}}\ncompare: {{families: {families}}}\n"

    plan, store = compared(tmp_path, 1, 3, text)

    comparison = summarize(plan, store, seeds=3, seconds=1.0)
    assert {family.name: family.standing for family in comparison.families} == {"able": "best", "stuck": "worse"}
    stuck = comparison.families[1]
    assert stuck.difference is not None
    assert stuck.difference.high is not None
    assert stuck.difference.high < 0
    assert comparison.verdict.startswith(
        "able is the best family: its accuracy on the holdout is higher than that of stuck."
    )


def test_trials_of_the_study_count_for_their_family(tmp_path: Path) -> None:
    write_label_study(tmp_path, TWO)
    study = drive(tmp_path, "search.trials=4", text=TWO)
    notes = Notes()

    _, store = opened(tmp_path, notes=notes)

    assert notes.notes == ["4 trials of study 'waves' are reused by their families; 0 belong to no family"]
    by_number = {trial.number: trial for trial in study.record().trials}
    for each in store.families:
        for trial, record in zip(each.ended(), store.records()[each.name], strict=True):
            original = by_number[trial.user_attrs[ORIGIN][1]]
            assert (record.value, record.layers) == (original.value, original.layers)


def test_the_task_of_a_plan_is_known(plans: dict[str, SequencePlan], tmp_path: Path) -> None:
    cases = {name: plan.task.compare(plan).terms.cases for name, plan in plans.items()}

    assert cases == {"waves": "sequences", "notes": "texts", "sums": "sequences"}
    assert plan_of(tmp_path).task.compare(plan_of(tmp_path)).terms.cases == "windows"


@pytest.mark.slow
@pytest.mark.parametrize("study", ["waves", "notes"])
def test_a_study_of_labels_is_compared_by_the_command(study: str, tmp_path: Path) -> None:
    families = "compare: {families: {lstm: {cell: lstm}, gru: {cell: gru}}}\n"
    text = STUDIES[study] + "tracking: {enabled: false}\n" + families
    write_label_study(tmp_path, text)
    command = ("compare", f"{study}.yaml", "--trials", "2", "--seeds", "2", "--json")

    first = search(tmp_path, *command, timeout=240)

    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert found["direction"] == "maximize"
    for family in found["families"]:
        assert family["seeds"] == len(family["holdout"]["by_seed"]) == 2
        assert family["latency"] > 0
        assert {each["name"] for each in family["classes"]} == (
            {"fast", "flat", "slow"} if study == "waves" else {"good", "bad"}
        )
    assert {"majority"} < found["baselines"].keys()
    page = (tmp_path / "studies" / f"{study}.report" / "compare.html").read_text()
    assert "By class" in page
    assert "By length" in page

    second = search(tmp_path, *command, timeout=240)

    assert second.returncode == 0, second.stderr
    assert {**json.loads(second.stdout), "seconds": 0} == {**found, "seconds": 0}
    told = search(tmp_path, *command[:-1], timeout=240)
    assert told.returncode == 0, told.stderr
    assert "larger is better" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80

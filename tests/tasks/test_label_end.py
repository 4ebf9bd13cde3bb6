"""The end of a study of labels on planted outputs: every number is calculated again with numpy alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.comparisons import JobContext
from helpers.final_jobs import exported, final_job
from helpers.running_comparisons import LABEL_STUDIES, label_plan_of

from search.tasks import task_of
from search.tasks.final_job import FinalJob, FinalMember, Refitted
from search.tasks.final_steps import finalize

Array = np.ndarray

LABEL_WEIGHTS = {"nearest_neighbor": 0.6, "first": 0.4}
"""``first`` is the baseline that ignores the sequence."""


def label_job(plan: Any, folder: Path, names: tuple[str, ...], **more: Any) -> FinalJob[Any, Any, Any]:
    """A blend of two baselines whose planted outputs are right in part."""

    def planted(numbers: Array, seed: int) -> Array:
        generator, labels = np.random.default_rng(seed), plan.sequences.labels[numbers]
        if not plan.labels.classes:
            return (labels[:, None] + generator.normal(0, 1, (len(labels), 1))).astype(np.float32)
        shares = generator.random((len(labels), len(plan.labels.classes)))
        shares[np.arange(len(labels)), labels] += 0.3
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)

    weights = dict(zip(names[1::-1], LABEL_WEIGHTS.values(), strict=True))
    return final_job(
        plan,
        folder,
        lambda name: planted(plan.holdout.evaluation, names.index(name)),
        lambda name: tuple(planted(fold.evaluation, 10 + names.index(name)) for fold in plan.splits.folds),
        names,
        weights,
        **more,
    )


def score_of(labels: Array, outputs: Array, metric: str) -> float:
    if metric == "mae":
        return float(np.abs(labels - outputs[:, 0]).mean())
    predicted = outputs.argmax(axis=1)
    if metric == "accuracy":
        return float((predicted == labels).mean())
    hits = [((predicted == code) & (labels == code)).sum() for code in range(outputs.shape[1])]
    sizes = [(predicted == code).sum() + (labels == code).sum() for code in range(outputs.shape[1])]
    return float(np.mean([2 * hit / size if size else 0.0 for hit, size in zip(hits, sizes, strict=True)]))


@pytest.mark.parametrize(
    ("study", "names"),
    [
        ("waves", ("majority", "nearest_neighbor", "ridge")),
        ("notes", ("majority", "tfidf_logistic")),
        ("sums", ("mean", "nearest_neighbor", "ridge")),
    ],
)
def test_the_holdout_of_labels_is_scored_as_by_hand(tmp_path: Path, study: str, names: tuple[str, ...]) -> None:
    plan = label_plan_of(tmp_path, LABEL_STUDIES[study])
    job = label_job(plan, tmp_path, names)
    single = Refitted(b"", 0.1, outputs=job.baselines[names[-1]].outputs)

    found = task_of(plan).score_holdout(replace(job, single=FinalMember(7, 1.0, scored=single)))

    labels, metric = plan.sequences.labels[plan.holdout.evaluation], plan.metric
    blend = 0.6 * job.baselines[names[1]].outputs + 0.4 * job.baselines[names[0]].outputs  # type: ignore[operator]
    sign = 1 if metric == "mae" else -1
    assert found.metrics[metric] == pytest.approx(score_of(labels, blend, metric), rel=1e-5)
    for name, fitted in job.baselines.items():
        score = score_of(labels, np.asarray(fitted.outputs), metric)
        assert found.baselines[name] == pytest.approx(score, rel=1e-5)
        difference = found.difference(name)
        assert difference.mean == pytest.approx(sign * (found.metrics[metric] - score), abs=1e-5)
        assert difference.lacking == ("groups" if study == "notes" else "")  # of three authors
    assert found.single == found.baselines[names[-1]] != found.metrics[metric]
    if plan.labels.classes:
        predicted = blend.argmax(axis=1)
        log_loss = -np.log(np.take_along_axis(blend, labels[:, None], axis=1)).mean()
        assert found.metrics["log_loss"] == pytest.approx(log_loss, rel=1e-5)
        recall = [(predicted[labels == code] == code).mean() for code in range(len(plan.labels.classes))]
        assert [row["recall"] for row in found.details["classes"]] == pytest.approx(recall)


def test_the_verdict_on_labels_is_about_the_baseline_with_the_largest_score(tmp_path: Path) -> None:
    plan, names = label_plan_of(tmp_path, LABEL_STUDIES["waves"]), ("majority", "nearest_neighbor", "ridge")
    job = label_job(plan, tmp_path, names)

    found = finalize(task_of(plan), job, JobContext())

    assert found is not None
    labels = [plan.sequences.labels[fold.evaluation] for fold in plan.splits.folds]
    kept = [0.6 * job.members[0].outputs[fold] + 0.4 * job.members[1].outputs[fold] for fold in range(2)]  # type: ignore[index]
    scores = [score_of(truth, values, "accuracy") for truth, values in zip(labels, kept, strict=True)]
    assert found.folds == pytest.approx(np.mean(scores))
    best = max(found.baselines, key=found.baselines.__getitem__)
    assert f"({best.replace('_', ' ')})" in found.verdict
    assert f"accuracy {found.metrics['accuracy']:.4f} against {found.baselines[best]:.4f}" in found.verdict
    assert not exported(job).integer_ids
    predicted = pd.read_csv(job.report / "predictions.csv")
    assert (predicted["actual"] == predicted["predicted"]).mean() == pytest.approx(found.metrics["accuracy"])


def test_a_bundle_says_whether_names_and_times_of_sequences_are_numbers(tmp_path: Path) -> None:
    plan = label_plan_of(tmp_path, LABEL_STUDIES["waves"])
    numbers = np.array([str(7 * number) for number in range(len(plan.sequences))], object)
    numbered = replace(plan, sequences=replace(plan.sequences, ids=numbers, integer_times=True))
    job = label_job(numbered, tmp_path, ("majority", "nearest_neighbor"))
    assert finalize(task_of(numbered), job, JobContext()) is not None
    bundle = exported(job)
    assert bundle.integer_ids
    assert bundle.integer_times


def test_a_baseline_that_is_exported_is_not_compared_with_itself(tmp_path: Path) -> None:
    plan, names = label_plan_of(tmp_path, LABEL_STUDIES["waves"]), ("majority", "nearest_neighbor")
    job = label_job(plan, tmp_path, names)
    scores = task_of(plan).score_holdout(job).baselines
    (best,) = [replace(each, weight=1.0) for each in job.members if scores[str(each.candidate)] == max(scores.values())]

    found = finalize(task_of(plan), replace(job, members=(best,)), JobContext())

    assert found is not None
    assert found.verdict == (
        f"No network completed, so the baseline {str(best.candidate).replace('_', ' ')} is exported "
        f"(accuracy {max(scores.values()):.4f} on the holdout)."
    )
    assert not found.beats_baselines

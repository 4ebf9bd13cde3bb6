"""The job that selects a blend: which outputs it accepts, bounds, and the earlier blend of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparisons import JobContext
from helpers.drivers import NUMBERS, plan_of
from helpers.running_comparisons import LABEL_STUDIES, label_plan_of

from search.config.objectives import parse_bound
from search.study.blend_records import Candidate
from search.study.out_of_fold import Outputs
from search.tasks.blend import BlendJob, Selected, select_blend


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return plan_of(tmp_path_factory.mktemp("plan"), "splits.folds=2")


def shifted(plan: Any, *by: float) -> Outputs:
    """The true values of each fold, off by so much."""
    evaluations = plan.search_data().kept_evaluations
    return tuple(each.target + np.float32(error) for each, error in zip(evaluations, by, strict=True))


def selected(plan: Any, outputs: dict[Candidate, Outputs], **settings: Any) -> Selected:
    settings = {"costs": {}, "bounds": (), "members": 8, **settings}
    return select_blend(BlendJob(plan.search_data(), outputs, **settings), JobContext())


def weights(found: Selected) -> dict[Candidate, float] | None:
    return None if found.chosen is None else found.chosen.weights


def test_opposite_errors_are_blended(plan: Any) -> None:
    found = selected(plan, {"naive": shifted(plan, 1, 1), 3: shifted(plan, -2, -2), 5: shifted(plan, 9, 9)})
    assert weights(found) == pytest.approx({"naive": 2 / 3, 3: 1 / 3})
    assert found.chosen is not None
    assert found.chosen.score == pytest.approx(0, abs=1e-5)
    assert found.unusable == ()


def test_of_many_outputs_those_of_the_kept_cases_are_kept(plan: Any, tmp_path: Path) -> None:
    for data in (plan.search_data(), label_plan_of(tmp_path).search_data()):
        vars(data)["kept"] = tuple(np.array([1, 4]) for _ in data.folds)  # as of large data
        backtest = data.backtest()
        for fold, split in enumerate(data.folds):
            count = len(data.evaluation(split).target if data.metric == "mae" else split.evaluation)
            numbers = np.arange(count, dtype=np.float32).reshape(-1, *[1] * len(data.output_shape))
            backtest.add(fold, np.broadcast_to(numbers, (count, *data.output_shape)))
        for values in backtest.outputs():
            assert np.array_equal(values, np.broadcast_to(values[..., :1], values.shape))
            assert np.array_equal(values.reshape(2, -1)[:, 0], [1, 4])


def test_outputs_of_other_data_are_named_and_not_used(plan: Any) -> None:
    good = shifted(plan, 1, 1)
    bad: dict[Candidate, Outputs] = {
        1: good[:1],  # one fold
        2: (good[0][:-1], good[1]),  # fewer windows
        3: tuple(values[:, :2] for values in good),  # another horizon
        4: tuple(values[..., None, None] for values in good),  # neither points nor quantiles
    }
    found = selected(plan, {**bad, 0: good})
    assert weights(found) == {0: 1.0}
    assert found.unusable == (1, 2, 3, 4)
    assert selected(plan, bad) == Selected(None, (1, 2, 3, 4))


def test_a_point_stands_for_each_quantile_of_others(plan: Any) -> None:
    quantiles = tuple(np.stack([each - 8, each - 2, each + 8], axis=-1) for each in shifted(plan, 0, 0))
    found = selected(plan, {"naive": shifted(plan, 1, 1), 3: quantiles})
    assert weights(found) == pytest.approx({"naive": 2 / 3, 3: 1 / 3})


@pytest.mark.parametrize(
    ("bound", "members"),
    [
        ("n_parameters <= 500", {0, 1}),
        ("n_parameters <= 400", {0, "naive"}),
        ("n_parameters <= 200", {"naive"}),
        ("latency <= 2ms", {0, "naive"}),
    ],
)
def test_bounds_hold_for_the_sum_of_the_networks(plan: Any, bound: str, members: set[Candidate]) -> None:
    outputs: dict[Candidate, Outputs] = {
        "naive": shifted(plan, 4, 4),
        0: shifted(plan, -0.9, -0.9),
        1: shifted(plan, 1, 1),
    }
    costs = {number: {"n_parameters": 250.0, "latency": 0.0015} for number in (0, 1)}
    found = selected(plan, outputs, costs=costs, bounds=(parse_bound(bound),))
    assert set(weights(found) or {}) == members


@pytest.mark.parametrize(
    ("earlier", "kept"),
    [
        ({0: 0.5, 1: 0.5}, True),  # as good as what is found now
        ({0: 1.0}, False),  # worse
        ({0: 0.5, 9: 0.5}, False),  # a member has no outputs any more
        (None, False),
    ],
)
def test_the_earlier_blend_is_kept_unless_another_is_better(
    plan: Any, earlier: dict[Candidate, float] | None, kept: bool
) -> None:
    outputs: dict[Candidate, Outputs] = {
        0: shifted(plan, 1, 3),  # every blend is off by 3 in the second fold
        1: shifted(plan, -1, 3),
        2: shifted(plan, 0.5, 3),
        3: shifted(plan, -0.5, 3),
    }
    assert weights(selected(plan, outputs, earlier=earlier)) in (
        [earlier] if kept else [{2: 0.5, 3: 0.5}, {3: 0.5, 2: 0.5}]
    )


def test_an_earlier_blend_with_too_many_members_or_above_a_bound_is_not_kept(plan: Any) -> None:
    outputs: dict[Candidate, Outputs] = {0: shifted(plan, 1, 1), 1: shifted(plan, -1, -1)}
    earlier: dict[Candidate, float] = {0: 0.5, 1: 0.5}
    assert weights(selected(plan, outputs, earlier=earlier, members=1)) == {0: 1.0}
    costs = {number: {"n_parameters": 10.0} for number in (0, 1)}
    limited = selected(plan, outputs, earlier=earlier, costs=costs, bounds=(parse_bound("n_parameters <= 15"),))
    assert weights(limited) == {0: 1.0}


def test_a_metric_of_quantiles_is_taken_of_calibrated_intervals(tmp_path: Path) -> None:
    """Without noise, the intervals of the blend have no width, and its WQL is that of the points."""
    plan: Any = plan_of(tmp_path, "forecast.metric=wql", text=NUMBERS.replace("folds: 1", "folds: 2"))
    found = selected(plan, {"naive": shifted(plan, 2, 2), 3: shifted(plan, -2, -2)})
    assert weights(found) == {"naive": 0.5, 3: 0.5}
    assert found.chosen is not None
    assert found.chosen.score == pytest.approx(0, abs=1e-6)
    # The forecasts of the second fold are off by 0.5, and so are the ends of all intervals.
    alone = selected(plan, {3: shifted(plan, 0, 0.5)}).chosen
    assert alone is not None
    scores = []
    for evaluation, error in zip(plan.search_data().kept_evaluations, (0, 0.5), strict=True):
        ends = {0.025: error - 0.5, 0.1: error - 0.5, 0.5: error, 0.9: error + 0.5, 0.975: error + 0.5}
        losses = [p * -above if above < 0 else (1 - p) * above for p, above in ends.items()]
        scores.append(2 * np.mean(losses) / np.abs(evaluation.target).mean())
    assert alone.score == pytest.approx(np.mean(scores), rel=1e-4)


def calibrated_wql(errors: list[np.ndarray], evaluations: Any) -> float:
    """Mean over the folds of the WQL of forecasts with planted (windows, H, 1) errors, of intervals of 80 and 95%.

    The ends of each interval are off by the rank of the absolute errors of the step in *all* folds.
    """
    sizes = np.sort(np.abs(np.concatenate(errors)), axis=0)
    reach = [sizes[int(np.ceil((len(sizes) + 1) * level - 1e-9)) - 1] for level in (0.8, 0.95)]
    scores = []
    for error, evaluation in zip(errors, evaluations, strict=True):
        above = {0.025: error - reach[1], 0.1: error - reach[0], 0.5: error, 0.9: error + reach[0],
                 0.975: error + reach[1]}  # fmt: skip
        losses = [np.where(each < 0, -p * each, (1 - p) * each) for p, each in above.items()]
        scores.append(2 * np.mean(losses) / np.abs(evaluation.target).mean())
    return float(np.mean(scores))


def test_quantiles_are_calibrated_on_the_errors_of_all_folds(tmp_path: Path) -> None:
    """For a blend, and for the forecasts of a trial or baseline; errors shrink from fold to fold."""
    plan: Any = plan_of(tmp_path, "forecast.metric=wql", text=NUMBERS.replace("folds: 1", "folds: 3"))
    data, generator = plan.search_data(), np.random.default_rng(0)
    first, second = (
        [
            generator.normal(0, size, each.target.shape).astype(np.float32)
            for size, each in zip((2, 1, 0.1), data.kept_evaluations, strict=True)
        ]
        for _ in range(2)
    )
    outputs: dict[Candidate, Outputs] = {
        name: tuple(each.target + error for each, error in zip(data.kept_evaluations, errors, strict=True))
        for name, errors in (("naive", first), (3, second))
    }

    found = selected(plan, outputs).chosen

    assert found is not None
    assert set(found.weights) == {"naive", 3}
    pairs = zip(first, second, strict=True)
    blended = [found.weights["naive"] * one + found.weights[3] * other for one, other in pairs]
    assert found.score == pytest.approx(calibrated_wql(blended, data.kept_evaluations), rel=1e-3)
    backtest = data.backtest()
    for fold, values in enumerate(outputs[3]):  # so few forecasts that all are kept
        backtest.add(fold, values)
    assert backtest.score(outputs[3]) == pytest.approx(calibrated_wql(second, data.kept_evaluations), rel=1e-3)


@pytest.mark.parametrize("study", LABEL_STUDIES)
def test_labels_are_blended_by_their_metric(study: str, tmp_path: Path) -> None:
    plan = label_plan_of(tmp_path, LABEL_STUDIES[study])
    data = plan.search_data()
    generator = np.random.default_rng(0)

    def noisy(size: float) -> Outputs:
        """The true labels, as probabilities or numbers, with noise."""
        found = []
        for evaluation in data.kept_evaluations:
            labels = evaluation.labels
            if not data.labels.classes:
                found.append((labels[:, None] + generator.normal(0, size, (len(labels), 1))).astype(np.float32))
                continue
            shares = np.eye(len(data.labels.classes))[labels] + generator.uniform(0, size, (len(labels), 1))
            shares += generator.uniform(0, size, shares.shape)
            found.append((shares / shares.sum(axis=1, keepdims=True)).astype(np.float32))
        return tuple(found)

    outputs: dict[Candidate, Outputs] = {number: noisy(1.5) for number in range(6)}
    found = selected(plan, outputs)
    criterion = data.criterion()
    scores = [criterion.score(each) for each in outputs.values()]
    if data.labels.classes:
        assert criterion.tie_break is not None
        chances = [
            np.take_along_axis(values, evaluation.labels[:, None], axis=1)
            for values, evaluation in zip(outputs[0], data.kept_evaluations, strict=True)
        ]
        assert criterion.tie_break(outputs[0]) == pytest.approx(np.mean([-np.log(each).mean() for each in chances]))
    assert found.chosen is not None
    if criterion.larger_is_better:
        assert found.chosen.score >= max(scores)
    else:
        assert found.chosen.score < min(scores)
    assert len(found.chosen.weights) > 1


def test_the_majority_class_is_no_member_beside_others(tmp_path: Path) -> None:
    """It would shift the probabilities of the network so that more of the largest class are right."""
    plan = label_plan_of(tmp_path, LABEL_STUDIES["waves"])
    data = plan.search_data()
    classes = len(data.labels.classes)
    network, majority = [], []
    for evaluation in data.kept_evaluations:
        labels = evaluation.labels
        largest = np.eye(classes, dtype=np.float32)[0]
        wrong = np.where(labels == 0, 1, labels)  # of class 0 it misses all, by a little
        sure = np.where(labels == 0, 0.1, 0.8)[:, None].astype(np.float32)
        network.append(sure * np.eye(classes, dtype=np.float32)[wrong] + (1 - sure) / classes)
        majority.append(np.tile(0.4 * largest + 0.6 / classes, (len(labels), 1)).astype(np.float32))
    outputs: dict[Candidate, Outputs] = {"majority": tuple(majority), 3: tuple(network)}
    criterion = data.criterion()
    together = [(one + other) / 2 for one, other in zip(majority, network, strict=True)]
    assert criterion.score(together) > criterion.score(outputs[3])

    assert weights(selected(plan, outputs)) == {3: 1.0}
    assert weights(selected(plan, {"majority": outputs["majority"]})) == {"majority": 1.0}
    bounded = selected(plan, outputs, costs={3: {"n_parameters": 10.0}}, bounds=(parse_bound("n_parameters <= 5"),))
    assert weights(bounded) == {"majority": 1.0}

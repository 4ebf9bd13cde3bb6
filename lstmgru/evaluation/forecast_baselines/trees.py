"""Gradient-boosted regression trees on features of windows, stored and evaluated as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays, window_arrays
from lstmgru.data.forecasting.windows import known_at, targets_at, training_runs
from lstmgru.evaluation.forecast_baselines.base import Array, BaselineData, FittedBaseline, State
from lstmgru.evaluation.forecast_baselines.tree_features import Floats, TreeFeatures
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

# Examples that are learned from, and steps of the horizon of one window among them.
_MOST_EXAMPLES, _STEPS_OF_A_WINDOW = 40_000, 4
_EXAMPLES_AT_ONCE = 16_384
# After each of these numbers of trees the time is checked.
_TREES = (8, 30, 60)
_SETTINGS: dict[str, Any] = {
    "loss": "absolute_error",
    "learning_rate": 0.12,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 30,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": 0,
}


@dataclass(frozen=True)
class Ensemble:
    """A sum of regression trees; the nodes of all trees are numbered together.

    Attributes:
        base: (1,) added to the sum of the trees.
        roots: (trees,) the first node of each.
        feature: (nodes,) what a node looks at.
        threshold: (nodes,) numbers up to it go to the left; the largest one where only missing ones go to the right.
        left: (nodes,) the next node.
        right: (nodes,) likewise.
        missing_left: (nodes,) whether NaN goes to the left.
        leaf: (nodes,) whether it is a leaf.
        value: (nodes,) of a leaf.
        names: (nodes,) row of ``left_names`` of a node that looks at a category, else -1.
        left_names: (category nodes, 256) the categories that go to the left.
    """

    base: Floats
    roots: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: Floats
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    missing_left: npt.NDArray[np.bool_]
    leaf: npt.NDArray[np.bool_]
    value: Floats
    names: npt.NDArray[np.int32]
    left_names: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, model: Any, order: Sequence[int], known: Mapping[int, npt.NDArray[np.int64]]) -> Self:
        """The trees of a fitted ``HistGradientBoostingRegressor``.

        Args:
            model: The regressor.
            order: The features in the order in which the model reads them.
            known: The categories of each categorical feature in its training examples, ascending; the model numbers
                them anew, and takes any other one for missing.
        """
        trees = [predictors[0] for predictors in model._predictors]
        nodes = [tree.nodes for tree in trees]
        bitsets = [tree.raw_left_cat_bitsets for tree in trees]
        roots = np.cumsum([0, *map(len, nodes)])[:-1]
        first_bitsets = np.cumsum([0, *map(len, bitsets)])[:-1]
        every = np.concatenate(nodes)
        begins = np.repeat(roots, list(map(len, nodes)))
        bitset = every["bitset_idx"] + np.repeat(first_bitsets, list(map(len, nodes)))
        words = np.concatenate([np.asarray(each).reshape(-1, 8) for each in bitsets]).astype("<u4")
        bits = np.unpackbits(words.view(np.uint8).reshape(len(words), 32), axis=1, bitorder="little").astype(bool)
        left_names, feature = np.zeros_like(bits), np.asarray(order)[every["feature_idx"]]
        for node in np.flatnonzero(every["is_categorical"]):
            codes, row = known[int(feature[node])], bitset[node]
            left_names[row] = every["missing_go_to_left"][node]
            left_names[row, codes] = bits[row, : len(codes)]
        return cls(
            base=np.asarray(model._baseline_prediction, np.float64).reshape(1),
            roots=roots.astype(np.int32),
            feature=feature.astype(np.int32),
            threshold=np.nan_to_num(every["num_threshold"].astype(np.float64), nan=np.nan),
            left=(every["left"] + begins).astype(np.int32),
            right=(every["right"] + begins).astype(np.int32),
            missing_left=every["missing_go_to_left"].astype(bool),
            leaf=every["is_leaf"].astype(bool),
            value=every["value"].astype(np.float64),
            names=np.where(every["is_categorical"], bitset, -1).astype(np.int32),
            left_names=left_names,
        )

    def predict(self, rows: Floats) -> Floats:
        """(n,) of (n, features); categories are numbers from 0 to 255."""
        total = np.repeat(self.base, len(rows))
        every = np.arange(len(rows))
        for root in self.roots:
            node, inner = np.full(len(rows), root), every
            while len(inner):
                inner = inner[~self.leaf[node[inner]]]
                at = node[inner]
                values = rows[inner, self.feature[at]]
                node[inner] = np.where(self._goes_left(at, values), self.left[at], self.right[at])
            total += self.value[node]
        return total

    def _goes_left(self, nodes: npt.NDArray[np.integer], values: Floats) -> npt.NDArray[np.bool_]:
        left: npt.NDArray[np.bool_] = values <= self.threshold[nodes]
        missing = np.isnan(values)
        named = self.names[nodes] >= 0
        if named.any():
            codes = np.where(missing, 0, values)[named].astype(np.int64)
            left[named] = self.left_names[self.names[nodes][named], codes]
        left[missing] = self.missing_left[nodes][missing]
        return left


@dataclass(frozen=True)
class Trees(FittedBaseline):
    """Gradient-boosted trees, one ensemble for all steps and targets.

    They are fitted by scikit-learn's ``HistGradientBoostingRegressor``. The step of the horizon is a feature; for the
    others and the units of the targets, see :class:`~lstmgru.evaluation.forecast_baselines.tree_features.TreeFeatures`.
    If there are more than 40,000 examples, an even sample is learned.

    Attributes:
        features: Turn windows into inputs.
        ensemble: Of the targets in the units of the features.
    """

    name: ClassVar[str] = "trees"
    slow: ClassVar[bool] = True
    features: TreeFeatures
    ensemble: Ensemble

    @classmethod
    def fit(cls, data: BaselineData) -> Self:
        """See :meth:`FittedBaseline.fit`."""
        features = TreeFeatures.fit(data.panel, data.split.train, data.forecast.horizon, data.forecast.season_length)
        rows, targets = _examples(data, features)
        return cls(features, fit_ensemble(rows, targets, features.categorical, data.limit))

    @property
    def context_length(self) -> int:  # type: ignore[override]  # read only here
        """Rows of context that it reads at most."""
        return self.features.context_length

    @property
    def horizon(self) -> int:  # type: ignore[override]  # read only here
        """H."""
        return self.features.horizon

    @property
    def n_parameters(self) -> int:
        """See :attr:`FittedBaseline.n_parameters`: a threshold or value of each node."""
        return len(self.ensemble.value)

    def predict(self, windows: WindowArrays, limit: TimeLimit = UNLIMITED) -> Array:
        """See :meth:`FittedBaseline.predict`."""
        shape = (self.horizon, self.features.n_targets)
        forecast = np.empty((len(windows), *shape), np.float32)
        at_once, limit = max(1, _EXAMPLES_AT_ONCE // (shape[0] * shape[1])), limit.next_part()
        for start in range(0, len(windows), at_once):
            some = windows.some(slice(start, start + at_once))
            steps = np.tile(np.arange(self.horizon), (len(some), 1))
            rows = self.features.rows(some, steps)
            center, scale = self.features.units(some)
            found = self.ensemble.predict(rows.reshape(-1, rows.shape[-1])).reshape(-1, *shape)
            forecast[start : start + at_once] = found * scale[:, None] + center[:, None]
            limit.check(start + len(some), len(windows))
        return forecast

    def state(self) -> State:
        """See :meth:`FittedBaseline.state`."""
        return {"features": self.features.to_dict()}, {
            each.name: getattr(self.ensemble, each.name) for each in fields(self.ensemble)
        }

    @classmethod
    def from_state(cls, values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """See :meth:`FittedBaseline.from_state`."""
        return cls(TreeFeatures.from_dict(values["features"]), Ensemble(**arrays))


def _examples(data: BaselineData, features: TreeFeatures) -> tuple[Floats, Floats]:
    """(examples, features) and (examples,) of an even sample of the training windows, with random steps of each."""
    panel, horizon = data.panel, data.forecast.horizon
    runs = training_runs(
        panel, data.split, context_length=data.context_length, horizon=horizon, short_series=data.short_series
    )
    n_steps = min(horizon, _STEPS_OF_A_WINDOW)
    most = max(1, _MOST_EXAMPLES // (n_steps * panel.n_targets))
    cutoffs = runs.at(np.unique(np.linspace(0, len(runs) - 1, min(most, len(runs))).astype(np.int64)))
    generator = np.random.default_rng(0)
    inputs, outputs = [], []
    for block in np.split(cutoffs, range(2048, len(cutoffs), 2048)):
        data.limit.check()
        windows = window_arrays(panel, block, context_length=features.context_length, horizon=horizon)
        steps = np.sort(generator.random((len(block), horizon)).argsort(axis=1)[:, :n_steps], axis=1)
        rows = features.rows(windows, steps)
        center, scale = features.units(windows)
        target = np.take_along_axis(targets_at(panel, block, horizon), steps[..., None], axis=1)
        known = known_at(panel, block, horizon)
        kept = slice(None) if known is None else np.take_along_axis(known, steps[..., None], axis=1).ravel()
        inputs.append(rows.reshape(-1, rows.shape[-1])[kept])
        outputs.append(((target - center[:, None]) / scale[:, None]).ravel()[kept])
    return np.concatenate(inputs), np.concatenate(outputs)


def fit_ensemble(rows: Floats, targets: Floats, categorical: list[bool], limit: TimeLimit = UNLIMITED) -> Ensemble:
    """Boost trees on one thread, as other jobs run beside this one.

    Args:
        rows: (examples, features); categories are whole numbers from 0 to 254, and NaN is missing.
        targets: (examples,).
        categorical: Whether each feature is categorical.
        limit: Of the time.
    """
    model = fit_regressor(rows, targets, categorical, limit)
    named = np.flatnonzero(categorical)
    known = {int(n): np.unique(rows[~np.isnan(rows[:, n]), n]).astype(np.int64) for n in named}
    return Ensemble.of(model, [*named, *np.flatnonzero(~np.asarray(categorical))], known)


def fit_regressor(rows: Floats, targets: Floats, categorical: list[bool], limit: TimeLimit) -> Any:
    """The ``HistGradientBoostingRegressor`` of :func:`fit_ensemble`."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    some = categorical if any(categorical) else None
    model = HistGradientBoostingRegressor(**_SETTINGS, categorical_features=some, warm_start=True)
    # A column without any number cannot be binned, and a constant one is never split at.
    if (empty := np.isnan(rows).all(axis=0)).any():
        rows = np.where(empty, 0.0, rows)
    with threadpool_limits(1):
        for number in _TREES:
            model.set_params(max_iter=number).fit(rows, targets)
            limit.check()
    return model

"""Ridge regression of the whole horizon on all inputs of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays, window_arrays
from lstmgru.data.forecasting.design import WindowDesign
from lstmgru.data.forecasting.windows import known_at, targets_at, training_runs
from lstmgru.evaluation.forecast_baselines.base import Array, BaselineData, FittedBaseline, State
from lstmgru.evaluation.forecast_baselines.partial_ridge import fit_partial_ridge
from lstmgru.evaluation.forecast_baselines.ridge import ALPHAS, Ridge, fit_ridge, fit_ridge_of_few
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

if TYPE_CHECKING:
    from torch import nn

    from lstmgru.data.forecasting.splits import Rows

# Maximum size of the whole design matrix: a few seconds on one core.
_MAX_DESIGN_NUMBERS = 6_000_000
# Maximum size of a block of it, if there are more windows than columns.
_NUMBERS_AT_ONCE = 250_000


@dataclass(frozen=True)
class Linear(FittedBaseline):
    """Ridge regression (Hoerl & Kennard 1970) from all inputs of a network to the whole horizon.

    For the features and the scaling of series, see :class:`~lstmgru.data.forecasting.design.WindowDesign`. The penalty
    is chosen by the leave-one-out error on the training windows, which are evenly subsampled if they are too many. A
    missing target costs its own step of a window, see
    :func:`~lstmgru.evaluation.forecast_baselines.partial_ridge.fit_partial_ridge`.

    Attributes:
        design: Turns windows into inputs.
        ridge: Of inputs and targets in the units of the design.
    """

    name: ClassVar[str] = "linear"
    design: WindowDesign
    ridge: Ridge

    @classmethod
    def fit(cls, data: BaselineData) -> Self:
        """See :meth:`FittedBaseline.fit`."""
        panel, horizon, context_length = data.panel, data.forecast.horizon, data.context_length
        design = WindowDesign.fit(panel, data.split, context_length=context_length, horizon=horizon)
        runs = training_runs(
            panel, data.split, context_length=context_length, horizon=horizon, short_series=data.short_series
        )
        step = max(1, -(-len(runs) * design.width // _MAX_DESIGN_NUMBERS))
        cutoffs = runs.at(np.arange(0, len(runs), step))

        def examples(cutoffs: Rows) -> tuple[Array, Array]:
            data.limit.check()
            windows = window_arrays(panel, cutoffs, context_length=context_length, horizon=horizon)
            target = design.scaled_targets(windows, targets_at(panel, cutoffs, horizon))
            return design.inputs(windows), target.reshape(len(cutoffs), -1)

        blocks = np.split(cutoffs, range(_at_once(design), len(cutoffs), _at_once(design)))
        known = known_at(panel, cutoffs, horizon)
        if known is not None and not known.all():
            inputs, targets = (np.concatenate(parts) for parts in zip(*map(examples, blocks), strict=True))
            flat, n_targets = known.reshape(len(cutoffs), -1), panel.n_targets
            return cls(design, fit_partial_ridge(inputs, targets, flat, n_targets=n_targets, limit=data.limit))
        if len(cutoffs) <= design.width:
            return cls(design, fit_ridge_of_few(*examples(cutoffs)))
        return cls(design, fit_ridge(lambda: map(examples, blocks), ALPHAS.tolist()))

    @property
    def context_length(self) -> int:  # type: ignore[override]  # read only here
        """Rows of context that it reads at most."""
        return self.design.context_length

    @property
    def horizon(self) -> int:  # type: ignore[override]  # read only here
        """H."""
        return self.design.horizon

    @property
    def n_parameters(self) -> int:
        """See :attr:`FittedBaseline.n_parameters`."""
        return self.ridge.coefficients.size + self.ridge.intercept.size

    def predict(self, windows: WindowArrays, limit: TimeLimit = UNLIMITED) -> Array:
        """See :meth:`FittedBaseline.predict`."""
        shape = (self.horizon, self.design.n_targets)
        forecast = np.empty((len(windows), *shape), np.float32)
        at_once = _at_once(self.design)
        for start in range(0, len(windows), at_once):
            limit.check()
            part = slice(start, start + at_once)
            some = windows.some(part)
            center, scale = self.design.units(some)
            flat = np.asarray(self.ridge.predict(self.design.inputs(some)), np.float32)
            forecast[part] = flat.reshape(-1, *shape) * scale + center
        return forecast

    def state(self) -> State:
        """See :meth:`FittedBaseline.state`."""
        values = {"design": self.design.to_dict(), "alpha": self.ridge.alpha}
        return values, {"coefficients": self.ridge.coefficients, "intercept": self.ridge.intercept}

    @classmethod
    def from_state(cls, values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """See :meth:`FittedBaseline.from_state`."""
        ridge = Ridge(arrays["coefficients"], arrays["intercept"], values["alpha"])
        return cls(WindowDesign.from_dict(values["design"]), ridge)

    def module(self) -> nn.Module:
        """See :meth:`FittedBaseline.module`."""
        from lstmgru.evaluation.forecast_baselines.modules import LinearModule

        return LinearModule(self.design, self.ridge)


def _at_once(design: WindowDesign) -> int:
    """Windows of a block."""
    return max(1, _NUMBERS_AT_ONCE // design.width)

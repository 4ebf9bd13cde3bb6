"""Ridge regression from the history of one target to its horizon, the same for all targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays, window_arrays
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.windows import known_at, targets_at, training_runs
from lstmgru.evaluation.forecast_baselines.base import Array, BaselineData, FittedBaseline, State
from lstmgru.evaluation.forecast_baselines.partial_ridge import fit_partial_ridge
from lstmgru.evaluation.forecast_baselines.ridge import ALPHAS, Ridge, fit_ridge, fit_ridge_of_few
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

if TYPE_CHECKING:
    from torch import nn

_Scalar = TypeVar("_Scalar", bound=np.generic)

# Maximum size of the whole design matrix, and of a block of it.
_MOST_NUMBERS, _NUMBERS_AT_ONCE = 12_000_000, 500_000


@dataclass(frozen=True)
class ChannelLinear(FittedBaseline):
    """One ridge regression for all targets, each read by itself (as NLinear and DLinear, Zeng et al. 2023).

    The last value of a target is subtracted from its context and added to its forecast; the unit is the deviation of
    the target in the training part. Covariates are not read. A missing target costs its own step of a window, see
    :func:`~lstmgru.evaluation.forecast_baselines.partial_ridge.fit_partial_ridge`.

    Attributes:
        horizon: H.
        context_length: T.
        scale: (Y,) units of the targets.
        ridge: Of contexts (T,) and horizons (H,) in those units.
    """

    name: ClassVar[str] = "channel_linear"
    horizon: int
    context_length: int
    scale: Array
    ridge: Ridge

    @classmethod
    def fit(cls, data: BaselineData) -> Self:
        """See :meth:`FittedBaseline.fit`."""
        panel, horizon, context_length = data.panel, data.forecast.horizon, data.context_length
        scale = Scaler.fit(panel, data.split.train).scale[0, : panel.n_targets]
        runs = training_runs(
            panel, data.split, context_length=context_length, horizon=horizon, short_series=data.short_series
        )
        width = panel.n_targets * context_length
        step = max(1, -(-len(runs) * width // _MOST_NUMBERS))
        cutoffs = runs.at(np.arange(0, len(runs), step))
        at_once = max(1, _NUMBERS_AT_ONCE // width)

        def examples() -> Iterator[tuple[Array, Array]]:
            for block in np.split(cutoffs, range(at_once, len(cutoffs), at_once)):
                data.limit.check()
                windows = window_arrays(panel, block, context_length=context_length, horizon=horizon)
                inputs, last = _inputs(windows, context_length, scale)
                targets = (targets_at(panel, block, horizon) - last) / scale
                yield _by_target(inputs), _by_target(targets)

        known = known_at(panel, cutoffs, horizon)
        complete = known is None or bool(known.all())
        if complete and len(cutoffs) * panel.n_targets > context_length:
            return cls(horizon, context_length, scale, fit_ridge(examples, ALPHAS.tolist()))
        inputs, targets = (np.concatenate(parts) for parts in zip(*examples(), strict=True))
        if known is not None and not complete:
            ridge = fit_partial_ridge(inputs, targets, _by_target(known), limit=data.limit)
            return cls(horizon, context_length, scale, ridge)
        return cls(horizon, context_length, scale, fit_ridge_of_few(inputs, targets))

    @property
    def n_parameters(self) -> int:
        """See :attr:`FittedBaseline.n_parameters`."""
        return self.ridge.coefficients.size + self.ridge.intercept.size

    def predict(self, windows: WindowArrays, limit: TimeLimit = UNLIMITED) -> Array:
        """See :meth:`FittedBaseline.predict`."""
        n_targets = len(self.scale)
        forecast = np.empty((len(windows), self.horizon, n_targets), np.float32)
        at_once = max(1, _NUMBERS_AT_ONCE // (n_targets * self.context_length))
        for start in range(0, len(windows), at_once):
            limit.check()
            part = slice(start, start + at_once)
            inputs, last = _inputs(windows.some(part), self.context_length, self.scale)
            found = self.ridge.predict(_by_target(inputs)).reshape(-1, n_targets, self.horizon)
            forecast[part] = found.transpose(0, 2, 1) * self.scale + last
        return forecast

    def state(self) -> State:
        """See :meth:`FittedBaseline.state`."""
        values: dict[str, Any] = {
            "horizon": self.horizon,
            "context_length": self.context_length,
            "alpha": self.ridge.alpha,
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            "coefficients": self.ridge.coefficients,
            "intercept": self.ridge.intercept,
            "scale": self.scale,
        }
        return values, arrays

    @classmethod
    def from_state(cls, values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """See :meth:`FittedBaseline.from_state`."""
        ridge = Ridge(arrays["coefficients"], arrays["intercept"], values["alpha"])
        return cls(values["horizon"], values["context_length"], arrays["scale"], ridge)

    def module(self) -> nn.Module:
        """See :meth:`FittedBaseline.module`."""
        from lstmgru.evaluation.forecast_baselines.modules import ChannelLinearModule

        return ChannelLinearModule(self.scale, self.ridge)


def _inputs(windows: WindowArrays, context_length: int, scale: Array) -> tuple[Array, Array]:
    """(n, T, Y) relative contexts and the (n, 1, Y) last values."""
    targets = windows.context(context_length)[..., : len(scale)]
    last = targets[:, -1:]
    return (targets - last) / scale, last


def _by_target(values: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """(n, steps, Y) → (n · Y, steps)."""
    return values.transpose(0, 2, 1).reshape(-1, values.shape[1])

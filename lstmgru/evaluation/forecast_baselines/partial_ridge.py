"""Ridge regression (Hoerl & Kennard 1970) of outputs that are not known for every example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lstmgru.evaluation.forecast_baselines.ridge import ALPHAS, Ridge
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

_Float = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]
_Columns = npt.NDArray[np.int64]

# Sets of outputs whose leave-one-out errors choose the penalty, and examples of each: every set needs an
# eigendecomposition of its own, and each example a rotation.
_SETS_FOR_PENALTY, _EXAMPLES_FOR_PENALTY = 8, 2_000


def fit_partial_ridge(
    inputs: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    known: _Mask,
    *,
    n_targets: int = 1,
    limit: TimeLimit = UNLIMITED,
) -> Ridge:
    """Fit each output to the examples for which it is known.

    All outputs share the penalty with the least mean squared leave-one-out error over at most eight sets of outputs
    with the same examples, and 2,000 examples of each, evenly spread. An output that no example knows has the
    regression of the nearest step of the same target.

    Args:
        inputs: (examples, width).
        targets: (examples, outputs), the targets of step after step; those that are not known are not read.
        known: (examples, outputs).
        n_targets: Y, outputs of one step.
        limit: Of the time.

    Raises:
        BaselineTooSlow: The time limit is exceeded.
    """
    data = _Examples.of(inputs, targets, known)
    groups = [columns for columns in _groups(known) if known[:, columns[0]].any()]
    chosen = np.unique(np.linspace(0, len(groups) - 1, _SETS_FOR_PENALTY).round().astype(np.int64))
    errors = np.zeros(len(ALPHAS))
    for number in chosen:
        limit.check()
        errors += data.errors(groups[number])
    alpha = float(ALPHAS[int(np.argmin(np.where(np.isnan(errors), np.inf, errors)))])
    coefficients = np.zeros((inputs.shape[1], targets.shape[1]))
    for columns in groups:
        limit.check()
        coefficients[:, columns] = data.solution(columns, alpha)
    intercept = data.y_center - ((data.x_center + data.shifts).T * coefficients).sum(axis=0)
    source = _nearest(np.any(known, axis=0), n_targets)
    return Ridge(coefficients[:, source], intercept[source], alpha)


@dataclass(frozen=True)
class _Examples:
    """Examples, and sums over those of each output.

    Attributes:
        x: (examples, width), centered.
        y: (examples, outputs), centered over the known ones; 0 where they are not.
        known: (examples, outputs).
        x_center: (width,) what was subtracted.
        y_center: (outputs,) likewise.
        shifts: (outputs, width) means of ``x`` over the examples of each output.
        squares: (width, width) XᵀX of all examples.
        products: (width, outputs) XᵀY.
    """

    x: _Float
    y: _Float
    known: _Mask
    x_center: _Float
    y_center: _Float
    shifts: _Float
    squares: _Float
    products: _Float

    @classmethod
    def of(cls, inputs: npt.NDArray[np.floating], targets: npt.NDArray[np.floating], known: _Mask) -> Self:
        counts = np.maximum(known.sum(axis=0), 1)
        x_center = inputs.mean(axis=0, dtype=np.float64)
        y_center = np.where(known, targets, 0).sum(axis=0, dtype=np.float64) / counts
        x, y = inputs - x_center, np.where(known, targets - y_center, 0.0)
        shifts = (known.T.astype(np.float64) @ x) / counts[:, None]
        return cls(x, y, known, x_center, y_center, shifts, x.T @ x, x.T @ y)

    def errors(self, columns: _Columns) -> _Float:
        """(alphas,) sums of the squared leave-one-out errors of outputs that are known for the same examples."""
        rows, shift = np.flatnonzero(self.known[:, columns[0]]), self.shifts[columns[0]]
        count = len(rows)
        if count > len(self.squares):
            rows = rows[np.unique(np.linspace(0, count - 1, min(count, _EXAMPLES_FOR_PENALTY)).astype(np.int64))]
            values, vectors = np.linalg.eigh(self._squares(columns))
            z, products = (self.x[rows] - shift) @ vectors, vectors.T @ self.products[:, columns]
        else:
            x = self.x[rows] - shift
            values, vectors = np.linalg.eigh(x @ x.T)
            z = vectors * np.sqrt(np.maximum(values, 0))
            products = z.T @ self.y[np.ix_(rows, columns)]
        values, z_squared, y = np.maximum(values, 0.0), z**2, self.y[np.ix_(rows, columns)]
        errors: _Float = np.empty(len(ALPHAS))
        for number, alpha in enumerate(ALPHAS):
            shrunk = 1 / (values + alpha)
            left = 1 - 1 / count - z_squared @ shrunk
            with np.errstate(divide="ignore", invalid="ignore"):  # interpolated examples, see ALPHAS
                errors[number] = (((y - z @ (shrunk[:, None] * products)) / left[:, None]) ** 2).sum()
        errors *= count / len(rows)
        return errors

    def solution(self, columns: _Columns, alpha: float) -> _Float:
        """(width, columns) coefficients of outputs that are known for the same examples."""
        rows, width = self.known[:, columns[0]], len(self.squares)
        if (count := int(rows.sum())) > width:
            squares = self._squares(columns) + alpha * np.eye(width)
            return np.asarray(np.linalg.solve(squares, self.products[:, columns]), np.float64)
        x = self.x[rows] - self.shifts[columns[0]]
        few: _Float = x.T @ np.linalg.solve(x @ x.T + alpha * np.eye(count), self.y[np.ix_(rows, columns)])
        return few

    def _squares(self, columns: _Columns) -> _Float:
        """(width, width) XᵀX of the examples of outputs, centered over them; sums over the smaller part of the rows."""
        rows, shift = self.known[:, columns[0]], self.shifts[columns[0]]
        most = 2 * rows.sum() > len(rows)
        part = self.x[~rows if most else rows]
        squares = part.T @ part
        centered: _Float = (self.squares - squares if most else squares) - rows.sum() * np.outer(shift, shift)
        return centered


def _groups(known: _Mask) -> list[_Columns]:
    """The columns that are known for the same examples, in the order of their first."""
    groups: dict[bytes, list[int]] = {}
    for column, bits in enumerate(np.packbits(known, axis=0).T):
        groups.setdefault(bits.tobytes(), []).append(column)
    return [np.array(columns) for columns in groups.values()]


def _nearest(fitted: _Mask, n_targets: int) -> npt.NDArray[np.int64]:
    """(outputs,) the output itself, or that of the nearest fitted step of the same target; itself without any."""
    source = np.arange(len(fitted))
    for column in np.flatnonzero(~fitted):
        others = np.arange(column % n_targets, len(fitted), n_targets)
        others = others[fitted[others]]
        if len(others):
            source[column] = others[np.abs(others - column).argmin()]
    return source

"""The way forwards through a sequence, for any cell (compiled)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import register_jitable

from lstmgru.nn.kernels.arrays import array_at, copy_rows, lanes_in, load, store
from lstmgru.nn.kernels.calls import Forward
from lstmgru.nn.kernels.layout import Layout, padded
from lstmgru.nn.kernels.tiles import ROWS, TOGETHER, fill_sums, wide
from lstmgru.nn.kernels.vectors import lanes_of, zeros
from lstmgru.nn.kernels.weights import biases_of, columns_of


@register_jitable
def first_state(to: Any, given: int, real: Any, batch: int, units: int, size: int) -> None:
    """Fill a state (rows, units): 0, or the (batch, size) that are given."""
    to[: padded(batch, ROWS) * units] = 0
    if given != 0:
        copy_rows(to, 0, units, array_at(given, real), 0, size, batch, size)


@register_jitable
def _step(
    formula: Any, parts: Any, gates: Any, kept: Any, at: int, hs: Any, states: Any, now: int, then: int, xs: Any,
    x_wide: int, weights: Any, rows: int, units: int, inputs: int, size: int,
) -> None:  # fmt: skip
    """From one state to the next, strip by strip. ``states`` is what the formula reads: c, or h itself."""
    lanes, (biases, w, u), one = lanes_in(xs), weights, zeros(xs, TOGETHER, 1)
    of_parts, of_gates = len(parts) * lanes, len(gates) * lanes
    for strip in range(units // lanes):
        for row in range(0, rows, ROWS):
            fill_sums(
                parts, gates, kept, at + (strip * rows + row) * of_parts, biases, strip * of_parts,
                hs, now + row * units, units, u, strip * size * of_gates, size,
                xs, row * x_wide, x_wide, w, strip * inputs * of_gates, inputs,
            )  # fmt: skip
            for b in range(row, row + ROWS, TOGETHER):
                place, unit = at + (strip * rows + b) * of_parts, b * units + strip * lanes
                (before,) = load(states, now + unit, units, one)
                values, after, h = formula(load(kept, place, of_parts, parts), before)
                store(kept, place, of_parts, values)
                store(states, then + unit, units, (after,))
                store(hs, then + unit, units, (h,))


def forward_of(layout: Layout, real: Any, formula: Callable[..., Any]) -> Callable[[Forward], None]:
    """The way forwards of a cell, to be compiled.

    Args:
        layout: Of the cell.
        real: Type of the numbers.
        formula: A step of it on a vector, such as :func:`lstmgru.nn.kernels.gru.forward`.
    """
    n_gates, n_parts, n_states = layout
    lanes = lanes_of(real)

    def forward(call: Forward) -> None:
        batch, steps, inputs, size = call.batch, call.steps, call.inputs, call.size
        rows, units, x_wide = padded(batch, ROWS), wide(size, lanes), wide(inputs, lanes)
        steps_kept, states_kept = (steps, steps + 1) if call.keep else (1, 2)
        x, outputs, kept = array_at(call.x, real), array_at(call.outputs, real), array_at(call.kept, real)
        w = columns_of(array_at(call.w_ih, real), n_gates, size, inputs, 0)
        u = columns_of(array_at(call.w_hh, real), n_gates, size, size, n_parts - n_gates)
        biases = biases_of(array_at(call.b_ih, real), array_at(call.b_hh, real), n_gates, n_parts, size, call.n_biases)
        parts, gates = zeros(x, TOGETHER, n_parts), zeros(x, TOGETHER, n_gates)
        hs = kept[steps_kept * rows * units * n_parts :]
        states = hs[(n_states - 1) * states_kept * rows * units :]
        first_state(hs, call.h0, real, batch, units, size)
        if n_states == 2:
            first_state(states, call.c0, real, batch, units, size)
        xs, then = np.zeros(rows * x_wide, x.dtype), 0
        for t in range(steps):
            at, now = t % steps_kept * rows * units * n_parts, then
            then = (t + 1) % states_kept * rows * units
            copy_rows(xs, 0, x_wide, x, t * call.x_step, call.x_batch, batch, inputs)
            _step(
                formula, parts, gates, kept, at, hs, states, now, then, xs, x_wide, (biases, w, u),
                rows, units, inputs, size,
            )  # fmt: skip
            copy_rows(outputs, t * size, steps * size, hs, then, units, batch, size)
        copy_rows(array_at(call.h, real), 0, size, hs, then, units, batch, size)
        if n_states == 2:
            copy_rows(array_at(call.c, real), 0, size, states, then, units, batch, size)

    return forward

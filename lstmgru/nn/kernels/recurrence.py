"""Recurrences over a sequence, forward and backward, for any cell (compiled)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import register_jitable

from lstmgru.nn.kernels.layout import Backward, Forward, Layout, padded
from lstmgru.nn.kernels.tiles import (
    ROWS,
    TOGETHER,
    VECTORS,
    add_rows,
    add_tile,
    biases_of,
    columns_of,
    copy_rows,
    fill_sums,
    give_biases,
    give_weights,
    rows_of,
    wide,
)
from lstmgru.nn.kernels.vectors import array_at, lanes_in, lanes_of, load, load_part, store, sum_each, zeros


@register_jitable(forceinline=True)
def first_state(to: Any, given: int, real: Any, batch: int, units: int, size: int) -> None:
    """Fill a state (rows, units) with 0, or with a given (batch, size) array."""
    to[: padded(batch, ROWS) * units] = 0
    if given != 0:
        copy_rows(to, 0, units, array_at(given, real), 0, size, batch, size)


@register_jitable(forceinline=True)
def _step(
    formula: Any, parts: Any, gates: Any, kept: Any, at: int, hs: Any, states: Any, now: int, then: int, xs: Any,
    x_wide: int, weights: Any, rows: int, units: int, inputs: int, size: int,
) -> None:  # fmt: skip
    """Compute one step, strip by strip. ``states`` is the state that the formula reads: c, or h itself."""
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
    """The forward pass of a cell, to be compiled.

    Args:
        layout: Layout of the cell.
        real: Number type.
        formula: One step on a vector, such as :func:`lstmgru.nn.kernels.gates.gru_forward`.
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


# Rows (steps times batch) of a product over several steps: enough to amortize a tile's loads and stores, few enough to
# stay in the cache.
_ROWS_AT_ONCE = 128
# Bias gradients are summed in single precision over this many rows, then in double precision.
_ROWS_IN_SINGLE = 32
# Strips whose weights are reused before the next strips are read; they stay in the cache.
_STRIPS_AT_ONCE = 8


@register_jitable(forceinline=True)
def _through_weights(
    to: Any, to_at: int, wide: int, d: Any, at: int, part: int, weights: Any, gates: int, rows: int, strips: int
) -> None:
    """Add the gradients of the inputs of a product, from those of the pre-activations."""
    lanes = lanes_in(to)
    for first in range(0, wide, VECTORS * lanes):
        width = min(VECTORS * lanes, wide - first)
        for strip in range(0, strips, _STRIPS_AT_ONCE):
            panel = first * strips * gates + strip * gates * width
            for row in range(0, rows, ROWS):
                add_tile(
                    width // lanes, to, to_at + row * wide + first, wide,
                    d, at + (strip * rows + row) * part, part, 1, rows * part,
                    weights, panel, width, gates * width, min(_STRIPS_AT_ONCE, strips - strip), gates,
                )  # fmt: skip


@register_jitable(forceinline=True)
def _to_weights(
    to: Any, n_rows: int, inputs: Any, at: int, wide: int, d: Any, part: int, first: int, gates: int, rows: int,
    strips: int, steps: int,
) -> None:  # fmt: skip
    """Add the gradients of the weights over some steps, in the layout of ``columns_of`` with ``n_rows`` rows."""
    lanes = lanes_in(to)
    for strip in range(strips):
        for k in range(0, n_rows, ROWS):
            add_tile(
                gates // lanes, to, (strip * n_rows + k) * gates, gates, inputs, at + k, 1, wide, rows * wide,
                d, strip * rows * part + first, part, rows * strips * part, steps, rows,
            )  # fmt: skip


@register_jitable(forceinline=True)
def _through_gates(
    formula: Any, no_parts: Any, kept: Any, at: int, states: Any, now: int, then: int, dh: Any, dc: Any, d: Any,
    to: int, db: Any, rows: int, strips: int,
) -> None:  # fmt: skip
    """Gradients of the pre-activations of one step; the gradients of the state are replaced by those of its input."""
    lanes, none = lanes_in(d), zeros(d, TOGETHER, 1)
    part, units = len(no_parts) * lanes, strips * lanes
    some = np.empty(TOGETHER * part, d.dtype)
    for strip in range(strips):
        for row in range(0, rows, _ROWS_IN_SINGLE):
            total = no_parts
            for b in range(row, min(row + _ROWS_IN_SINGLE, rows), TOGETHER):
                place, unit = (strip * rows + b) * part, b * units + strip * lanes
                (before,), (after,) = load(states, now + unit, units, none), load(states, then + unit, units, none)
                (gradient,), (of_memory,) = load(dh, unit, units, none), load(dc, unit, units, none)
                gates = load(kept, at + place, part, no_parts)
                sums, gradient, of_memory = formula(gates, before, after, gradient, of_memory)
                store(d, to + place, part, sums)
                store(dh, unit, units, (gradient,))
                store(dc, unit, units, (of_memory,))
                total = sum_each(total, sums)
            store(some, 0, part, total)
            for i in range(TOGETHER):
                for k in range(part):
                    db[strip * part + k] += some[i * part + k]


@register_jitable(forceinline=True)
def _clear_filled(d: Any, at: int, part: int, rows: int, strips: int, size: int) -> None:
    """Set the gradients of padding units to 0.

    With infinite inputs or gradients they are NaN (0 times infinity), which the products would propagate.
    """
    lanes = lanes_in(d)
    for strip in range(size // lanes, strips):
        first = at + strip * rows * part
        for place in range(first, first + rows * part, lanes):
            store(d, place, 0, load_part(d, place, size - strip * lanes))


@register_jitable(forceinline=True)
def _give(
    call: Backward, real: Any, d_ih: Any, d_hh: Any, db: Any, n_gates: int, n_parts: int, n_x: int, n_h: int
) -> None:
    """Write the gradients of weights and biases in torch's layout."""
    size, inputs = call.size, call.inputs
    give_weights(array_at(call.d_ih, real), d_ih, n_gates, size, inputs, n_x, 0)
    give_weights(array_at(call.d_hh, real), d_hh, n_gates, size, size, n_h, n_parts - n_gates)
    give_biases(array_at(call.db_ih, real), array_at(call.db_hh, real), db, n_gates, n_parts, size, call.n_biases)


def backward_of(layout: Layout, real: Any, formula: Callable[..., Any]) -> Callable[[Backward], None]:
    """The backward pass of a cell, to be compiled, see :func:`forward_of`."""
    n_gates, n_parts, n_states = layout
    lanes = lanes_of(real)
    part, gates, shift = n_parts * lanes, n_gates * lanes, (n_parts - n_gates) * lanes

    def backward(call: Backward) -> None:
        batch, steps, inputs, size = call.batch, call.steps, call.inputs, call.size
        rows, units, x_wide = padded(batch, ROWS), wide(size, lanes), wide(inputs, lanes)
        strips, d_step, n_x, n_h = units // lanes, rows * units * n_parts, padded(inputs, ROWS), padded(size, ROWS)
        x, d_outputs, kept = array_at(call.x, real), array_at(call.d_outputs, real), array_at(call.kept, real)
        w = rows_of(array_at(call.w_ih, real), n_gates, size, inputs, 0)
        u = rows_of(array_at(call.w_hh, real), n_gates, size, size, n_parts - n_gates)
        hs = kept[steps * d_step :]
        states, no_parts = hs[(n_states - 1) * (steps + 1) * rows * units :], zeros(x, TOGETHER, n_parts)
        dh, dc = np.empty(rows * units, x.dtype), np.empty(rows * units, x.dtype)
        first_state(dh, call.dh_last, real, batch, units, size)
        first_state(dc, call.dc_last, real, batch, units, size)
        at_once = min(max(1, _ROWS_AT_ONCE // rows), steps)
        d = np.empty(at_once * d_step, x.dtype)
        xs, dxs = np.zeros(at_once * rows * x_wide, x.dtype), np.empty(at_once * rows * x_wide, x.dtype)
        d_ih, d_hh = np.zeros(units * n_x * n_gates, x.dtype), np.zeros(units * n_h * n_gates, x.dtype)
        db = np.zeros(strips * part, np.float64)
        for t in range(steps - 1, -1, -1):
            slot, now = t % at_once, t * rows * units
            if call.d_outputs != 0:
                add_rows(dh, units, d_outputs, t * call.d_step, call.d_batch, batch, size)
            _through_gates(
                formula, no_parts, kept, t * d_step, states, now, now + rows * units, dh, dc, d, slot * d_step, db,
                rows, strips,
            )  # fmt: skip
            _clear_filled(d, slot * d_step, part, rows, strips, size)
            _through_weights(dh, 0, units, d, slot * d_step, part, u, gates, rows, strips)
            if slot > 0:
                continue
            n_steps = min(at_once, steps - t)
            for k in range(n_steps):
                copy_rows(xs, k * rows * x_wide, x_wide, x, (t + k) * call.x_step, call.x_batch, batch, inputs)
            _to_weights(d_hh, n_h, hs, now, units, d, part, 0, gates, rows, strips, n_steps)
            _to_weights(d_ih, n_x, xs, 0, x_wide, d, part, shift, gates, rows, strips, n_steps)
            if call.dx != 0:
                dx = array_at(call.dx, real)
                dxs[:] = 0
                for k in range(n_steps):
                    at = k * rows * x_wide
                    _through_weights(dxs, at, x_wide, d, k * d_step + shift, part, w, gates, rows, strips)
                    copy_rows(dx, (t + k) * inputs, steps * inputs, dxs, at, x_wide, batch, inputs)
        _give(call, real, d_ih, d_hh, db, n_gates, n_parts, n_x, n_h)
        if call.dh != 0:
            copy_rows(array_at(call.dh, real), 0, size, dh, 0, units, batch, size)
        if call.dc != 0:
            copy_rows(array_at(call.dc, real), 0, size, dc, 0, units, batch, size)

    return backward

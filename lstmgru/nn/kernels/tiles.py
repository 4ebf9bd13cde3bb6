"""Compiled matrix products, computed in tiles of a few rows by a few vectors that are accumulated in registers.

For small matrices, BLAS spends up to half of the time on packing. Here the weights are packed once per sequence
(:func:`columns_of`, :func:`rows_of`), and the other operand is already stored in the required order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import register_jitable

from lstmgru.nn.kernels.layout import padded
from lstmgru.nn.kernels.vectors import (
    REGISTERS,
    Vector,
    instruction,
    lanes_in,
    load,
    load_part,
    multiply_add,
    pointer,
    read,
    spread,
    store,
    store_part,
    sum_each,
    write,
    zeros,
)

ROWS = 4 if REGISTERS >= 32 else 2
"""Rows of a tile: with four accumulators each, and the operands, they fill the registers."""
VECTORS = 4
"""Maximum number of vectors per row of a tile."""
TOGETHER = 2
"""Rows whose gates are computed together, to hide latency. It divides :data:`ROWS`."""

_INT = ir.IntType(64)

register_jitable(forceinline=True)(padded)


@register_jitable(forceinline=True)
def wide(n: int, lanes: int) -> int:
    """Padded length of a row of n: a multiple of the vector length and of the rows of a tile."""
    return padded(n, max(lanes, ROWS))


def _repeat(builder: Any, count: Any, values: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """Emit a loop with at least one iteration; ``body`` maps the iteration number and the values to new values."""
    before, loop, after = builder.block, *(builder.append_basic_block(name) for name in ("loop", "after"))
    builder.branch(loop)
    builder.position_at_end(loop)
    number, *carried = (builder.phi(value.type) for value in (_INT(0), *values))
    found = body(number, carried)
    following = builder.add(number, _INT(1))
    for phi, first, then in zip((number, *carried), (_INT(0), *values), (following, *found), strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(then, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    builder.position_at_end(after)
    return found


def _add_products(builder: Any, sums: list[Any], a: Any, a_row: Any, a_step: Any, b: Any, b_row: Any, n: Any) -> Any:
    """Add the product of n columns of ``a`` and n rows of ``b`` to the accumulators of a tile, in row-major order."""
    n_vectors, vector = len(sums) // ROWS, sums[0].type
    rows = [builder.gep(a, [builder.mul(a_row, _INT(i))]) for i in range(ROWS)]

    def add(k: Any, sums: list[Any]) -> list[Any]:
        row_of_b, column = builder.gep(b, [builder.mul(k, b_row)]), builder.mul(k, a_step)
        vectors = [read(builder, row_of_b, vector, j) for j in range(n_vectors)]
        numbers = [spread(builder, builder.load(builder.gep(row, [column])), vector.count) for row in rows]
        products = ((number, one) for number in numbers for one in vectors)
        return [multiply_add(builder, *pair, so_far) for pair, so_far in zip(products, sums, strict=True)]

    return _repeat(builder, n, sums, add)


def _tile(n_vectors: int) -> Any:
    @instruction
    def tile(
        context: Any, c: Any, c_at: Any, c_row: Any, a: Any, a_at: Any, a_row: Any, a_step: Any, a_skip: Any,
        b: Any, b_at: Any, b_row: Any, b_skip: Any, n_blocks: Any, n: Any,
    ) -> Any:  # fmt: skip
        kind, index = Vector(c.dtype), types.intp

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            c_, c_at, c_row, a_, a_at, a_row, a_step, a_skip, b_, b_at, b_row, b_skip, n_blocks, n = arguments
            first_a, first_b = pointer(context, builder, a, a_, a_at), pointer(context, builder, b, b_, b_at)
            vector = context.get_value_type(kind)

            def add_block(number: Any, sums: list[Any]) -> Any:
                block_a = builder.gep(first_a, [builder.mul(number, a_skip)])
                block_b = builder.gep(first_b, [builder.mul(number, b_skip)])
                return _add_products(builder, sums, block_a, a_row, a_step, block_b, b_row, n)

            zero = ir.Constant(vector, [0.0] * kind.lanes)
            sums = _repeat(builder, n_blocks, [zero] * (ROWS * n_vectors), add_block)
            for i in range(ROWS):
                place = pointer(context, builder, c, c_, builder.add(c_at, builder.mul(c_row, _INT(i))))
                for j in range(n_vectors):
                    total = builder.fadd(read(builder, place, vector, j), sums[i * n_vectors + j])
                    write(builder, total, place, j)
            return context.get_dummy_value()

        of_c, of_a, of_b = [c, index, index], [a, *[index] * 4], [b, *[index] * 3]
        return types.void(*of_c, *of_a, *of_b, index, index), build

    return tile


_tile_1, _tile_2, _tile_3, _tile_4 = (_tile(n) for n in range(1, VECTORS + 1))


@register_jitable(forceinline=True)
def add_tile(
    n_vectors: int, c: Any, c_at: int, c_row: int, a: Any, a_at: int, a_row: int, a_step: int, a_skip: int,
    b: Any, b_at: int, b_row: int, b_skip: int, n_blocks: int, n: int,
) -> None:  # fmt: skip
    """Add the products of blocks of ``a`` and ``b`` to a tile of ``c`` (compiled).

    A block is n columns of ``a`` and n rows of ``b``. In the flat arrays, ``at`` is the start; ``row``, ``step`` and
    ``skip`` are the strides between rows, columns and blocks. The tile has ``n_vectors`` vectors per row, from 1 to 4;
    ``n_blocks`` and ``n`` are at least 1. The sum is rounded to the type of ``c`` once, at the end.
    """
    if n_vectors == 4:
        _tile_4(c, c_at, c_row, a, a_at, a_row, a_step, a_skip, b, b_at, b_row, b_skip, n_blocks, n)
    elif n_vectors == 3:
        _tile_3(c, c_at, c_row, a, a_at, a_row, a_step, a_skip, b, b_at, b_row, b_skip, n_blocks, n)
    elif n_vectors == 2:
        _tile_2(c, c_at, c_row, a, a_at, a_row, a_step, a_skip, b, b_at, b_row, b_skip, n_blocks, n)
    else:
        _tile_1(c, c_at, c_row, a, a_at, a_row, a_step, a_skip, b, b_at, b_row, b_skip, n_blocks, n)


@instruction
def fill_sums(
    context: Any, parts: Any, gates: Any, sums: Any, at: Any, bias: Any, bias_at: Any,
    h: Any, h_at: Any, h_row: Any, u: Any, u_at: Any, n_units: Any,
    x: Any, x_at: Any, x_row: Any, w: Any, w_at: Any, n_inputs: Any,
) -> Any:  # fmt: skip
    """Write the pre-activations of a strip for the rows of a tile: bias + u h + w x.

    ``parts`` and ``gates`` are tuples with as many vectors as there are parts and gates. ``at`` is the start in a flat
    array, ``row`` the stride between rows. u and w are packed by :func:`columns_of`.
    """
    kind, index, n_parts, n_gates = Vector(sums.dtype), types.intp, parts.count, gates.count

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums_, at, bias_, bias_at, *read_from = arguments[2:]
        vector = context.get_value_type(kind)
        start = pointer(context, builder, bias, bias_, bias_at)
        tile = [[read(builder, start, vector, j) for j in range(n_parts)] for _ in range(ROWS)]
        products = ((slice(n_gates), h, u, read_from[:6]), (slice(n_parts - n_gates, n_parts), x, w, read_from[6:]))
        for part, a, b, (a_, a_at, a_row, b_, b_at, n) in products:
            found = _add_products(
                builder, [value for row in tile for value in row[part]],
                pointer(context, builder, a, a_, a_at), a_row, _INT(1),
                pointer(context, builder, b, b_, b_at), _INT(n_gates * kind.lanes), n,
            )  # fmt: skip
            for i, row in enumerate(tile):
                row[part] = found[i * n_gates : (i + 1) * n_gates]
        place = pointer(context, builder, sums, sums_, at)
        for k, value in enumerate(value for row in tile for value in row):
            write(builder, value, place, k)
        return context.get_dummy_value()

    of_products = [each for a, b in ((h, u), (x, w)) for each in (a, index, index, b, index, index)]
    return types.void(parts, gates, sums, index, bias, index, *of_products), build


@register_jitable(forceinline=True)
def columns_of(w: Any, n_gates: int, size: int, n_inputs: int, shift: int) -> Any:
    """Pack weights (gates · size, inputs) as (strips, inputs, gates, lanes), for products that yield the gates."""
    lanes = lanes_in(w)
    columns = np.zeros(wide(size, lanes) * n_inputs * n_gates, w.dtype)
    for k in range(n_gates):
        for start in range(0, size, lanes):
            first, to = (k - shift) % n_gates * size + start, (start * n_inputs * n_gates) + k * lanes
            for i in range(n_inputs):
                for lane in range(min(lanes, size - start)):
                    columns[to + i * n_gates * lanes + lane] = w[(first + lane) * n_inputs + i]
    return columns


@register_jitable(forceinline=True)
def rows_of(w: Any, n_gates: int, size: int, n_inputs: int, shift: int) -> Any:
    """Pack weights (gates · size, inputs) as (panels, strips, gates, lanes, inputs of a panel), for the transpose.

    A panel is as wide as a tile; the last one holds the remaining inputs, padded to whole vectors.
    """
    lanes = lanes_in(w)
    n_rows, most = wide(size, lanes) * n_gates, VECTORS * lanes
    rows = np.zeros(n_rows * wide(n_inputs, lanes), w.dtype)
    for k in range(n_gates):
        first = (k - shift) % n_gates * size
        for j in range(size):
            strip, lane = divmod(j, lanes)
            row = (strip * n_gates + k) * lanes + lane
            for start in range(0, n_inputs, most):
                width = min(most, wide(n_inputs, lanes) - start)
                for i in range(start, min(start + most, n_inputs)):
                    rows[start * n_rows + row * width + i - start] = w[(first + j) * n_inputs + i]
    return rows


@register_jitable(forceinline=True)
def biases_of(b_ih: Any, b_hh: Any, n_gates: int, n_parts: int, size: int, n_biases: int) -> Any:
    """(strips, parts, lanes) sum of both biases; the recurrent one covers all gates, or only the u of the candidate."""
    lanes, shift = lanes_in(b_ih), n_parts - n_gates
    biases = np.zeros(wide(size, lanes) * n_parts, b_ih.dtype)
    for j in range(size):
        strip, lane = divmod(j, lanes)
        at = strip * n_parts * lanes + lane
        for k in range(n_gates):
            biases[at + (shift + k) * lanes] = b_ih[k * size + j]
            if k < n_gates - shift and n_biases > size:
                biases[at + (shift + k) * lanes] += b_hh[k * size + j]
        if shift:
            biases[at] = b_hh[n_biases - size + j]
    return biases


@register_jitable(forceinline=True)
def give_weights(to: Any, columns: Any, n_gates: int, size: int, n_inputs: int, n_rows: int, shift: int) -> None:
    """The inverse of :func:`columns_of`, for strips with ``n_rows`` rows of inputs."""
    lanes = lanes_in(to)
    for k in range(n_gates):
        for start in range(0, size, lanes):
            first, at = (k - shift) % n_gates * size + start, (start * n_rows * n_gates) + k * lanes
            for i in range(n_inputs):
                for lane in range(min(lanes, size - start)):
                    to[(first + lane) * n_inputs + i] = columns[at + i * n_gates * lanes + lane]


@register_jitable(forceinline=True)
def give_biases(to_ih: Any, to_hh: Any, biases: Any, n_gates: int, n_parts: int, size: int, n_biases: int) -> None:
    """Write the gradients of both biases from those of the parts."""
    lanes, shift = lanes_in(to_ih), n_parts - n_gates
    for j in range(size):
        strip, lane = divmod(j, lanes)
        at = strip * n_parts * lanes + lane
        for k in range(n_gates):
            to_ih[k * size + j] = biases[at + (shift + k) * lanes]
            if n_biases > size:
                to_hh[k * size + j] = biases[at + (shift + k) * lanes]
        if shift:
            to_hh[n_biases - size + j] = biases[at]


@register_jitable(forceinline=True)
def copy_rows(to: Any, to_at: int, to_row: int, source: Any, at: int, row: int, n_rows: int, n: int) -> None:
    """Copy the first n numbers of each row; ``at`` is the start of the first row, ``row`` the stride."""
    one = zeros(to, 1, 1)
    lanes = lanes_in(source)
    for b in range(n_rows):
        for i in range(0, n, lanes):
            there, here = to_at + b * to_row + i, at + b * row + i
            if n - i >= lanes:
                store(to, there, 0, load(source, here, 0, one))
            else:
                store_part(to, there, n - i, load_part(source, here, n - i))


@register_jitable(forceinline=True)
def add_rows(to: Any, to_row: int, source: Any, at: int, row: int, n_rows: int, n: int) -> None:
    """Add rows of n numbers to rows that are padded to whole vectors."""
    one = zeros(to, 1, 1)
    lanes = lanes_in(source)
    for b in range(n_rows):
        for i in range(0, n, lanes):
            there, here = b * to_row + i, at + b * row + i
            more = load(source, here, 0, one) if n - i >= lanes else load_part(source, here, n - i)
            store(to, there, 0, sum_each(load(to, there, 0, one), more))

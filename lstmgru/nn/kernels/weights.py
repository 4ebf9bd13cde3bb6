"""Weights as the tiles read them, and their gradients as torch wants them, compiled.

A gate's units come in strips of ``lanes``; units that only fill up the last strip have weights 0. Gates come in the
order of the parts: those that read the state are ``shift`` places behind those that read the input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from lstmgru.nn.kernels.arrays import lanes_in
from lstmgru.nn.kernels.tiles import VECTORS, wide


@register_jitable
def columns_of(w: Any, n_gates: int, size: int, n_inputs: int, shift: int) -> Any:
    """(gates · size, inputs) → (strips, inputs, gates, lanes): what a strip adds up, input after input."""
    lanes = lanes_in(w)
    columns = np.zeros(wide(size, lanes) * n_inputs * n_gates, w.dtype)
    for k in range(n_gates):
        for start in range(0, size, lanes):
            first, to = (k - shift) % n_gates * size + start, (start * n_inputs * n_gates) + k * lanes
            for i in range(n_inputs):
                for lane in range(min(lanes, size - start)):
                    columns[to + i * n_gates * lanes + lane] = w[(first + lane) * n_inputs + i]
    return columns


@register_jitable
def rows_of(w: Any, n_gates: int, size: int, n_inputs: int, shift: int) -> Any:
    """(gates · size, inputs) → (panels of inputs, strips, gates, lanes, inputs of a panel): what a panel adds up.

    A panel is as wide as a tile can be, the last one as the inputs that are left, filled up to whole vectors.
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


@register_jitable
def biases_of(b_ih: Any, b_hh: Any, n_gates: int, n_parts: int, size: int, n_biases: int) -> Any:
    """(strips, parts, lanes) of both biases; the second is there for all gates, or for the candidate's u alone."""
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


@register_jitable
def give_weights(to: Any, columns: Any, n_gates: int, size: int, n_inputs: int, n_rows: int, shift: int) -> None:
    """The inverse of :func:`columns_of`, where a strip has so many rows of inputs."""
    lanes = lanes_in(to)
    for k in range(n_gates):
        for start in range(0, size, lanes):
            first, at = (k - shift) % n_gates * size + start, (start * n_rows * n_gates) + k * lanes
            for i in range(n_inputs):
                for lane in range(min(lanes, size - start)):
                    to[(first + lane) * n_inputs + i] = columns[at + i * n_gates * lanes + lane]


@register_jitable
def give_biases(to_ih: Any, to_hh: Any, biases: Any, n_gates: int, n_parts: int, size: int, n_biases: int) -> None:
    """Gradients of both biases from those of the parts."""
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

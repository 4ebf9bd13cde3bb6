"""Sigmoid and tanh in compiled code, in a form that LLVM vectorises, and the loops that the cells are made of.

Loops are over flat arrays of one length, one to five of them: of more, LLVM gives up to show that they do not overlap.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable

_BLOCK = 1024


def _exp(x: Any) -> Any:
    raise NotImplementedError


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) (compiled)."""
    raise NotImplementedError


def tanh(x: Any) -> Any:
    """(exp(2x) - 1) / (exp(2x) + 1) (compiled)."""
    raise NotImplementedError


@intrinsic
def _power_of_two(context: Any, shifted: Any) -> Any:
    """2^n of a number whose lowest bits are n + the bias of the exponent."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer = ir.IntType(shifted.bitwidth)
        bits = builder.shl(builder.bitcast(arguments[0], integer), integer({32: 23, 64: 52}[shifted.bitwidth]))
        return builder.bitcast(bits, arguments[0].type)

    return shifted(shifted), build


@overload(_exp)
def _exp_of(x: Any) -> Any:
    """p and s with exp(x) = s + s p; p = exp(x - n ln 2) - 1 by its power series, s = 2^n."""
    single = x == types.float32
    real: Any = np.float32 if single else np.float64
    per_log2, to_integer = real(1 / math.log(2)), real(1.5 * 2**23 + 127 if single else 1.5 * 2**52 + 1023)
    # ln 2 in two parts, the first so short that n times it is exact (Cody & Waite 1980).
    high = real(0.693359375 if single else 0.693145751953125)
    low = real(-2.121944400546906e-4 if single else 1.4286068203094172e-6)
    series = tuple(real(1 / math.factorial(k)) for k in range(7 if single else 13, 0, -1))

    def of(x: Any) -> Any:
        shifted = x * per_log2 + to_integer
        n = shifted - to_integer
        rest = (x - n * high) - n * low
        p = series[0]
        for k in range(1, len(series)):
            p = p * rest + series[k]
        return p * rest, _power_of_two(shifted)  # type: ignore[call-arg]

    return of


@overload(sigmoid)
def _sigmoid_of(x: Any) -> Any:
    real: Any = np.float32 if x == types.float32 else np.float64
    one, most = real(1), real(87 if x == types.float32 else 708)

    def of(x: Any) -> Any:
        x = -most if x > most else (most if x < -most else -x)  # NaN stays NaN
        p, s = _exp(x)
        return one / (one + (s + s * p))

    return of


@overload(tanh)
def _tanh_of(x: Any) -> Any:
    real: Any = np.float32 if x == types.float32 else np.float64
    one, two, most = real(1), real(2), real(10 if x == types.float32 else 20)

    def of(x: Any) -> Any:
        x = most if x > most else (-most if x < -most else x)
        p, s = _exp(x + x)
        less_one = s * p + (s - one)  # without the cancellation of exp(2x) - 1 for small x
        return less_one / (less_one + two)

    return of


@register_jitable
def block_of(size: int) -> int:
    """Elements of each array that a chain of loops walks before the next, so that they stay in the cache (compiled).

    It is a multiple of ``size``, the length of a row.
    """
    return max(1, _BLOCK // size) * size


@register_jitable
def gate(values: Any, sums: Any, bias: Any) -> None:
    """values = σ(values + sums + bias) (compiled)."""
    for i in range(len(values)):
        values[i] = sigmoid(values[i] + sums[i] + bias[i])


@register_jitable
def candidate(values: Any, u: Any, reset: Any, sums: Any, bias: Any, bias_u: Any) -> None:
    """u = sums + bias_u; values = tanh(values + bias + reset ⊙ u) (compiled)."""
    for i in range(len(u)):
        u[i] = sums[i] + bias_u[i]
    for i in range(len(values)):
        values[i] = tanh(values[i] + bias[i] + reset[i] * u[i])


@register_jitable
def candidate_back(d_reset: Any, du: Any, d: Any, reset: Any, u: Any) -> None:
    """From the gradient ``d`` of the sum in the candidate to those of u and of the sum in the reset gate (compiled)."""
    one = d.dtype.type(1)
    for i in range(len(d)):
        du[i] = d[i] * reset[i]
        d_reset[i] = d[i] * u[i] * (reset[i] * (one - reset[i]))


@register_jitable
def update(after: Any, before: Any, keep: Any, new: Any) -> None:
    """after = keep ⊙ before + (1 - keep) ⊙ new (compiled)."""
    for i in range(len(after)):
        after[i] = new[i] + keep[i] * (before[i] - new[i])


@register_jitable
def update_back(d_keep: Any, d_new: Any, d: Any, before: Any, keep: Any, new: Any) -> None:
    """From the gradient ``d`` of ``after`` to those of the sums in keep and new (compiled).

    keep is a sigmoid, new a tanh; ``d`` becomes the gradient of ``before``.
    """
    one = d.dtype.type(1)
    for i in range(len(d)):
        d_keep[i] = d[i] * (before[i] - new[i]) * (keep[i] * (one - keep[i]))
    for i in range(len(d)):
        d_new[i] = d[i] * (one - keep[i]) * (one - new[i] * new[i])
        d[i] *= keep[i]


@register_jitable
def output(h: Any, out: Any, c: Any) -> None:
    """h = out ⊙ tanh(c) (compiled)."""
    for i in range(len(h)):
        h[i] = out[i] * tanh(c[i])


@register_jitable
def output_back(d_out: Any, dc: Any, dh: Any, out: Any, c: Any) -> None:
    """From h's gradient to that of the sum in the output gate, and added to that of c (compiled)."""
    one = dh.dtype.type(1)
    for i in range(len(dh)):
        squashed = tanh(c[i])
        d_out[i] = dh[i] * squashed * (out[i] * (one - out[i]))
        dc[i] += dh[i] * out[i] * (one - squashed * squashed)


@register_jitable
def add(to: Any, more: Any) -> None:
    """to += more (compiled)."""
    for i in range(len(to)):
        to[i] += more[i]

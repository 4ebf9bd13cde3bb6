"""The cells' formulas, compiled: sigmoid and tanh of vectors, and one step of each cell on a vector of units.

Sigmoid and tanh are exact to a few units in the last place. The parts of each cell (``sums``, ``gates``) are those of
``layout.py``. The gradient of h before a step is only what does not flow through the weights.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable

from lstmgru.nn.kernels.vectors import clamp, power_of_two


def _exp(x: Any) -> Any:
    raise NotImplementedError


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) (compiled)."""
    raise NotImplementedError


def tanh(x: Any) -> Any:
    """(exp(2x) - 1) / (exp(2x) + 1) (compiled)."""
    raise NotImplementedError


@overload(_exp, jit_options={"forceinline": True})
def _exp_of(x: Any) -> Any:
    """p and s such that exp(x) = s + s p: p = exp(x - n ln 2) - 1 by its power series, and s = 2^n."""
    single = x.real == numba.float32
    real: Any = np.float32 if single else np.float64
    per_log2, to_integer = real(1 / math.log(2)), real(1.5 * 2**23 + 127 if single else 1.5 * 2**52 + 1023)
    # ln 2 in two parts, the first short enough for its product with n to be exact (Cody & Waite 1980).
    high = real(0.693359375 if single else 0.693145751953125)
    low = real(-2.121944400546906e-4 if single else 1.4286068203094172e-6)
    series = tuple(real(1 / math.factorial(k)) for k in range(7 if single else 13, 0, -1))

    def of(x: Any) -> Any:
        shifted = x * per_log2 + to_integer
        n = shifted - to_integer
        rest = (x - n * high) - n * low
        p = rest * series[0] + series[1]
        for k in range(2, len(series)):
            p = p * rest + series[k]
        return p * rest, power_of_two(shifted)

    return of


@overload(sigmoid, jit_options={"forceinline": True})
def _sigmoid_of(x: Any) -> Any:
    real: Any = np.float32 if x.real == numba.float32 else np.float64
    zero, one, most = real(0), real(1), real(87 if x.real == numba.float32 else 708)

    def of(x: Any) -> Any:
        p, s = _exp(zero - clamp(x, -most, most))
        return one / (one + (s + s * p))

    return of


@overload(tanh, jit_options={"forceinline": True})
def _tanh_of(x: Any) -> Any:
    real: Any = np.float32 if x.real == numba.float32 else np.float64
    one, two, most = real(1), real(2), real(10 if x.real == numba.float32 else 20)

    def of(x: Any) -> Any:
        limited = clamp(x, -most, most)
        p, s = _exp(limited + limited)
        less_one = s * p + (s - one)  # avoids the cancellation in exp(2x) - 1 for small x
        return less_one / (less_one + two)

    return of


@register_jitable(forceinline=True)
def lstm_forward(sums: Any, c: Any) -> Any:
    """One step of an LSTM.

    Args:
        sums: Pre-activations of i, f, g, o.
        c: Memory before the step.

    Returns:
        The gates, and c and h after the step.
    """
    i, f, g, o = sums
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    c = f * c + i * g
    return (i, f, g, o), c, o * tanh(c)


@register_jitable(forceinline=True)
def lstm_backward(gates: Any, before: Any, after: Any, dh: Any, dc: Any) -> Any:
    """Gradients of an LSTM step.

    Args:
        gates: Values of the gates.
        before: c before the step.
        after: c after the step.
        dh: Gradient of h after the step.
        dc: Gradient of c after the step.

    Returns:
        Gradients of the pre-activations, and of h and c before the step.
    """
    i, f, g, o = gates
    squashed = tanh(after)
    dc = dc + dh * o * (1 - squashed * squashed)
    sums = (
        dc * g * (i * (1 - i)),
        dc * before * (f * (1 - f)),
        dc * i * (1 - g * g),
        dh * squashed * (o * (1 - o)),
    )
    return sums, dh * 0, dc * f


@register_jitable(forceinline=True)
def gru_forward(sums: Any, h: Any) -> Any:
    """One step of a GRU, from the pre-activations and h to u and the gates, h, and h again."""
    u, r, z, n = sums
    r, z = sigmoid(r), sigmoid(z)
    n = tanh(n + r * u)
    h = n + z * (h - n)
    return (u, r, z, n), h, h


@register_jitable(forceinline=True)
def gru_backward(gates: Any, before: Any, after: Any, dh: Any, dc: Any) -> Any:
    """Gradients of a GRU step, like :func:`lstm_backward` with h in place of c; ``dc`` is returned unchanged."""
    u, r, z, n = gates
    dn = dh * (1 - z) * (1 - n * n)
    sums = (dn * r, dn * u * (r * (1 - r)), dh * (before - n) * (z * (1 - z)), dn)
    return sums, dh * z, dc


@register_jitable(forceinline=True)
def fused_forward(sums: Any, c: Any) -> Any:
    """One step of the fused cell, from the pre-activations and c to u and the gates, c and h."""
    u, r, z, o, g = sums
    r, z, o = sigmoid(r), sigmoid(z), sigmoid(o)
    g = tanh(g + r * u)
    c = g + z * (c - g)
    return (u, r, z, o, g), c, o * tanh(c)


@register_jitable(forceinline=True)
def fused_backward(gates: Any, before: Any, after: Any, dh: Any, dc: Any) -> Any:
    """Gradients of a step of the fused cell, like :func:`lstm_backward`."""
    u, r, z, o, g = gates
    squashed = tanh(after)
    dc = dc + dh * o * (1 - squashed * squashed)
    dg = dc * (1 - z) * (1 - g * g)
    sums = (
        dg * r,
        dg * u * (r * (1 - r)),
        dc * (before - g) * (z * (1 - z)),
        dh * squashed * (o * (1 - o)),
        dg,
    )
    return sums, dh * 0, dc * z

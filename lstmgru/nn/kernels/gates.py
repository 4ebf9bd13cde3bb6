"""Sigmoid and tanh of vectors, exact to a few units in the last place."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.extending import overload

from lstmgru.nn.kernels.vectors import clamp, power_of_two


def _exp(x: Any) -> Any:
    raise NotImplementedError


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) (compiled)."""
    raise NotImplementedError


def tanh(x: Any) -> Any:
    """(exp(2x) - 1) / (exp(2x) + 1) (compiled)."""
    raise NotImplementedError


@overload(_exp)
def _exp_of(x: Any) -> Any:
    """p and s with exp(x) = s + s p; p = exp(x - n ln 2) - 1 by its power series, s = 2^n."""
    single = x.real == numba.float32
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
        p = rest * series[0] + series[1]
        for k in range(2, len(series)):
            p = p * rest + series[k]
        return p * rest, power_of_two(shifted)

    return of


@overload(sigmoid)
def _sigmoid_of(x: Any) -> Any:
    real: Any = np.float32 if x.real == numba.float32 else np.float64
    zero, one, most = real(0), real(1), real(87 if x.real == numba.float32 else 708)

    def of(x: Any) -> Any:
        p, s = _exp(zero - clamp(x, -most, most))
        return one / (one + (s + s * p))

    return of


@overload(tanh)
def _tanh_of(x: Any) -> Any:
    real: Any = np.float32 if x.real == numba.float32 else np.float64
    one, two, most = real(1), real(2), real(10 if x.real == numba.float32 else 20)

    def of(x: Any) -> Any:
        limited = clamp(x, -most, most)
        p, s = _exp(limited + limited)
        less_one = s * p + (s - one)  # without the cancellation of exp(2x) - 1 for small x
        return less_one / (less_one + two)

    return of

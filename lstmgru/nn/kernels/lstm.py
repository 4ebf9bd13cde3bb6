"""A step of an LSTM on a vector of units, compiled.

Its parts, in the sense of ``layout.py``: i, f, g, o.
"""

from __future__ import annotations

from typing import Any

from numba.extending import register_jitable

from lstmgru.nn.kernels.gates import sigmoid, tanh


@register_jitable
def forward(sums: Any, c: Any) -> Any:
    """From the sums in the gates and c before it to the gates, c and h."""
    i, f, g, o = sums
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    c = f * c + i * g
    return (i, f, g, o), c, o * tanh(c)


@register_jitable
def backward(gates: Any, before: Any, after: Any, dh: Any, dc: Any) -> Any:
    """From c before and after it, and the gradients of h and c, to those of the sums, of h and c before it.

    The gradient of h before it is what does not come through the weights: nothing.
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

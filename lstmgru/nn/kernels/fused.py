"""A step of the fused cell on a vector of units, compiled.

Its parts, in the sense of ``layout.py``: g's recurrent u, r, z, o, g.
"""

from __future__ import annotations

from typing import Any

from numba.extending import register_jitable

from lstmgru.nn.kernels.gates import sigmoid, tanh


@register_jitable
def forward(sums: Any, c: Any) -> Any:
    """From the sums in the gates and c before it to u and the gates, c and h."""
    u, r, z, o, g = sums
    r, z, o = sigmoid(r), sigmoid(z), sigmoid(o)
    g = tanh(g + r * u)
    c = g + z * (c - g)
    return (u, r, z, o, g), c, o * tanh(c)


@register_jitable
def backward(gates: Any, before: Any, after: Any, dh: Any, dc: Any) -> Any:
    """From c before and after it, and the gradients of h and c, to those of the sums, of h and c before it.

    The gradient of h before it is what does not come through the weights: nothing.
    """
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

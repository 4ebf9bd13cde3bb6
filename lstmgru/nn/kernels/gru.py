"""A step of a GRU on a vector of units, compiled.

Its parts, in the sense of ``layout.py``: n's recurrent u, r, z, n.
"""

from __future__ import annotations

from typing import Any

from numba.extending import register_jitable

from lstmgru.nn.kernels.gates import sigmoid, tanh


@register_jitable
def forward(sums: Any, h: Any) -> Any:
    """From the sums in the gates and h before it to u and the gates, h, and again h."""
    u, r, z, n = sums
    r, z = sigmoid(r), sigmoid(z)
    n = tanh(n + r * u)
    h = n + z * (h - n)
    return (u, r, z, n), h, h


@register_jitable
def backward(gates: Any, before: Any, after: Any, dh: Any, dc: Any) -> Any:
    """From h before and after it and the gradient of h to those of the sums, and of h before it.

    The gradient of h before it is what does not come through the weights. What is given as ``dc`` is not used.
    """
    u, r, z, n = gates
    dn = dh * (1 - z) * (1 - n * n)
    sums = (dn * r, dn * u * (r * (1 - r)), dh * (before - n) * (z * (1 - z)), dn)
    return sums, dh * z, dc

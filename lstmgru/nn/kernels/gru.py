"""All steps of a GRU, compiled. Its parts, in the sense of ``layout.py``: r, z, n, and n's recurrent u."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstmgru.nn.kernels.elementwise import add, block_of, candidate, candidate_back, gate, update, update_back
from lstmgru.nn.kernels.steps import as_given, part_biases, read, recur, recur_back, start_from, weights_back


def forward(
    at_once: int, x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, h0: Any, c0: Any,
    kept: Any, hs: Any, h: Any, c: Any,
) -> None:  # fmt: skip
    """Fill ``kept``, ``hs`` and ``h``.

    Args:
        at_once: Rows of the input that are read at once.
        x: (T, B, I).
        w_ih: (3H, I).
        w_hh: (3H, H).
        b_ih: (3H).
        b_hh: (3H).
        h0: (B, H), or empty: 0.
        c0: Not used.
        kept: (4, rows, H) the parts; where the rows are fewer than T · B, those of the last steps.
        hs: (T, B, H) outputs.
        h: (B, H) the last of them.
        c: Not used.
    """
    batch, size = h.shape
    x, hs = x.reshape(-1, x.shape[2]), hs.reshape(-1, size)
    block = block_of(size)
    bias = part_biases(b_ih, b_hh, 4, block // size)
    sums = np.empty((3, batch, size), x.dtype)
    s, flat, before = sums.reshape(3, -1), kept.reshape(4, -1), start_from(h0, batch)
    for start in range(0, len(x), batch):
        at = start % kept.shape[1]
        if start % at_once == 0:
            rows = min(at_once, len(x) - start)
            read(kept[:, at : at + rows], x[start : start + rows], w_ih)
        recur(sums, before, w_hh)
        after = hs[start : start + batch]
        for low in range(0, batch * size, block):
            high = min(low + block, batch * size)
            first, last = at * size + low, at * size + high
            r, z, n, u = flat[0, first:last], flat[1, first:last], flat[2, first:last], flat[3, first:last]
            gate(r, s[0, low:high], bias[0, : high - low])
            gate(z, s[1, low:high], bias[1, : high - low])
            candidate(n, u, r, s[2, low:high], bias[2, : high - low], bias[3, : high - low])
            update(after.reshape(-1)[low:high], before.reshape(-1)[low:high], z, n)
        before = after
    h[:] = before


def backward(
    at_once: int, x: Any, w_ih: Any, w_hh: Any, h0: Any, c0: Any, kept: Any, hs: Any,
    dhs: Any, dh_last: Any, dc_last: Any, dx: Any, d_ih: Any, d_hh: Any, db_ih: Any, db_hh: Any, dh: Any, dc: Any,
) -> None:  # fmt: skip
    """Fill ``dx``, if it is not empty, and all that follow it.

    Args:
        at_once: As in the way forwards.
        x: (T, B, I).
        w_ih: (3H, I).
        w_hh: (3H, H).
        h0: (B, H), or empty: 0.
        c0: Not used.
        kept: (4, T · B, H) from the way forwards.
        hs: (T, B, H) from the way forwards.
        dhs: (T, B, H) gradient of the outputs, or empty: 0.
        dh_last: (B, H) gradient of the last state, or empty: 0.
        dc_last: Not used.
        dx: (T, B, I), or empty.
        d_ih: (3H, I).
        d_hh: (3H, H).
        db_ih: (3H).
        db_hh: (3H).
        dh: (B, H) gradient of h0.
        dc: Not used.
    """
    batch, size = dh.shape
    block = block_of(size)
    x, dx, hs, dhs = x.reshape(-1, x.shape[2]), dx.reshape(-1, x.shape[2]), hs.reshape(-1, size), dhs.reshape(-1)
    h0, dh[:], d_hh[:] = start_from(h0, batch), start_from(dh_last, batch), 0
    by_gate, by_part = np.zeros((3, x.shape[1], size), x.dtype), np.zeros((4, size), np.float64)
    d = np.empty((4, min(at_once, len(x)), size), x.dtype)
    d_flat, flat, dh_flat = d.reshape(4, -1), kept.reshape(4, -1), dh.reshape(-1)
    recurrent = np.empty((batch, size), x.dtype)
    for start in range(len(x) - batch, -1, -batch):
        at = start % at_once
        before = (hs[start - batch : start] if start > 0 else h0).reshape(-1)
        for low in range(0, batch * size, block):
            high = min(low + block, batch * size)
            first, last, into, until = start * size + low, start * size + high, at * size + low, at * size + high
            r, z, n, u = flat[0, first:last], flat[1, first:last], flat[2, first:last], flat[3, first:last]
            dr, dz, dn, du = d_flat[0, into:until], d_flat[1, into:until], d_flat[2, into:until], d_flat[3, into:until]
            if len(dhs) > 0:
                add(dh_flat[low:high], dhs[first:last])
            update_back(dz, dn, dh_flat[low:high], before[low:high], z, n)
            candidate_back(dr, du, dn, r, u)
        # On its own first: BLAS would round each of its many small terms to the precision of what it adds them to.
        recur_back(recurrent, d[:, at : at + batch], w_hh)
        add(dh_flat, recurrent.reshape(-1))
        if at == 0:
            rows = min(at_once, len(x) - start)
            weights_back(d[:, :rows], start, x, h0, hs, w_ih, dx, by_gate, d_hh, by_part)
    as_given(by_gate, by_part, d_ih, db_ih, db_hh)

"""All steps of the fused cell, compiled. Its parts, in the sense of ``layout.py``: r, z, o, g, and g's recurrent u."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstmgru.nn.kernels.elementwise import (
    add,
    block_of,
    candidate,
    candidate_back,
    gate,
    output,
    output_back,
    update,
    update_back,
)
from lstmgru.nn.kernels.steps import as_given, part_biases, read, recur, recur_back, start_from, weights_back


def forward(
    at_once: int, x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, h0: Any, c0: Any,
    kept: Any, hs: Any, h: Any, c: Any,
) -> None:  # fmt: skip
    """Fill ``kept``, ``hs``, ``h`` and ``c``.

    Args:
        at_once: Rows of the input that are read at once.
        x: (T, B, I).
        w_ih: (4H, I).
        w_hh: (4H, H).
        b_ih: (4H).
        b_hh: (H).
        h0: (B, H), or empty: 0.
        c0: (B, H), or empty: 0.
        kept: (6, rows, H) the parts and c; where the rows are fewer than T · B, those of the last steps, at least two.
        hs: (T, B, H) outputs.
        h: (B, H) the last of them.
        c: (B, H) the last of the memory cell.
    """
    batch, size = h.shape
    x, hs = x.reshape(-1, x.shape[2]), hs.reshape(-1, size)
    block = block_of(size)
    bias = part_biases(b_ih, b_hh, 5, block // size)
    sums = np.empty((4, batch, size), x.dtype)
    s, flat = sums.reshape(4, -1), kept.reshape(6, -1)
    h_now, c_before = start_from(h0, batch), start_from(c0, batch).reshape(-1)
    for start in range(0, len(x), batch):
        at = start % kept.shape[1]
        if start % at_once == 0:
            rows = min(at_once, len(x) - start)
            read(kept[:, at : at + rows], x[start : start + rows], w_ih)
        recur(sums, h_now, w_hh)
        h_now, c_now = hs[start : start + batch], flat[5, at * size : (at + batch) * size]
        for low in range(0, batch * size, block):
            high = min(low + block, batch * size)
            first, last = at * size + low, at * size + high
            r, z, o, g = flat[0, first:last], flat[1, first:last], flat[2, first:last], flat[3, first:last]
            gate(r, s[0, low:high], bias[0, : high - low])
            gate(z, s[1, low:high], bias[1, : high - low])
            gate(o, s[2, low:high], bias[2, : high - low])
            candidate(g, flat[4, first:last], r, s[3, low:high], bias[3, : high - low], bias[4, : high - low])
            update(c_now[low:high], c_before[low:high], z, g)
            output(h_now.reshape(-1)[low:high], o, c_now[low:high])
        c_before = c_now
    h[:] = h_now
    c.reshape(-1)[:] = c_before


def backward(
    at_once: int, x: Any, w_ih: Any, w_hh: Any, h0: Any, c0: Any, kept: Any, hs: Any,
    dhs: Any, dh_last: Any, dc_last: Any, dx: Any, d_ih: Any, d_hh: Any, db_ih: Any, db_hh: Any, dh: Any, dc: Any,
) -> None:  # fmt: skip
    """Fill ``dx``, if it is not empty, and all that follow it.

    Args:
        at_once: As in the way forwards.
        x: (T, B, I).
        w_ih: (4H, I).
        w_hh: (4H, H).
        h0: (B, H), or empty: 0.
        c0: (B, H), or empty: 0.
        kept: (6, T · B, H) from the way forwards.
        hs: (T, B, H) from the way forwards.
        dhs: (T, B, H) gradient of the outputs, or empty: 0.
        dh_last: (B, H) gradient of the last h, or empty: 0.
        dc_last: (B, H) gradient of the last c, or empty: 0.
        dx: (T, B, I), or empty.
        d_ih: (4H, I).
        d_hh: (4H, H).
        db_ih: (4H).
        db_hh: (H).
        dh: (B, H) gradient of h0.
        dc: (B, H) gradient of c0.
    """
    batch, size = dh.shape
    block = block_of(size)
    x, dx, hs, dhs = x.reshape(-1, x.shape[2]), dx.reshape(-1, x.shape[2]), hs.reshape(-1, size), dhs.reshape(-1)
    h0, dh[:], dc[:], d_hh[:] = start_from(h0, batch), start_from(dh_last, batch), start_from(dc_last, batch), 0
    by_gate, by_part = np.zeros((4, x.shape[1], size), x.dtype), np.zeros((5, size), np.float64)
    d = np.empty((5, min(at_once, len(x)), size), x.dtype)
    d_flat, flat, dh_flat, dc_flat = d.reshape(5, -1), kept.reshape(6, -1), dh.reshape(-1), dc.reshape(-1)
    c_first = start_from(c0, batch).reshape(-1)
    for start in range(len(x) - batch, -1, -batch):
        at = start % at_once
        before = flat[5, (start - batch) * size : start * size] if start > 0 else c_first
        for low in range(0, batch * size, block):
            high = min(low + block, batch * size)
            first, last, into, until = start * size + low, start * size + high, at * size + low, at * size + high
            r, z, o, g = flat[0, first:last], flat[1, first:last], flat[2, first:last], flat[3, first:last]
            dr, dz, do, dg = d_flat[0, into:until], d_flat[1, into:until], d_flat[2, into:until], d_flat[3, into:until]
            if len(dhs) > 0:
                add(dh_flat[low:high], dhs[first:last])
            output_back(do, dc_flat[low:high], dh_flat[low:high], o, flat[5, first:last])
            update_back(dz, dg, dc_flat[low:high], before[low:high], z, g)
            candidate_back(dr, d_flat[4, into:until], dg, r, flat[4, first:last])
        recur_back(dh, d[:, at : at + batch], w_hh)
        if at == 0:
            rows = min(at_once, len(x) - start)
            weights_back(d[:, :rows], start, x, h0, hs, w_ih, dx, by_gate, d_hh, by_part)
    as_given(by_gate, by_part, d_ih, db_ih, db_hh)

"""Whether the compiled kernels are used."""

from __future__ import annotations

import importlib.util
from functools import cache

import torch
from torch import Tensor

from lstmgru.nn.kernels.enabling import is_forced, is_on, warn_once
from lstmgru.nn.kernels.layout import LAYOUTS, CellName, Layout, padded
from lstmgru.nn.kernels.tracing import is_watched


def should_use(cell: CellName, *tensors: Tensor) -> bool:
    """Whether to run a cell in a kernel: kernels are on, numba works, the inputs are supported, and it is faster.

    Args:
        cell: Name of the cell.
        tensors: All its inputs: x (B, T, I), weights, state.
    """
    x = tensors[0]
    return (
        not torch.is_autocast_enabled("cpu")
        and not is_watched()
        and all(type(tensor) in _PLAIN and tensor.dtype == x.dtype and tensor.is_cpu for tensor in tensors)
        and x.dtype in _DTYPES
        and _fits(LAYOUTS[cell], *tensors)
        and is_on()
        and _numba_works()
        and (is_forced() or _pays(cell, x.shape[0], x.shape[1], tensors[2].shape[1]))
        and _is_compiled(cell, x.dtype)
    )


def _fits(layout: Layout, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, *state: Tensor) -> bool:
    """Whether the input is not empty and all shapes are valid; torch's own cells report invalid shapes."""
    if x.dim() != 3 or x.numel() == 0:
        return False
    (batch, _, n_inputs), size = x.shape, w_hh.shape[1]
    rows = layout.n_gates * size
    return (
        (w_ih.shape, w_hh.shape, b_ih.shape) == ((rows, n_inputs), (rows, size), (rows,))
        and b_hh.shape in ((rows,), (size,))
        and all(tensor.shape == (batch, size) for tensor in state)
    )


def _pays(cell: CellName, batch: int, steps: int, size: int) -> bool:
    """Whether the kernel was measured to be faster (``docs/decisions/0021``).

    For a few steps, rearranging the weights dominates. torch's own LSTM kernel does not pad rows and units, so it is
    faster if the padding is large, and for wide layers.
    """
    if _vector_bytes() < 32 and (cell == "lstm" or size > 64):
        return False
    if steps <= size // 32:
        return False
    filled = batch * size / (padded(batch, 4) * padded(size, 16))
    return cell != "lstm" or size <= 32 or (size <= 256 and filled >= 3 / 4)


@cache
def _vector_bytes() -> int:
    from lstmgru.nn.kernels.vectors import BYTES

    return BYTES


_PLAIN = (Tensor, torch.nn.Parameter)  # no fake tensors or functorch wrappers
_DTYPES = (torch.float32, torch.float64)


@cache
def _numba_works() -> bool:
    """Whether numba is installed and usable; if it is installed but fails, a warning gives the reason."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        import numba

        _vector_bytes()
    except Exception as error:  # for example, LLVM does not load or NumPy is too new
        _warn(error)
        return False
    return not numba.config.DISABLE_JIT  # type: ignore[attr-defined]


@cache
def _is_compiled(cell: CellName, dtype: torch.dtype) -> bool:
    """Compile a cell; if that fails, a warning gives the reason."""
    from lstmgru.nn.kernels.compiling import compiled

    try:
        compiled(cell, dtype)
    except Exception as error:
        _warn(error)
        return False
    return True


def _warn(error: Exception) -> None:
    first_line = next(iter(str(error).splitlines()), "")
    warn_once(f"numba does not work here: {type(error).__name__}: {first_line}")

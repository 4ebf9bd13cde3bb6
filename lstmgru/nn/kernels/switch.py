"""Whether the compiled kernels are used."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch
from torch import Tensor
from torch.autograd import forward_ad

from lstmgru.errors import SpecError
from lstmgru.nn.kernels.layout import LAYOUTS, CellName, Layout

VARIABLE = "LSTMGRU_KERNELS"
_enabled: ContextVar[bool | None] = ContextVar("lstmgru_kernels", default=None)


@contextmanager
def enabled(value: bool) -> Iterator[None]:
    """Switch the kernels on or off within a ``with`` block, in this thread.

    Args:
        value: ``False``: everything runs in torch's own operations.
    """
    token = _enabled.set(value)
    try:
        yield
    finally:
        _enabled.reset(token)


def should_use(cell: CellName, *tensors: Tensor) -> bool:
    """Whether a cell runs in a kernel: it is switched on, numba is there, and nothing about the call is unusual.

    Args:
        cell: Which.
        tensors: Everything that it reads: input (B, T, I), weights, state.
    """
    x = tensors[0]
    return (
        not _is_watched()
        and all(type(tensor) in _PLAIN and tensor.dtype == x.dtype and tensor.is_cpu for tensor in tensors)
        and x.dtype in _DTYPES
        and _fits(LAYOUTS[cell], *tensors)
        and _is_on()
    )


def _fits(layout: Layout, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, *state: Tensor) -> bool:
    """Whether there is something to do, and nothing of which torch's own cells would say what is wrong."""
    if x.dim() != 3 or x.numel() == 0 or x.shape[1] < _FEWEST_STEPS:
        return False
    (batch, _, n_inputs), size = x.shape, w_hh.shape[1]
    rows = layout.n_gates * size
    return (
        (w_ih.shape, w_hh.shape, b_ih.shape) == ((rows, n_inputs), (rows, size), (rows,))
        and b_hh.shape in ((rows,), (size,))
        and all(tensor.shape == (batch, size) for tensor in state)
    )


_PLAIN = (Tensor, torch.nn.Parameter)  # not a fake tensor, nor one of a functional transformation
_DTYPES = (torch.float32, torch.float64)
_FEWEST_STEPS = 2  # of one step the kernels of torch are as fast


def _is_watched() -> bool:
    """Whether something wants to see torch's operations: autocast, a compiler or exporter, a forward derivative."""
    return (
        torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def _is_on() -> bool:
    value = _enabled.get()
    return (_variable() if value is None else value) and _numba_works()


def _variable() -> bool:
    value = os.environ.get(VARIABLE, "on")
    if value not in ("on", "off"):
        raise SpecError(f"The environment variable {VARIABLE} is 'on' or 'off', not '{value}'.")
    return value == "on"


@cache
def _numba_works() -> bool:
    """Not where it is not installed; where it is and cannot be imported, a warning says why."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        import numba
    except ImportError as error:
        warnings.warn(f"GRU and the fused cell run without compiled kernels, slower: {error}", stacklevel=2)
        return False
    return not numba.config.DISABLE_JIT  # type: ignore[attr-defined]

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
from torch.overrides import _get_current_function_mode_stack as _function_modes
from torch.utils._device import DeviceContext

from lstmgru.errors import SpecError
from lstmgru.nn.kernels.layout import LAYOUTS, CellName, Layout, padded

VARIABLE = "LSTMGRU_KERNELS"
_enabled: ContextVar[bool | None] = ContextVar("lstmgru_kernels", default=None)


@contextmanager
def enabled(value: bool) -> Iterator[None]:
    """Switch the kernels on or off within a ``with`` block, in this thread.

    Args:
        value: ``True``: a kernel runs wherever it can; ``False``: everything runs in torch's own operations. Without
            a block, kernels run where they can and were measured to be faster.
    """
    token = _enabled.set(value)
    try:
        yield
    finally:
        _enabled.reset(token)


def should_use(cell: CellName, *tensors: Tensor) -> bool:
    """Whether a cell runs in a kernel: it is on, numba is there, nothing about the call is unusual, and it pays.

    Args:
        cell: Which.
        tensors: Everything that it reads: input (B, T, I), weights, state.
    """
    x = tensors[0]
    return (
        not torch.is_autocast_enabled("cpu")
        and not is_watched()
        and all(type(tensor) in _PLAIN and tensor.dtype == x.dtype and tensor.is_cpu for tensor in tensors)
        and x.dtype in _DTYPES
        and _fits(LAYOUTS[cell], *tensors)
        and _is_on()
        and (_enabled.get() is True or _pays(cell, x.shape[0], x.shape[1], tensors[2].shape[1]))
        and _is_compiled(cell, x.dtype)
    )


def _fits(layout: Layout, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, *state: Tensor) -> bool:
    """Whether there is something to do, and nothing of which torch's own cells would say what is wrong."""
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

    Of a few steps, arranging the weights is most of the work, and grows with them. torch has a kernel of its own for
    LSTM, which does not fill up rows and units: it is faster where that is much, or layers are wide.
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


_PLAIN = (Tensor, torch.nn.Parameter)  # not a fake tensor, nor one of a functional transformation
_DTYPES = (torch.float32, torch.float64)


def is_watched() -> bool:
    """Whether something wants to see torch's operations.

    A compiler, a tracer or exporter, a functional transformation, a forward derivative, or a mode that is told of each
    operation, as it counts them or writes them down; not the one that says on which device tensors are made.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or torch._C._len_torch_dispatch_stack() > 0
        or (
            torch._C._len_torch_function_stack() > 0
            and any(not isinstance(mode, DeviceContext) for mode in _function_modes())  # type: ignore[no-untyped-call]
        )
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
    """Not where it is not installed; where it is and cannot be used, a warning says why."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        import numba

        _vector_bytes()
    except Exception as error:  # a library of LLVM that does not load, a NumPy that numba does not know, ...
        _warn(error)
        return False
    return not numba.config.DISABLE_JIT  # type: ignore[attr-defined]


@cache
def _is_compiled(cell: CellName, dtype: torch.dtype) -> bool:
    """Compile a cell; where that fails, a warning says why."""
    from lstmgru.nn.kernels.compiling import compiled

    try:
        compiled(cell, dtype)
    except Exception as error:
        _warn(error)
        return False
    return True


def _warn(error: Exception) -> None:
    first_line = next(iter(str(error).splitlines()), "")
    _warn_once(f"{type(error).__name__}: {first_line}")


@cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"recurrent layers run in torch's operations, which is slower, since numba does not work here: {reason}",
        RuntimeWarning,
        stacklevel=2,
    )

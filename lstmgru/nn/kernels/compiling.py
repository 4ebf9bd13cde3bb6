"""Compile the cells' formulas to machine code, once per machine.

numba caches compiled code next to the source, or in the user's cache folder if that is not writable, under the name of
the function. The name therefore contains the cell, the number type, and a digest of all files here, numba's version and
the machine: numba itself only checks the modification time of a single file, and processes that compile for different
types, or machines that share a folder, could otherwise overwrite each other's files.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numba
import torch
from numba import types
from numba.core.registry import cpu_target

from lstmgru.nn.kernels import gates
from lstmgru.nn.kernels.layout import LAYOUTS, Backward, CellName, Forward
from lstmgru.nn.kernels.recurrence import backward_of, forward_of
from lstmgru.nn.kernels.tiles import ROWS, wide
from lstmgru.nn.kernels.vectors import BYTES, REGISTERS, lanes_of

# A multiplication may fuse with an addition. Otherwise IEEE rules apply, so NaN stays NaN.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True}
_NUMBERS: dict[torch.dtype, Any] = {torch.float32: numba.float32, torch.float64: numba.float64}
_FORMULAS: dict[CellName, tuple[Any, Any]] = {
    "lstm": (gates.lstm_forward, gates.lstm_backward),
    "gru": (gates.gru_forward, gates.gru_backward),
    "fused": (gates.fused_forward, gates.fused_backward),
}


class Compiled(NamedTuple):
    """The compiled passes of a cell for one number type.

    Attributes:
        forward: The forward pass.
        backward: The backward pass.
        rows: The batch is padded to a multiple of this.
        units: The layer is padded to a multiple of this.
    """

    forward: Callable[[Forward], None]
    backward: Callable[[Backward], None]
    rows: int
    units: int


@cache
def compiled(cell: CellName, dtype: torch.dtype) -> Compiled:
    """Compile a cell, which takes seconds, or load it from the cache, which takes milliseconds."""
    real, layout, (forward, backward) = _NUMBERS[dtype], LAYOUTS[cell], _FORMULAS[cell]
    suffix = f"{cell}_{real}_{_digest()}"
    return Compiled(
        _compile(forward_of(layout, real, forward), Forward, suffix),
        _compile(backward_of(layout, real, backward), Backward, suffix),
        ROWS,
        wide(1, lanes_of(real)),
    )


def _compile(function: Callable[[Any], None], call: Any, suffix: str) -> Callable[[Any], None]:
    assert isinstance(function, FunctionType)
    name = f"{function.__name__}_{suffix}"
    named = FunctionType(function.__code__, function.__globals__, name, closure=function.__closure__)
    named.__module__, named.__qualname__ = function.__module__, name
    kind = types.NamedUniTuple(types.intp, len(call._fields), call)  # type: ignore[no-untyped-call]
    try:
        made: Callable[[Any], None] = numba.njit(types.void(kind), cache=True, **_OPTIONS)(named)
    except Exception as error:
        made = numba.njit(types.void(kind), **_OPTIONS)(named)
        _warn(error)  # it compiles, so the cache cannot be written or read
    return made


def _warn(error: Exception) -> None:
    """Report why the cache does not work: no home folder, a full disk, a damaged file."""
    nowhere = "no locator available" in str(error)
    reason = "no folder is writable" if nowhere else getattr(error, "strerror", None) or type(error).__name__
    warnings.warn(
        f"numba cannot cache compiled code, so every process spends seconds on compiling it again: {reason}; "
        "set NUMBA_CACHE_DIR to another folder",
        RuntimeWarning,
        stacklevel=2,
    )


@cache
def _digest() -> str:
    """Digest of everything that the compiled code depends on."""
    machine = (numba.__version__, *cpu_target.target_context.codegen().magic_tuple(), BYTES, REGISTERS, ROWS)
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join((repr(machine).encode(), *(path.read_bytes() for path in sources)))).hexdigest()[:12]

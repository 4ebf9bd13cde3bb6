"""From the cells' formulas to machine code, once a machine.

numba keeps what it compiled in the folder of the source, or in the user's cache folder where that is not writable. It
finds it by the name of a function, which therefore carries the cell, the number type and a digest of all the files
here, of numba's version and of the machine: numba itself looks at the change time of one file only, and two processes,
or machines that share a folder, that compile for two types or processors at once could otherwise mix up their files.
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

from lstmgru.nn.kernels import fused, gru, lstm
from lstmgru.nn.kernels.layout import LAYOUTS, Backward, CellName, Forward
from lstmgru.nn.kernels.recurrence import backward_of, forward_of
from lstmgru.nn.kernels.tiles import ROWS, wide
from lstmgru.nn.kernels.vectors import BYTES, REGISTERS, lanes_of

# A product may fuse with an addition. All else is as IEEE says, so that NaN stays NaN.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True}
_NUMBERS: dict[torch.dtype, Any] = {torch.float32: numba.float32, torch.float64: numba.float64}
_FORMULAS: dict[CellName, Any] = {"lstm": lstm, "gru": gru, "fused": fused}


class Compiled(NamedTuple):
    """A cell's two ways, for one number type, and what rows and units are filled up to.

    Attributes:
        forward: The way forwards.
        backward: The way back.
        rows: A batch is filled up to a multiple of it.
        units: A layer is.
    """

    forward: Callable[[Forward], None]
    backward: Callable[[Backward], None]
    rows: int
    units: int


@cache
def compiled(cell: CellName, dtype: torch.dtype) -> Compiled:
    """Compile a cell, or load what was compiled before: seconds the first time, then milliseconds."""
    real, layout, formulas = _NUMBERS[dtype], LAYOUTS[cell], _FORMULAS[cell]
    suffix = f"{cell}_{real}_{_digest()}"
    return Compiled(
        _compile(forward_of(layout, real, formulas.forward), Forward, suffix),
        _compile(backward_of(layout, real, formulas.backward), Backward, suffix),
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
        _warn(error)  # it compiles, so what failed is to keep it, or to read what was kept
    return made


def _warn(error: Exception) -> None:
    """Say why what is compiled is not kept: no home, a full disk, a damaged file."""
    nowhere = "no locator available" in str(error)
    reason = "no folder is writable" if nowhere else getattr(error, "strerror", None) or type(error).__name__
    warnings.warn(
        f"numba cannot keep what it compiles, so that each process takes seconds to compile it again: {reason}; "
        "NUMBA_CACHE_DIR names another folder for it",
        RuntimeWarning,
        stacklevel=2,
    )


@cache
def _digest() -> str:
    """Of everything that what is compiled depends on."""
    machine = (numba.__version__, *cpu_target.target_context.codegen().magic_tuple(), BYTES, REGISTERS, ROWS)
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join((repr(machine).encode(), *(path.read_bytes() for path in sources)))).hexdigest()[:12]

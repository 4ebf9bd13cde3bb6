"""From the cells' functions to machine code, once a machine.

numba keeps what it compiled in the folder of the source, or in the user's cache folder where that is not writable. It
finds it by the name of a function, which therefore carries the number type and a digest of all the files here: numba
itself looks at the change time of one file only, and two processes that compile for two types at once could otherwise
mix up their files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numba
import torch

from lstmgru.nn.kernels import fused, gru
from lstmgru.nn.kernels.layout import CellName

# A product may fuse with an addition. All else is as IEEE says, so that NaN stays NaN.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True}
_NUMBERS: dict[torch.dtype, Any] = {torch.float32: numba.float32, torch.float64: numba.float64}
_MODULES: dict[CellName, Any] = {"gru": gru, "fused": fused}


class Compiled(NamedTuple):
    """A cell's two ways, for one number type."""

    forward: Callable[..., None]
    backward: Callable[..., None]


@cache
def compiled(cell: CellName, dtype: torch.dtype) -> Compiled:
    """Compile a cell, or load what was compiled before: seconds the first time, then milliseconds."""
    number = _NUMBERS[dtype]
    line, matrix, cube = number[::1], number[:, ::1], number[:, :, ::1]
    states, weights = [matrix] * 2, [matrix, matrix, line, line]
    forward = numba.void(numba.intp, cube, *weights, *states, cube, cube, *states)
    inputs = [cube, *weights[:2], *states]
    backward = numba.void(numba.intp, *inputs, cube, cube, cube, *states, cube, *weights, *states)
    module, suffix = _MODULES[cell], f"{cell}_{number}_{_digest()}"
    return Compiled(_compile(module.forward, forward, suffix), _compile(module.backward, backward, suffix))


def _compile(function: Callable[..., None], signature: Any, suffix: str) -> Callable[..., None]:
    assert isinstance(function, FunctionType)
    named = FunctionType(function.__code__, function.__globals__, f"{function.__name__}_{suffix}")
    named.__module__, named.__qualname__ = function.__module__, named.__name__
    try:
        made: Callable[..., None] = numba.njit(signature, cache=True, **_OPTIONS)(named)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        made = numba.njit(signature, **_OPTIONS)(named)  # nowhere to keep it: no home, a read-only disk
    return made


@cache
def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]

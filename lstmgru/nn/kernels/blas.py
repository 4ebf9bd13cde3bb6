"""Matrix products in compiled code, by the BLAS that torch is linked with."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic, register_jitable

_LIBRARIES = ("libtorch_cpu.so", "libtorch_cpu.dylib")


def _address(routine: str) -> int:
    """Of a routine of Fortran's BLAS.

    Torch's own library comes first: it is tuned for the machine and runs with torch's number of threads. Where it does
    not export the routine, as on Windows, it is SciPy's.
    """
    for name in _LIBRARIES:
        path = Path(torch.__file__).parent / "lib" / name
        function = getattr(ctypes.CDLL(str(path)), f"{routine}_", None) if path.exists() else None
        if function is not None:
            return ctypes.cast(function, ctypes.c_void_p).value or 0
    address: int = get_cython_function_address("scipy.linalg.cython_blas", routine)
    return address


# Compiled code names the routines, so that it can be cached: addresses differ from process to process.
_ROUTINES = {types.float32: "lstmgru_sgemm", types.float64: "lstmgru_dgemm"}
for _routine in _ROUTINES.values():
    llvm.add_symbol(_routine, _address(_routine.removeprefix("lstmgru_")))


@intrinsic
def _gemm(context: Any, flip_a: Any, flip_b: Any, m: Any, n: Any, k: Any, a: Any, b: Any, beta: Any, c: Any) -> Any:
    """Fortran's c = a b + beta c. Arrays are in C's order: their rows are Fortran's columns."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        letter, integer, real = ir.IntType(8), ir.IntType(32), context.get_value_type(a.dtype)
        flips, sizes, factor = arguments[:2], arguments[2:5], arguments[7]

        def place(value: Any) -> Any:
            return cgutils.alloca_once_value(builder, value)  # type: ignore[no-untyped-call]

        def operand(kind: Any, value: Any) -> list[Any]:
            array = context.make_array(kind)(context, builder, value)
            stride = builder.sdiv(builder.extract_value(array.strides, 0), array.itemsize)
            return [array.data, place(builder.trunc(stride, integer))]

        values = [
            *(place(builder.select(flip, letter(ord("T")), letter(ord("N")))) for flip in flips),
            *(place(builder.trunc(size, integer)) for size in sizes),
            place(real(1.0)),
            *operand(a, arguments[5]),
            *operand(b, arguments[6]),
            place(factor),
            *operand(c, arguments[8]),
        ]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
        routine = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, kind, _ROUTINES[a.dtype]
        )
        builder.call(routine, values)
        return context.get_dummy_value()

    return types.void(flip_a, flip_b, m, n, k, a, b, a.dtype, c), build


@register_jitable
def product(out: Any, a: Any, b: Any, flip_a: bool, flip_b: bool, keep: bool) -> None:
    """out = a b, or out + a b, of matrices (compiled).

    Args:
        out: Filled.
        a: Left.
        b: Right.
        flip_a: Whether a is transposed first.
        flip_b: Whether b is.
        keep: Whether what is in ``out`` is added to.
    """
    inner = a.shape[0] if flip_a else a.shape[1]
    beta = out.dtype.type(1 if keep else 0)
    _gemm(flip_b, flip_a, out.shape[1], out.shape[0], inner, b, a, beta, out)  # type: ignore[call-arg]

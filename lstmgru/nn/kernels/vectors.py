"""SIMD vectors as wide as the machine's registers, in compiled code.

numba has no type for them, and LLVM vectorizes only the simplest loops. Here they are ordinary values that support
arithmetic with each other and with scalars.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, overload, register_model


def _registers() -> tuple[int, int]:
    """Bytes and number of the vector registers of the machine that numba compiles for."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    has = set(features.split(","))
    if "+avx512vl" in has:
        return 64, 32
    if "+avx" in has:
        return 32, 16
    return 16, 32 if triple.startswith(("aarch64", "arm64")) else 16


BYTES, REGISTERS = _registers()


def instruction(build: Callable[..., Any]) -> Any:
    """Decorate a function that maps argument types to a signature and a code generator for LLVM."""
    return intrinsic(build)


def instruction_of_constants(build: Callable[..., Any]) -> Any:
    """Likewise, but the function also sees the values of constant arguments."""
    return intrinsic(prefer_literal=True)(build)


def lanes_of(real: Any) -> int:
    """Numbers per vector, for a number type."""
    return BYTES * 8 // int(real.bitwidth)


class Vector(types.Type):
    """The type of one vector of real numbers, or of several that are joined."""

    def __init__(self, real: Any, n_vectors: int = 1) -> None:
        self.real, self.lanes = real, lanes_of(real) * n_vectors
        super().__init__(name=f"vector({self.lanes} x {real})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        vector = ir.VectorType(manager[kind.real].get_value_type(), kind.lanes)
        super().__init__(manager, kind, vector)  # type: ignore[no-untyped-call]


def tuple_of(kind: Vector, number: int) -> Any:
    """The type of a tuple of ``number`` vectors."""
    return types.UniTuple(kind, number)  # type: ignore[no-untyped-call]


def unpacked(builder: Any, values: Any) -> list[Any]:
    """The LLVM values of a tuple."""
    found: list[Any] = cgutils.unpack_tuple(builder, values)  # type: ignore[no-untyped-call]
    return found


def spread(builder: Any, number: Any, lanes: int) -> Any:
    """Broadcast a scalar to an LLVM vector."""
    nothing = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    one = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """LLVM code for a b + c, fused if the machine supports it."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _as_vector(context: Any, builder: Any, value: Any, given: Any, kind: Vector) -> Any:
    if isinstance(given, Vector):
        return value
    return spread(builder, context.cast(builder, value, given, kind.real), kind.lanes)


def _define(symbol: Callable[..., Any], name: str) -> None:
    """Arithmetic of two vectors, or of a vector and a number."""

    @instruction
    def operation(context: Any, a: Any, b: Any) -> Any:
        kind = a if isinstance(a, Vector) else b

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            both = [_as_vector(context, builder, *each, kind) for each in zip(arguments, (a, b), strict=True)]
            return getattr(builder, name)(*both, flags=("contract",))

        return kind(a, b), build

    @overload(symbol, jit_options={"forceinline": True})
    def of(a: Any, b: Any) -> Any:
        def apply(a: Any, b: Any) -> Any:
            return operation(a, b)

        return apply if isinstance(a, Vector) or isinstance(b, Vector) else None


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define(_symbol, _name)


@instruction
def clamp(context: Any, x: Any, least: Any, most: Any) -> Any:
    """x limited to [least, most]; NaN stays NaN."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        low, high = (_as_vector(context, builder, *each, x) for each in zip(arguments[1:], (least, most), strict=True))
        value = builder.select(builder.fcmp_ordered("<", arguments[0], low), low, arguments[0])
        return builder.select(builder.fcmp_ordered(">", value, high), high, value)

    return x(x, least, most), build


@instruction
def power_of_two(context: Any, shifted: Any) -> Any:
    """2^n for numbers whose lowest bits are n plus the bias of the exponent."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = shifted.real.bitwidth
        integers = ir.VectorType(ir.IntType(width), shifted.lanes)
        places = ir.Constant(integers, [{32: 23, 64: 52}[width]] * shifted.lanes)
        bits = builder.shl(builder.bitcast(arguments[0], integers), places)
        return builder.bitcast(bits, arguments[0].type)

    return shifted(shifted), build


@instruction
def sum_each(context: Any, a: Any, b: Any) -> Any:
    """Elementwise sums of two tuples of vectors."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(*(unpacked(builder, each) for each in arguments), strict=True)
        return context.make_tuple(builder, a, [builder.fadd(one, other) for one, other in pairs])

    return a(a, b), build


@instruction_of_constants
def zeros(context: Any, like: Any, n_rows: Any, number: Any) -> Any:
    """A tuple of ``number`` zero vectors of an array's type, each for ``n_rows`` rows; both counts are constants."""
    kind = Vector(like.dtype, n_rows.literal_value)
    result = tuple_of(kind, number.literal_value)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(context.get_value_type(kind), [0.0] * kind.lanes)
        return context.make_tuple(builder, result, [zero] * len(result))

    return result(like, n_rows, number), build


_INT, _INDEX = ir.IntType(64), ir.IntType(32)
_ENDLESS = 1 << 60


def pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """LLVM pointer to an element of an array."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _vector_at(builder: Any, place: Any, kind: ir.VectorType, number: int) -> Any:
    return builder.bitcast(builder.gep(place, [_INT(number * kind.count)]), kind.as_pointer())


def read(builder: Any, place: Any, kind: ir.VectorType, number: int = 0) -> Any:
    """Load the LLVM vector at a pointer, or the one ``number`` vectors after it."""
    value = builder.load(_vector_at(builder, place, kind, number))
    value.align = _alignment(kind)
    return value


def write(builder: Any, value: Any, place: Any, number: int = 0) -> None:
    """Store a vector at a pointer, or ``number`` vectors after it."""
    builder.store(value, _vector_at(builder, place, value.type, number)).align = _alignment(value.type)


def _alignment(kind: ir.VectorType) -> int:
    return 4 if isinstance(kind.element, ir.FloatType) else 8


@instruction
def array_at(context: Any, address: Any, real: Any) -> Any:
    """The numbers at an address as an unbounded array; the caller knows its length."""
    kind = types.Array(real.dtype, 1, "C")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, number = context.make_array(kind)(context, builder), context.get_value_type(real.dtype)
        each = _INT(real.dtype.bitwidth // 8)
        data = builder.inttoptr(arguments[0], number.as_pointer())
        context.populate_array(array, data=data, shape=[_INT(_ENDLESS)], strides=[each], itemsize=each, meminfo=None)
        return array._getvalue()

    return kind(types.intp, real), build


def _joined(builder: Any, vectors: list[Any]) -> Any:
    """Concatenate LLVM vectors."""
    while len(vectors) > 1:
        count = 2 * vectors[0].type.count
        order = ir.Constant(ir.VectorType(_INDEX, count), list(range(count)))
        vectors = [builder.shuffle_vector(*pair, order) for pair in zip(vectors[::2], vectors[1::2], strict=True)]
    return vectors[0]


def _part(builder: Any, vector: Any, kind: ir.VectorType, number: int) -> Any:
    """One of the vectors that :func:`_joined` concatenated."""
    first = number * kind.count
    order = ir.Constant(ir.VectorType(_INDEX, kind.count), list(range(first, first + kind.count)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), order)


@instruction
def load(context: Any, array: Any, at: Any, row: Any, like: Any) -> Any:
    """Load a tuple of vectors of the type of ``like``.

    They are consecutive from position ``at``. A joined vector takes its parts from consecutive rows.
    """
    one = Vector(array.dtype)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = context.get_value_type(one)
        places = _rows(context, builder, array, arguments[:3], like.dtype.lanes // one.lanes)
        vectors = [_joined(builder, [read(builder, place, vector, k) for place in places]) for k in range(like.count)]
        return context.make_tuple(builder, like, vectors)

    return like(array, types.intp, types.intp, like), build


@instruction
def store(context: Any, array: Any, at: Any, row: Any, vectors: Any) -> Any:
    """Store a tuple of vectors where :func:`load` reads it."""
    one = Vector(array.dtype)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, values = context.get_value_type(one), unpacked(builder, arguments[3])
        places = _rows(context, builder, array, arguments[:3], vectors.dtype.lanes // one.lanes)
        for i, place in enumerate(places):
            for k, value in enumerate(values):
                write(builder, _part(builder, value, vector, i), place, k)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vectors), build


def _rows(context: Any, builder: Any, kind: Any, arguments: Any, count: int) -> list[Any]:
    """Pointers to ``count`` rows of an array; ``arguments`` are the array, the start and the stride."""
    array, at, row = arguments
    starts = [builder.add(at, builder.mul(row, _INT(i))) for i in range(count)]
    return [pointer(context, builder, kind, array, start) for start in starts]


def _mask(builder: Any, n: Any, lanes: int) -> Any:
    numbers = ir.Constant(ir.VectorType(n.type, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, spread(builder, n, lanes))


def _masked(builder: Any, name: str, vector: ir.VectorType, result: Any, values: list[Any]) -> Any:
    """Call LLVM's masked ``load`` or ``store``."""
    bits = 8 * _alignment(vector)
    form = ir.FunctionType(result, [value.type for value in values])
    name = f"llvm.masked.{name}.v{vector.count}f{bits}.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, form, name), values)  # type: ignore[no-untyped-call]


@instruction
def load_part(context: Any, array: Any, at: Any, n: Any) -> Any:
    """Load n numbers, padded with 0, as a tuple of one vector."""
    kind = Vector(array.dtype)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = context.get_value_type(kind)
        place = _vector_at(builder, pointer(context, builder, array, *arguments[:2]), vector, 0)
        mask, zero = _mask(builder, arguments[2], kind.lanes), ir.Constant(vector, [0.0] * kind.lanes)
        found = _masked(builder, "load", vector, vector, [place, _INDEX(_alignment(vector)), mask, zero])
        return context.make_tuple(builder, signature.return_type, [found])

    return tuple_of(kind, 1)(array, types.intp, types.intp), build


@instruction
def store_part(context: Any, array: Any, at: Any, n: Any, vectors: Any) -> Any:
    """Store the first n numbers of a vector, given as a tuple of one."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = unpacked(builder, arguments[3])
        place = _vector_at(builder, pointer(context, builder, array, *arguments[:2]), value.type, 0)
        mask = _mask(builder, arguments[2], vectors.dtype.lanes)
        _masked(builder, "store", value.type, ir.VoidType(), [value, place, _INDEX(_alignment(value.type)), mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vectors), build


def lanes_in(array: Any) -> int:
    """Numbers per vector, for an array (compiled)."""
    raise NotImplementedError


@overload(lanes_in, jit_options={"forceinline": True})
def _lanes_in(array: Any) -> Any:
    lanes = lanes_of(array.dtype)

    def of(array: Any) -> int:
        return lanes

    return of

"""Vectors as wide as the machine's registers, in compiled code.

numba has no type for them, and LLVM finds them by itself in the simplest loops only. Here they are values like any
other, with arithmetic among each other and with numbers.
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
    """A function whose code is built for LLVM: from the types of its arguments to its signature and what builds it."""
    return intrinsic(build)


def instruction_of_constants(build: Callable[..., Any]) -> Any:
    """One that sees the values of its arguments where they are constants."""
    return intrinsic(prefer_literal=True)(build)


def lanes_of(real: Any) -> int:
    """Numbers in a vector of a type of them."""
    return BYTES * 8 // int(real.bitwidth)


class Vector(types.Type):
    """The type of a vector of real numbers, or of several of them as one."""

    def __init__(self, real: Any, n_vectors: int = 1) -> None:
        self.real, self.lanes = real, lanes_of(real) * n_vectors
        super().__init__(name=f"vector({self.lanes} x {real})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        vector = ir.VectorType(manager[kind.real].get_value_type(), kind.lanes)
        super().__init__(manager, kind, vector)  # type: ignore[no-untyped-call]


def tuple_of(kind: Vector, number: int) -> Any:
    """The type of a tuple of so many vectors."""
    return types.UniTuple(kind, number)  # type: ignore[no-untyped-call]


def unpacked(builder: Any, values: Any) -> list[Any]:
    """LLVM's values in a tuple."""
    found: list[Any] = cgutils.unpack_tuple(builder, values)  # type: ignore[no-untyped-call]
    return found


def spread(builder: Any, number: Any, lanes: int) -> Any:
    """LLVM's vector of one number."""
    nothing = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    one = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """LLVM's a b + c, rounded once where the machine can."""
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

    @overload(symbol)
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
    """x, but at least and at most so much; NaN stays NaN."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        low, high = (_as_vector(context, builder, *each, x) for each in zip(arguments[1:], (least, most), strict=True))
        value = builder.select(builder.fcmp_ordered("<", arguments[0], low), low, arguments[0])
        return builder.select(builder.fcmp_ordered(">", value, high), high, value)

    return x(x, least, most), build


@instruction
def power_of_two(context: Any, shifted: Any) -> Any:
    """2^n of numbers whose lowest bits are n + the bias of the exponent."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = shifted.real.bitwidth
        integers = ir.VectorType(ir.IntType(width), shifted.lanes)
        places = ir.Constant(integers, [{32: 23, 64: 52}[width]] * shifted.lanes)
        bits = builder.shl(builder.bitcast(arguments[0], integers), places)
        return builder.bitcast(bits, arguments[0].type)

    return shifted(shifted), build


@instruction
def sum_each(context: Any, a: Any, b: Any) -> Any:
    """Sums of the vectors of two tuples of one length."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(*(unpacked(builder, each) for each in arguments), strict=True)
        return context.make_tuple(builder, a, [builder.fadd(one, other) for one, other in pairs])

    return a(a, b), build


@instruction_of_constants
def zeros(context: Any, like: Any, n_rows: Any, number: Any) -> Any:
    """A tuple of so many vectors of 0, of the numbers of an array, each of several rows; both counts are constants."""
    kind = Vector(like.dtype, n_rows.literal_value)
    result = tuple_of(kind, number.literal_value)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(context.get_value_type(kind), [0.0] * kind.lanes)
        return context.make_tuple(builder, result, [zero] * len(result))

    return result(like, n_rows, number), build


_INT, _INDEX = ir.IntType(64), ir.IntType(32)
_ENDLESS = 1 << 60


def pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """LLVM's pointer to an element of an array."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _vector_at(builder: Any, place: Any, kind: ir.VectorType, number: int) -> Any:
    return builder.bitcast(builder.gep(place, [_INT(number * kind.count)]), kind.as_pointer())


def read(builder: Any, place: Any, kind: ir.VectorType, number: int = 0) -> Any:
    """LLVM's vector at a pointer, or the one that lies so many vectors behind it."""
    value = builder.load(_vector_at(builder, place, kind, number))
    value.align = _alignment(kind)
    return value


def write(builder: Any, value: Any, place: Any, number: int = 0) -> None:
    """Write a vector to a pointer, or so many vectors behind it."""
    builder.store(value, _vector_at(builder, place, value.type, number)).align = _alignment(value.type)


def _alignment(kind: ir.VectorType) -> int:
    return 4 if isinstance(kind.element, ir.FloatType) else 8


@instruction
def array_at(context: Any, address: Any, real: Any) -> Any:
    """The numbers of a type at an address, as an array without an end: who reads it knows how long it is."""
    kind = types.Array(real.dtype, 1, "C")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, number = context.make_array(kind)(context, builder), context.get_value_type(real.dtype)
        each = _INT(real.dtype.bitwidth // 8)
        data = builder.inttoptr(arguments[0], number.as_pointer())
        context.populate_array(array, data=data, shape=[_INT(_ENDLESS)], strides=[each], itemsize=each, meminfo=None)
        return array._getvalue()

    return kind(types.intp, real), build


def _joined(builder: Any, vectors: list[Any]) -> Any:
    """LLVM's vector of several."""
    while len(vectors) > 1:
        count = 2 * vectors[0].type.count
        order = ir.Constant(ir.VectorType(_INDEX, count), list(range(count)))
        vectors = [builder.shuffle_vector(*pair, order) for pair in zip(vectors[::2], vectors[1::2], strict=True)]
    return vectors[0]


def _part(builder: Any, vector: Any, kind: ir.VectorType, number: int) -> Any:
    """One of the vectors that were joined."""
    first = number * kind.count
    order = ir.Constant(ir.VectorType(_INDEX, kind.count), list(range(first, first + kind.count)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), order)


@instruction
def load(context: Any, array: Any, at: Any, row: Any, like: Any) -> Any:
    """A tuple of vectors, as many and as long as those of another tuple.

    They lie behind each other from a place of the array on. One that is several vectors has them from as many rows.
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
    """Write what :func:`load` reads."""
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
    """Pointers to so many rows: of an array, from a place on, so far apart."""
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
    """A tuple of one vector: the n numbers from a place of an array on, and 0."""
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
    """Write the first n numbers of a vector, a tuple of one, from a place of an array on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = unpacked(builder, arguments[3])
        place = _vector_at(builder, pointer(context, builder, array, *arguments[:2]), value.type, 0)
        mask = _mask(builder, arguments[2], vectors.dtype.lanes)
        _masked(builder, "store", value.type, ir.VoidType(), [value, place, _INDEX(_alignment(value.type)), mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vectors), build


def lanes_in(array: Any) -> int:
    """Numbers in a vector of an array (compiled)."""
    raise NotImplementedError


@overload(lanes_in)
def _lanes_in(array: Any) -> Any:
    lanes = lanes_of(array.dtype)

    def of(array: Any) -> int:
        return lanes

    return of

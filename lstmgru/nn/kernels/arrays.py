"""Flat arrays in compiled code: their vectors, and rows of numbers that go from one to the other."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import overload, register_jitable

from lstmgru.nn.kernels.vectors import Vector, instruction, lanes_of, spread, sum_each, tuple_of, unpacked, zeros

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


@register_jitable
def copy_rows(to: Any, to_at: int, to_row: int, source: Any, at: int, row: int, n_rows: int, n: int) -> None:
    """Copy the first n numbers of rows: they begin at ``at`` and so many numbers apart, ``row``."""
    one = zeros(to, 1, 1)
    lanes = lanes_in(source)
    for b in range(n_rows):
        for i in range(0, n, lanes):
            there, here = to_at + b * to_row + i, at + b * row + i
            if n - i >= lanes:
                store(to, there, 0, load(source, here, 0, one))
            else:
                store_part(to, there, n - i, load_part(source, here, n - i))


@register_jitable
def add_rows(to: Any, to_row: int, source: Any, at: int, row: int, n_rows: int, n: int) -> None:
    """Add the n numbers of rows to rows that are filled up to whole vectors."""
    one = zeros(to, 1, 1)
    lanes = lanes_in(source)
    for b in range(n_rows):
        for i in range(0, n, lanes):
            there, here = b * to_row + i, at + b * row + i
            more = load(source, here, 0, one) if n - i >= lanes else load_part(source, here, n - i)
            store(to, there, 0, sum_each(load(to, there, 0, one), more))

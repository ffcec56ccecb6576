"""Products of about a hundred rows with a small matrix, in the form that a machine does fastest.

    out += x · matrix

Two forms keep the sums of a tile of ``out`` in registers: each term costs one load of every vector
of the matrix and one of x a row, for rows × vectors multiply-adds. Compilers do not find this form
in a scalar loop, so it is written in LLVM instructions. A block of so few rows stays in the cache
from one product to the next.

    tile  6 rows × 2 vectors of 32 bytes: the 16 registers of AVX2
    wide  8 rows × 3 vectors of 64 bytes: the 32 registers of AVX-512
    blas  the library's product, which SciPy brings

:mod:`parsimony.kernels.products` measures which one is to be used. All give the same numbers but
for rounding. On a Zen 3, at the shapes of RED-GNN (96 rows, d 48), the tile reaches 86 · 10⁹
operations a second, torch's product 72 and a plain loop 50.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np import linalg

from parsimony.kernels.numerics import kernel

Constant = tuple[tuple[()], ...]
FloatArray = npt.NDArray[np.floating[Any]]

#: the forms of a product, by their constants
FORMS = {"tile": 1, "wide": 2, "blas": 3}
#: multiply-adds from which on a product is a large one, for which another form may be faster
LARGE = 1 << 20
UNIT = 16  # bytes, in which the width of a vector is told


def constant(number: int) -> Constant:
    """Return a number as the length of a tuple, which is a compile-time constant.

    Unlike a closure variable, it does not prevent kernels that call kernels from being cached on
    disk.
    """
    return ((),) * number


#: how small products are done, and large ones: two constants of :data:`FORMS`
Form = tuple[Constant, Constant]


def form(small: str, large: str) -> Form:
    """Return two forms by name, as kernels take them."""
    return constant(FORMS[small]), constant(FORMS[large])


TILE = form("tile", "tile")
# Rows, vectors, and units of a vector.
_SIX, _TWO, _AVX2 = constant(6), constant(2), constant(2)
_EIGHT, _THREE, _AVX512 = constant(8), constant(3), constant(4)
_ONE = constant(1)


@intrinsic
def _add_tile(
    _context: Any, rows: Any, vectors: Any, units: Any, x: Any, i: Any, matrix: Any, j: Any,
    out: Any,
) -> Any:  # fmt: skip
    """Add to out[i : i + rows, j : j + vectors · lanes]; matrix and out have contiguous rows."""
    size = out.dtype.bitwidth // 8
    lanes, tile = units.count * UNIT // size, (rows.count, vectors.count)
    x_at, i_at, matrix_at, j_at, out_at = range(3, 8)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(context.get_value_type(out.dtype), lanes)
        first = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        nothing = ir.Constant(vector, ir.Undefined)
        array = {n: context.make_array(signature.args[n])(context, builder, args[n])
                 for n in (x_at, matrix_at, out_at)}  # fmt: skip

        def at(n: int, row: Any, column: Any) -> Any:
            return cgutils.get_item_pointer(  # type: ignore[no-untyped-call]
                context, builder, signature.args[n], array[n], (row, column)
            )

        def plus(index: Any, offset: int) -> Any:
            return builder.add(index, ir.Constant(index.type, offset))

        def vector_at(n: int, row: Any, v: int) -> Any:
            return builder.bitcast(at(n, row, plus(args[j_at], v * lanes)), vector.as_pointer())

        every = [(r, v) for r in range(tile[0]) for v in range(tile[1])]
        target = {(r, v): vector_at(out_at, plus(args[i_at], r), v) for r, v in every}
        total = {
            rv: cgutils.alloca_once(builder, vector)  # type: ignore[no-untyped-call]
            for rv in every
        }
        for rv in every:
            builder.store(builder.load(target[rv], align=size), total[rv])
        shape = cgutils.unpack_tuple(  # type: ignore[no-untyped-call]
            builder, array[matrix_at].shape
        )
        with cgutils.for_range(builder, shape[0]) as loop:
            right = [
                builder.load(vector_at(matrix_at, loop.index, v), align=size)
                for v in range(tile[1])
            ]
            for r in range(tile[0]):
                number = builder.load(at(x_at, plus(args[i_at], r), loop.index))
                left = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
                left = builder.shuffle_vector(left, nothing, first)
                for v in range(tile[1]):
                    term = builder.fmul(left, right[v], flags=("contract",))
                    more = builder.fadd(builder.load(total[r, v]), term, flags=("contract",))
                    builder.store(more, total[r, v])
        for rv in every:
            builder.store(builder.load(total[rv]), target[rv], align=size)
        return context.get_dummy_value()

    return types.void(rows, vectors, units, x, types.intp, matrix, types.intp, out), code


@intrinsic
def _gemm(
    _context: Any, like: Any, transposed: Any, m: Any, n: Any, k: Any, a: Any, lda: Any, b: Any,
    ldb: Any, c: Any, ldc: Any,
) -> Any:  # fmt: skip
    """C += A · B or A · Bᵀ in column-major order, by the BLAS that SciPy brings; its addresses."""
    letter = "s" if like.dtype == types.float32 else "d"

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        char, pointer = ir.IntType(8), cgutils.voidptr_t
        whole = context.get_value_type(types.intp)
        function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module,
            ir.FunctionType(
                ir.IntType(32),
                [char] * 3 + [whole] * 3 + [pointer, pointer, whole] + [pointer, whole]
                + [pointer, pointer, whole],
            ),
            "numba_xxgemm",
        )  # fmt: skip
        one = linalg.make_constant_slot(  # type: ignore[no-untyped-call]
            context, builder, like.dtype, 1.0
        )
        one = builder.bitcast(one, pointer)
        _, trans, m, n, k, a, lda, b, ldb, c, ldc = args
        a, b, c = (builder.inttoptr(address, pointer) for address in (a, b, c))
        trans = builder.select(trans, ir.Constant(char, ord("t")), ir.Constant(char, ord("n")))
        failed = builder.call(function, [
            ir.Constant(char, ord(letter)), ir.Constant(char, ord("n")), trans, m, n, k, one,
            a, lda, b, ldb, one, c, ldc,
        ])  # fmt: skip
        linalg.check_blas_return(  # type: ignore[no-untyped-call]
            context, builder, failed
        )
        return context.get_dummy_value()

    return types.void(like, types.boolean, *[types.intp] * 9), code


@kernel
def product(form, x, matrix, out):  # type: ignore[no-untyped-def]
    """Add x · matrix to ``out``.

    IN  form: :func:`form` of small and of large products; x (n, k), transposed or not;
        matrix (k, m) with contiguous rows
    OUT out (n, m) with contiguous rows
    """
    # Strided views, so that one compilation serves all layouts. Where both forms are the same the
    # compiler drops the question.
    if len(form[0]) == len(form[1]) or out.size * x.shape[1] < LARGE:
        _product(form[0], x[:, :], matrix[:, :], out[:, :])
    else:
        _product(form[1], x[:, :], matrix[:, :], out[:, :])


@kernel
def _product(how, x, matrix, out):  # type: ignore[no-untyped-def]
    _as(how, x, matrix, out)


def _as(how: Any, x: Any, matrix: Any, out: Any) -> None:
    """The product in one form: only that one is compiled."""


@overload(_as)
def _overload_as(how, x, matrix, out):  # type: ignore[no-untyped-def]
    def tile(how, x, matrix, out):  # type: ignore[no-untyped-def]
        _tiled(_SIX, _TWO, _AVX2, x, matrix, out)

    def wide(how, x, matrix, out):  # type: ignore[no-untyped-def]
        _tiled(_EIGHT, _THREE, _AVX512, x, matrix, out)

    def blas(how, x, matrix, out):  # type: ignore[no-untyped-def]
        _library(x, matrix, out)

    return {1: tile, 2: wide, 3: blas}[how.count]


@kernel
def _tiled(rows, vectors, units, x, matrix, out):  # type: ignore[no-untyped-def]
    lanes = len(units) * UNIT // out.itemsize
    m = out.shape[1]
    wide = m - m % (len(vectors) * lanes)
    narrow = m - m % lanes
    _columns(rows, vectors, units, x, matrix, 0, wide, out)
    if wide < narrow:
        _columns(rows, _ONE, units, x, matrix, wide, narrow, out)
    if narrow < m:
        for i in range(out.shape[0]):
            for k in range(x.shape[1]):
                number = x[i, k]
                for j in range(narrow, m):
                    out[i, j] += number * matrix[k, j]


@kernel
def _columns(rows, vectors, units, x, matrix, begin, end, out):  # type: ignore[no-untyped-def]
    n = out.shape[0]
    tall = n - n % len(rows)
    for j in range(begin, end, len(vectors) * (len(units) * UNIT // out.itemsize)):
        for i in range(0, tall, len(rows)):
            _add_tile(rows, vectors, units, x, i, matrix, j, out)  # type: ignore[call-arg]
        for i in range(tall, n):
            _add_tile(_ONE, vectors, units, x, i, matrix, j, out)  # type: ignore[call-arg]


@kernel
def _library(x, matrix, out):  # type: ignore[no-untyped-def]
    n, m = out.shape
    k = x.shape[1]
    size = out.itemsize
    by_rows = x.strides[1] == size or k == 1
    if out.size == 0 or k == 0:
        return
    if not (by_rows or x.strides[0] == size or n == 1):
        _tiled(_SIX, _TWO, _AVX2, x, matrix, out)
        return
    # What is stored by rows is the transpose to a library that reads by columns.
    step = x.strides[0] if by_rows else x.strides[1]
    _gemm(  # type: ignore[call-arg]
        out, not by_rows, m, n, k,
        matrix.ctypes.data, max(matrix.strides[0] // size, m),
        x.ctypes.data, max(step // size, k if by_rows else n),
        out.ctypes.data, max(out.strides[0] // size, m),
    )  # fmt: skip


def product_reference(x: FloatArray, matrix: FloatArray, out: FloatArray) -> None:
    """Reference implementation of :func:`product`."""
    out += x @ matrix

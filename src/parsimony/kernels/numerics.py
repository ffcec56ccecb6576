"""Shared by all compiled kernels: compiler options and vectorisable exponentials.

LLVM cannot vectorise a loop that calls libm. In float32 the kernels therefore use a polynomial
``exp`` (relative error below 3e-7, the Cephes coefficients); in float64 they call libm, so that
the double-precision path stays an oracle to 1e-12.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

#: Sums may be reassociated and contracted (needed to vectorise reductions); NaN and inf keep
#: their meaning, so that divergence is detected.
FASTMATH = {"reassoc", "contract", "nsz", "arcp"}


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a hot loop: no GIL, cached on disk, reassociating arithmetic."""
    return njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")(function)


@intrinsic
def _float_from_bits(_context: Any, bits: Any) -> Any:
    """Reinterpret an int32 as a float32."""

    def code(_ctx: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), code


def exp(x: float) -> float:
    """e**x in the precision of x."""
    return math.exp(x)


_LOG2E = np.float32(1.44269504)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_C0 = np.float32(1.9875691500e-4)
_C1 = np.float32(1.3981999507e-3)
_C2 = np.float32(8.3334519073e-3)
_C3 = np.float32(4.1665795894e-2)
_C4 = np.float32(1.6666665459e-1)
_C5 = np.float32(5.0000001201e-1)
_LIMIT = np.float32(87.0)
_BIAS = np.float32(127.5)
_ONE = np.float32(1.0)


@overload(exp, inline="always")
def _overload_exp(x):  # type: ignore[no-untyped-def]
    if x == types.float32:

        def exp32(x):  # type: ignore[no-untyped-def]
            # This order of the comparisons lets NaN through.
            x = _LIMIT if x > _LIMIT else x
            x = -_LIMIT if x < -_LIMIT else x
            # Biased exponent: positive, so that truncation rounds to the nearest.
            n = np.int32(x * _LOG2E + _BIAS)
            # Truncate to int32: differences are int64 here, and converting those does not
            # vectorise before AVX-512.
            k = np.float32(np.int32(n - np.int32(127)))
            y = x - k * _LN2_HIGH - k * _LN2_LOW
            p = ((((_C0 * y + _C1) * y + _C2) * y + _C3) * y + _C4) * y + _C5
            p = p * y * y + y + _ONE
            return p * _float_from_bits(np.int32(n << np.int32(23)))  # type: ignore[call-arg]

        return exp32

    def exp64(x):  # type: ignore[no-untyped-def]
        return math.exp(x)

    return exp64


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x)."""
    return 1 / (1 + math.exp(-x))


def tanh(x: float) -> float:
    """2 σ(2x) − 1; the absolute error is of the order of machine precision."""
    return math.tanh(x)


# Constants of x's type: an integer 1 would promote a float32 loop to double precision.
@overload(sigmoid, inline="always")
def _overload_sigmoid(x):  # type: ignore[no-untyped-def]
    one = np.float32(1) if x == types.float32 else np.float64(1)

    def implementation(x):  # type: ignore[no-untyped-def]
        return one / (one + exp(-x))

    return implementation


@overload(tanh, inline="always")
def _overload_tanh(x):  # type: ignore[no-untyped-def]
    one = np.float32(1) if x == types.float32 else np.float64(1)
    two = np.float32(2) if x == types.float32 else np.float64(2)

    def implementation(x):  # type: ignore[no-untyped-def]
        return two / (one + exp(-two * x)) - one

    return implementation

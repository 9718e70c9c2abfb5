"""`ReduceOp`, and how MPI is told of numbers: its datatype and operation for a NumPy dtype."""

from __future__ import annotations

import enum
import functools

import numpy as np

__all__ = ["ReduceOp", "reduce_op"]


class ReduceOp(enum.Enum):
    """How a collective combines the numbers of the ranks, element by element.

    AVG is the sum divided by the number of ranks, for floats. The sum of bools is whether any is true, their product
    whether all are. PREMUL_SUM is NCCL's alone, here as with gloo an error. (PyTorch: torch.distributed.ReduceOp)
    """

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7
    PREMUL_SUM = 8


reduce_op = ReduceOp  # PyTorch's old name

_MPI_NAMES = {
    ReduceOp.SUM: "SUM",
    ReduceOp.AVG: "SUM",
    ReduceOp.PRODUCT: "PROD",
    ReduceOp.MIN: "MIN",
    ReduceOp.MAX: "MAX",
    ReduceOp.BAND: "BAND",
    ReduceOp.BOR: "BOR",
    ReduceOp.BXOR: "BXOR",
}
_OF_BOOLS = {"SUM": "LOR", "PROD": "LAND", "MIN": "LAND", "MAX": "LOR", "BAND": "LAND", "BOR": "LOR", "BXOR": "LXOR"}
_UFUNCS = {"SUM": np.add, "PROD": np.multiply, "MIN": np.minimum, "MAX": np.maximum}


def check_op(function: str, op, dtype: np.dtype) -> ReduceOp:
    """`op` itself, if it combines numbers of that dtype."""
    if not isinstance(op, ReduceOp):
        raise TypeError(
            f"{function}(): argument 'op' must be a ReduceOp, such as ReduceOp.SUM, not {type(op).__name__}"
        )
    if op is ReduceOp.PREMUL_SUM:
        raise RuntimeError(f"{function}(): Cannot use ReduceOp.PREMUL_SUM with MPI: multiply the tensor, then use SUM")
    if op is ReduceOp.AVG and dtype.kind != "f":
        raise RuntimeError(
            f"{function}(): result type Float can't be cast to the desired output type {dtype}: ReduceOp.AVG is for "
            "floating point; use SUM and divide"
        )
    if op in (ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR) and dtype.kind == "f":
        raise RuntimeError(f"{function}(): Cannot use ReduceOp.{op.name} with non-integral dtype {dtype}")
    return op


@functools.cache
def mpi_op(op: ReduceOp, dtype: np.dtype):
    """(MPI operation, MPI datatype) that combine arrays of `dtype`.

    float16 is MPI's own where the MPI has it (MPICH 4.2, as an extension); elsewhere NumPy adds the numbers, which
    travel as 16-bit integers: on the wire they are two bytes each in both cases, and every partial sum is rounded to
    float16.
    """
    from mpi4py import MPI

    name = _MPI_NAMES[op]
    if dtype.kind == "b":
        return getattr(MPI, _OF_BOOLS[name]), MPI.C_BOOL
    if dtype == np.float16 and not _knows_float16():
        return MPI.Op.Create(functools.partial(_combine, _UFUNCS[name]), commute=True), MPI.INT16_T
    return getattr(MPI, name), MPI.Datatype.fromcode(dtype.char)


def _knows_float16() -> bool:
    from mpi4py import MPI

    try:
        MPI.SUM.Reduce_local(np.ones(1, np.float16), np.ones(1, np.float16))
    except (KeyError, ValueError, MPI.Exception):
        return False
    return True


def _combine(ufunc, source, target, datatype) -> None:
    """One step of a reduction of float16, called by MPI: target = source op target."""
    out = np.frombuffer(target, np.float16)
    ufunc(np.frombuffer(source, np.float16), out, out=out)

"""The micro-kernels: every tile in every mode against NumPy, on arrays at the very end of a page."""

import functools
import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest
from guard import guarded
from kernel_checks import kinds, maker

from minigrad.kernels import tiles
from minigrad.kernels.dispatch import jit
from minigrad.kernels.llvm import address, call
from minigrad.kernels.tiles import (
    ACCUMULATE,
    PACKED,
    PACKED_TABLE,
    PAD,
    RELU,
    STRIDED,
    STRIDED_TABLE,
    copier,
    tile,
    transposer,
)

MODES = (STRIDED, PACKED, PACKED_TABLE, STRIDED_TABLE)
TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


@jit
def run_tile(table, mode, rows, vectors, K, S, row, step, V, ldv, C, ldc, bias, flags, live):
    call(
        tile(table, mode, rows, vectors), K, address(S), row, step, address(V), ldv, address(C), ldc, bias, flags, live
    )


@jit
def run_copier(table, vectors, K, source, stride, target, target_stride, live):
    call(copier(table, vectors), K, address(source), stride, 0, address(target), target_stride, 0, 0, 0, 0, live)


@jit
def run_transposer(table, rows, source, stride, columns, target, target_stride, bias, flags):
    call(
        transposer(table), rows, address(source), stride, columns, address(target), target_stride, 0, 0, bias, flags, 0
    )


@functools.cache
def known(kind):
    return tiles.table(np.dtype(kind))


def product(kind, mode, rows, vectors, K, live, flags, with_bias):
    """One tile by the kernel, in guarded arrays, and what it should be."""
    make, table = maker(kind), known(kind)
    lanes, size = int(table[0]), np.dtype(kind).itemsize
    wide, columns = vectors * lanes, (vectors - 1) * lanes + live
    strided, looked_up = mode in (STRIDED, STRIDED_TABLE), mode in (PACKED_TABLE, STRIDED_TABLE)
    S = make(rows, K) if strided else make(K, rows)
    row, step = (K * size, size) if strided else (size, rows * size)
    order = np.random.default_rng(K).permutation(K)
    offsets = guarded(order * step)
    S, V = guarded(S), guarded(make(K, wide))
    C, bias = guarded(make(rows, columns)), guarded(make(columns))
    used = (S if strided else S.T)[:, order] if looked_up else (S if strided else S.T)
    expected = used.astype("f8") @ V[:, :columns].astype("f8") + with_bias * bias.astype("f8")
    expected += C if flags & ACCUMULATE else 0
    expected = np.maximum(expected, 0) if flags & RELU else expected
    step = offsets.ctypes.data if looked_up else step
    place = bias.ctypes.data if with_bias else 0
    run_tile(table, mode, rows, vectors, K, S, row, step, V, wide * size, C, columns * size, place, flags, live)
    return C, expected


def close(actual, expected, kind):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[kind] * max(1, np.abs(expected).max(initial=0)))


@kinds
@pytest.mark.parametrize("mode", MODES)
def test_every_tile_is_a_product(kind, mode):
    lanes, tallest = known(kind)[:2].tolist()
    for rows, vectors in itertools.product(range(1, tallest + 1), (1, 2)):
        for live in {lanes, 1, lanes // 2 + 1}:
            close(*product(kind, mode, rows, vectors, 7, live, 0, False), kind)


@kinds
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("flags", [0, ACCUMULATE, RELU, ACCUMULATE | RELU])
@pytest.mark.parametrize("K", [0, 1, 2, 100])
def test_bias_flags_and_depths(kind, K, flags, with_bias):
    lanes, tallest = known(kind)[:2].tolist()
    for vectors, live in itertools.product((1, 2), range(1, lanes + 1)):
        close(*product(kind, STRIDED, tallest, vectors, K, live, flags, with_bias), kind)


@kinds
def test_nan_and_infinity_go_where_they_go_in_numpy(kind):
    table = known(kind)
    lanes, size = int(table[0]), np.dtype(kind).itemsize
    S = np.array([[1], [np.nan], [np.inf], [-np.inf]], kind)
    V = np.linspace(-1, 1, lanes, dtype=kind).reshape(1, -1)
    V[0, 0] = np.nan
    C = np.empty((4, lanes), kind)
    for flags in (0, RELU):
        run_tile(table, STRIDED, 4, 1, 1, S, size, size, V, lanes * size, C, lanes * size, 0, flags, lanes)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(C, np.maximum(S * V, 0) if flags else S * V)


@kinds
def test_the_copier_fills_rows_up_with_zeros(kind):
    table, make = known(kind), maker(kind)
    lanes, size = int(table[0]), np.dtype(kind).itemsize
    for K, vectors, live in itertools.product((0, 1, 5), (1, 2), range(1, lanes + 1)):
        columns = (vectors - 1) * lanes + live
        source, target = guarded(make(K, columns)), guarded(make(K, vectors * lanes))
        run_copier(table, vectors, K, source, columns * size, target, vectors * lanes * size, live)
        np.testing.assert_array_equal(target[:, :columns], source)
        assert not target[:, columns:].any()


@kinds
def test_the_transposer(kind):
    table, make = known(kind), maker(kind)
    lanes, size = int(table[0]), np.dtype(kind).itemsize
    for rows, columns in itertools.product(range(1, lanes + 1), repeat=2):
        source, bias = guarded(make(rows, columns)), guarded(make(rows))
        target = guarded(make(columns, rows))
        run_transposer(table, rows, source, columns * size, columns, target, rows * size, 0, 0)
        np.testing.assert_array_equal(target, source.T)
        run_transposer(table, rows, source, columns * size, columns, target, rows * size, bias.ctypes.data, RELU)
        np.testing.assert_array_equal(target, np.maximum(source.T + bias, 0))
        padded = guarded(make(columns, lanes))
        run_transposer(table, rows, source, columns * size, columns, padded, lanes * size, 0, PAD)
        np.testing.assert_array_equal(padded[:, :rows], source.T)
        assert np.isfinite(padded).all()


def test_there_are_tables_of_two_dtypes_only():
    for dtype in (np.float16, np.int64, np.complex64):
        with pytest.raises(KeyError):
            tiles.table(dtype)


def test_threads_get_the_same_results():
    wanted, found = product("float64", PACKED, 5, 2, 50, 1, RELU, True)[0], []

    def work():
        found.extend(product("float64", PACKED, 5, 2, 50, 1, RELU, True)[0] for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    assert all(np.array_equal(each, wanted) for each in found)


# Code for each kind of processor can be looked at, though most of it cannot run here.
PROCESSORS = [  # triple, processor, bits of a vector, rows of a tile, the instruction that multiplies
    ("x86_64-unknown-linux-gnu", "generic", 128, 6, "mulp"),
    ("x86_64-unknown-linux-gnu", "haswell", 256, 6, "vfmadd"),
    ("x86_64-unknown-linux-gnu", "skylake-avx512", 512, 14, "vfmadd"),
    ("x86_64-unknown-linux-gnu", "znver4", 512, 14, "vfmadd"),
    ("aarch64-unknown-linux-gnu", "neoverse-n1", 128, 12, "fmla"),
]
LOOK = """
import itertools, re, sys
from llvmlite import binding
from minigrad.kernels import llvm, tiles
binding.initialize_all_targets()
binding.initialize_all_asmprinters()
triple, processor, bits, rows, instruction = sys.argv[1:]
machine = triple, processor, ""
try:
    binding.Target.from_triple(triple)
except RuntimeError:
    sys.exit("no such target")
found = tiles._registers(*machine)
assert found == (int(bits), int(rows))
for item, mode in itertools.product(llvm.ITEMS.values(), range(4)):
    code = tiles._tile("f", item, found[0] // 8 // item[2], mode, found[1], 2)
    module = llvm.parsed(code.declarations() + code.text(llvm.tuning(triple)))
    module.verify()
    assembly = llvm.target_machine(*machine).emit_assembly(module)
    loop = max(re.split(r"\\n(?=\\.LBB)", assembly), key=lambda block: block.count(instruction))
    assert loop.count(instruction) == 2 * found[1], loop
    assert not re.search(r"\\(%r[sb]p\\)|\\[sp", loop), "registers are spilled:" + loop
"""


@pytest.mark.parametrize("case", PROCESSORS)
def test_the_innermost_loop_keeps_everything_in_registers(case):
    done = subprocess.run([sys.executable, "-c", LOOK, *map(str, case)], capture_output=True, text=True, check=False)
    if "no such target" in done.stderr:
        pytest.skip("this LLVM has no code generator for that processor")
    assert not done.returncode, done.stderr

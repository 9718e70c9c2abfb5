"""Kernels written as LLVM's text, where loops in Python do not become the vector code that is wanted.

1. `Code` writes the text of a kernel, instruction by instruction.
2. `compiled` has it compiled for this processor, keeps it on disk, and tells the addresses.
3. `call` runs, in `jit` code, the kernel at an address. Arrays are handed over by `address`.

Whoever takes an `address` has to keep the array: numba frees an array made inside a function after its last mention.

Before this: `dispatch.py`, `cache.py`. After it: `tiles.py`, `lanes.py`, `sums.py`.
"""

import itertools

import numpy as np

from minigrad.kernels.cache import fingerprint, stored
from minigrad.kernels.dispatch import intrinsic, jit

ITEMS = {np.dtype(np.float32): ("float", "f32", 4), np.dtype(np.float64): ("double", "f64", 8)}


def machine():
    """(triple, processor, features) that numba compiles for, which NUMBA_CPU_NAME and NUMBA_CPU_FEATURES change."""
    from numba.core.registry import cpu_target

    return cpu_target.target_context.codegen().magic_tuple()


def compiled(name, codes, settings, names):
    """The addresses of the kernels `names` among `codes(*settings)`, a list of `Code`; from disk, if they are there."""
    here = machine()

    def compile():
        made = codes(*settings)
        text = made[0].declarations() + "\n".join(code.text(tuning(here[0])) for code in made)
        # No optimisation is asked for: there is nothing to find.
        return target_machine(*here).emit_object(parsed(text))

    code = stored(name, repr((fingerprint(codes), fingerprint(compile), settings, here)), compile)
    return _loaded(code, here, names)


def target_machine(triple, processor, features):
    """LLVM's object that compiles for a processor."""
    from llvmlite import binding

    options = {"cpu": processor, "features": features, "opt": 2, "codemodel": "jitdefault", "jit": True}
    reloc = "static" if triple.startswith("x86") else "default"
    return binding.Target.from_triple(triple).create_target_machine(reloc=reloc, **options)


def tuning(triple):
    """The processor whose latencies LLVM goes by: with the tables of some it runs out of registers (the tests look)."""
    return "sapphirerapids" if triple.startswith("x86") else "generic"


def parsed(source):
    """LLVM's module of a text."""
    from llvmlite import binding

    return binding.parse_assembly(source)


_engines = []  # code stays in memory as long as its engine


def _loaded(code, machine, names):
    """The addresses of functions of an object file."""
    from llvmlite import binding

    engine = binding.create_mcjit_compiler(parsed(""), target_machine(*machine))
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return [engine.get_function_address(name) for name in names]


@intrinsic
def call(typing, kernel, *arguments):
    """Run the kernel at an address; all arguments are int64 or float64."""
    from llvmlite import ir
    from numba.core import types

    kinds = [types.float64 if isinstance(kind, types.Float) else types.int64 for kind in arguments]
    alike = types.float64 not in kinds
    given = types.StarArgUniTuple(types.int64, len(kinds)) if alike else types.StarArgTuple(kinds)

    def generate(context, builder, signature, values):
        numbers = [builder.extract_value(values[1], k) for k in range(len(kinds))]
        kind = ir.FunctionType(ir.VoidType(), [number.type for number in numbers])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), numbers)
        return context.get_dummy_value()

    return types.none(types.int64, given), generate


@intrinsic
def address(typing, array):
    """Where an array begins, as int64."""
    from llvmlite import ir
    from numba.core import types

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), generate


@jit
def address_of(array):
    """`address`, for Python: a fifth of the time of `array.ctypes.data`."""
    return address(array)


class Code:
    """The LLVM text of one kernel as it is written. Values are names ("%x7"); a method returns the name it gave."""

    def __init__(self, name, arguments, item, lanes):
        self.item, self.tag, self.size = item
        self.name, self.arguments, self.lanes = name, arguments, lanes
        self.vector, self.mask, self.ints = f"<{lanes} x {self.item}>", f"<{lanes} x i1>", f"<{lanes} x i32>"
        self.lines, self.count = [], 0
        self.block("entry")

    def text(self, tuning):
        """The kernel; `tuning` is the processor whose latencies LLVM goes by."""
        lines = "\n".join([*self.lines, "  ret void"])
        return f'define void @{self.name}({self.arguments}) nounwind "tune-cpu"="{tuning}" {{\n{lines}\n}}\n'

    def declarations(self):
        """Of LLVM's own functions that are called; they come first in the text of several kernels."""
        vector, kind = self.vector, f"v{self.lanes}{self.tag}"
        return (
            f"declare {vector} @llvm.fmuladd.{kind}({vector}, {vector}, {vector})\n"
            f"declare {vector} @llvm.masked.load.{kind}.p0(ptr, i32, {self.mask}, {vector})\n"
            f"declare void @llvm.masked.store.{kind}.p0({vector}, ptr, i32, {self.mask})\n"
            f"declare {self.item} @llvm.vector.reduce.fadd.{kind}({self.item}, {vector})\n"
            f"declare {self.item} @llvm.vector.reduce.fmax.{kind}({vector})\n"
            "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)\n"
            "declare i64 @llvm.smin.i64(i64, i64)\ndeclare i64 @llvm.smax.i64(i64, i64)\n"
        )

    def do(self, line):
        self.lines.append("  " + line)

    def let(self, expression):
        self.count += 1
        self.do(f"%x{self.count} = {expression}")
        return f"%x{self.count}"

    def block(self, label):
        self.lines.append(f"{label}:")
        self.here = label

    def label(self):
        self.count += 1
        return f"block{self.count}"

    def at(self, base, offset):
        """The address `offset` bytes (a name or an int) behind `base`."""
        return self.let(f"getelementptr i8, ptr {base}, i64 {offset}")

    def rows(self, base, stride, count):
        """The addresses of `count` rows."""
        return list(itertools.accumulate([stride] * (count - 1), self.at, initial=base))

    def load(self, place, mask=None, others="zeroinitializer"):
        """A vector; of a masked one the lanes that are off are not touched in memory, and as in `others`."""
        if mask is None:
            return self.let(f"load {self.vector}, ptr {place}, align {self.size}")
        function = f"@llvm.masked.load.v{self.lanes}{self.tag}.p0"
        rest = f"{self.mask} {mask}, {self.vector} {others}"
        return self.let(f"call {self.vector} {function}(ptr {place}, i32 {self.size}, {rest})")

    def store(self, value, place, mask=None):
        if mask is None:
            self.do(f"store {self.vector} {value}, ptr {place}, align {self.size}")
        else:
            function = f"@llvm.masked.store.v{self.lanes}{self.tag}.p0"
            self.do(f"call void {function}({self.vector} {value}, ptr {place}, i32 {self.size}, {self.mask} {mask})")

    def spread(self, number, item=None, vector=None):
        """A vector that holds one number in all lanes."""
        vector = vector or self.vector
        first = self.let(f"insertelement {vector} poison, {item or self.item} {number}, i32 0")
        return self.let(f"shufflevector {vector} {first}, {vector} poison, {self.ints} zeroinitializer")

    def first(self, count):
        """The mask of the first `count` lanes."""
        return self._numbered("slt", count)

    def beyond(self, count):
        """The mask of the lanes after the first `count`."""
        return self._numbered("sge", count)

    def _numbered(self, how, count):
        limit = self.spread(self.let(f"trunc i64 {count} to i32"), "i32", self.ints)
        numbers = ", ".join(f"i32 {lane}" for lane in range(self.lanes))
        return self.let(f"icmp {how} {self.ints} <{numbers}>, {limit}")

    def multiply_add(self, a, b, c):
        v = self.vector
        return self.let(f"call {v} @llvm.fmuladd.v{self.lanes}{self.tag}({v} {a}, {v} {b}, {v} {c})")

    def op(self, name, a, b):
        """`fadd`, `fmul`, ... of vectors."""
        return self.let(f"{name} {self.vector} {a}, {b}")

    def total(self, x):
        """The sum of the lanes, a number."""
        function = f"@llvm.vector.reduce.fadd.v{self.lanes}{self.tag}"
        return self.let(f"call reassoc {self.item} {function}({self.item} 0.0, {self.vector} {x})")

    def select(self, mask, a, b):
        return self.let(f"select {self.mask} {mask}, {self.vector} {a}, {self.vector} {b}")

    def shuffle(self, a, b, lanes):
        chosen = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.let(f"shufflevector {self.vector} {a}, {self.vector} {b}, {self.ints} <{chosen}>")

    def where(self, condition, values, change):
        """Vectors: `change(values)` where the condition holds, `values` otherwise."""
        before, then, after = self.here, self.label(), self.label()
        self.do(f"br i1 {condition}, label %{then}, label %{after}")
        self.block(then)
        changed, then = change(values), self.here
        self.do(f"br label %{after}")
        self.block(after)
        return [
            self.let(f"phi {self.vector} [{old}, %{before}], [{new}, %{then}]") for old, new in zip(values, changed)
        ]

    def branch(self, condition, act):
        """`act(True)` or `act(False)`, then on."""
        labels = [self.label(), self.label(), self.label()]
        self.do(f"br i1 {condition}, label %{labels[0]}, label %{labels[1]}")
        for label, value in zip(labels, (True, False)):
            self.block(label)
            act(value)
            self.do(f"br label %{labels[2]}")
        self.block(labels[2])

    def loop(self, count, kinds, starts, body):
        """`body(*values)` gives the values of the next round; `count` rounds, none if it is not positive. The last."""
        before, label, after = self.here, self.label(), self.label()
        enough = self.let(f"icmp sgt i64 {count}, 0")
        self.do(f"br i1 {enough}, label %{label}, label %{after}")
        self.block(label)
        head = len(self.lines)
        names = [f"%{label}.{k}" for k in range(len(kinds) + 1)]
        values = body(*names[1:])
        left, end = self.let(f"add i64 {names[0]}, -1"), self.here
        kinds, starts, values = ["i64", *kinds], [count, *starts], [left, *values]
        self.lines[head:head] = [
            f"  {name} = phi {kind} [{start}, %{before}], [{value}, %{end}]"
            for name, kind, start, value in zip(names, kinds, starts, values)
        ]
        more = self.let(f"icmp sgt i64 {left}, 0")
        self.do(f"br i1 {more}, label %{label}, label %{after}")
        self.block(after)
        return [
            self.let(f"phi {kind} [{start}, %{before}], [{value}, %{end}]")
            for kind, start, value in zip(kinds[1:], starts[1:], values[1:])
        ]

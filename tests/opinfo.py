"""PyTorch's own samples for its operators (its OpInfo database), run in PyTorch and here, and compared.

    python tests/opinfo.py                      every operator of NAMES: one line each
    python tests/opinfo.py addcmul linalg.inv   some of them, with every disagreement
    python tests/opinfo.py --report             all of it, into docs/parity.md

For each sample the two libraries must agree on:

    value     result, shape, dtype and requires_grad, for float64, float32, int64 and bool inputs; where PyTorch
              raises, the same kind of error
    forms     the same through the method, the in-place method, the operator, every alias, and with `out=`
    grad      the gradients for random output gradients (float64), `None` included
    grad2     the gradients of those
    error     the calls that PyTorch's tests expect to fail: an error of the same type
    misuse    calls made wrong on purpose (`misuses`): an error of the same type, or the same result where PyTorch
              takes them. Where PyTorch's Python code trips over an argument that is no tensor (AttributeError), a
              TypeError that names the argument is right too

A sample is left out only where it asks for what is out of scope (complex numbers, memory formats, sparse layouts), and
the count of those is shown. Tolerances are those of `torch.testing.assert_close`, or the wider ones that PyTorch's own
test of the operator has.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import operator
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from opinfo_names import FAMILIES, NAMES, REASONS
from opinfo_samples import chosen, copied, describe, detached, has_overlap, misuses, samples_of, theirs_converted
from opinfo_swap import (
    OutOfScope,
    call,
    differ,
    our_form,
    our_function,
    ours,
    same,
    shared,
    swapped,
    tensors_in,
    their_error,
)
from torch.testing._internal.common_device_type import toleranceOverride
from torch.testing._internal.common_methods_invocations import op_db

import minigrad
import minigrad.autograd
import minigrad.nn.functional

DTYPES = (torch.float64, torch.float32, torch.int64, torch.bool)
COLUMNS = ("value", "forms", "grad", "grad2", "error", "misuse")
TOLERANCE = {torch.float64: (1e-7, 1e-7), torch.float32: (1.3e-6, 1e-5)}
MISUSED = 3  # samples of each operator that are made wrong
INFOS = {f"{info.name}/{info.variant_test_name}".removesuffix("/"): info for info in op_db}
REPORT = Path(__file__).resolve().parents[1] / "docs" / "parity.md"


class Tally:
    """Agreements and attempts per column, and the disagreements in words."""

    def __init__(self):
        self.agreed, self.tried, self.left_out = defaultdict(int), defaultdict(int), 0
        self.faults = []

    def add(self, column, difference, what):
        self.tried[column] += 1
        if difference is None:
            self.agreed[column] += 1
        else:
            self.faults.append((column, what, difference))


def tolerance_of(info):
    """assert_close's tolerances, widened to what PyTorch's own tests of the operator allow."""
    found = dict(TOLERANCE)
    for decorator in info.decorators:
        for part in getattr(decorator, "decorators", [decorator]):
            if isinstance(part, toleranceOverride):
                for dtype, given in part.d.items():
                    if dtype in found:
                        rtol, atol = found[dtype]
                        found[dtype] = builtins.max(rtol, given.rtol or 0), builtins.max(atol, given.atol or 0)
    return found


def check(name, everything=True, calls=True):
    """The tally of one operator: on all samples, or on those that `chosen` keeps. calls=False: values and gradients
    only, not the other ways to call it and the wrong ones, which do not depend on the kernels."""
    info, tally = INFOS[name], Tally()
    try:
        function = our_function(info)
    except AttributeError as error:
        function = missing(error)
    tolerance = tolerance_of(info)
    for dtype in DTYPES:
        samples = samples_of(info, dtype)
        for sample in samples if everything else chosen(samples):
            check_sample(info, function, sample, dtype, tolerance, tally, calls)
    if not calls:
        return tally
    for sample in chosen(samples_of(info, torch.float64))[: MISUSED if everything else 1]:
        for what, wrong in misuses(sample):
            check_misuse(info, function, wrong, f"{what}: {describe(sample, torch.float64)}", tolerance, tally)
    if info.error_inputs_func is not None:
        for case in info.error_inputs("cpu"):
            with scope(tally):
                what = describe(case.sample_input, None)
                outcome, _, _ = call(function, case.sample_input, shared)
                expected = ("raises", their_error(case))
                if outcome[0] == "gives":  # some of the database's cases are errors on other devices only
                    their_outcome, _, _ = call(info.op, case.sample_input, theirs_converted)
                    expected = their_outcome if their_outcome[0] == "gives" else expected
                tally.add("error", differ(outcome, expected, tolerance), what)
    return tally


def missing(error):
    def function(*args, **kwargs):
        raise LookupError(str(error))

    return function


@contextlib.contextmanager
def scope(tally):
    try:
        yield
    except OutOfScope:
        tally.left_out += 1


def check_sample(info, function, sample, dtype, tolerance, tally, calls):
    what = describe(sample, dtype)
    their_function = info.op
    try:
        mine, made, result = call(function, sample, ours)
    except OutOfScope:
        tally.left_out += 1
        return
    other, their_made, their_result = call(their_function, sample, theirs_converted)
    difference = compared(sample, mine, other, tolerance)
    tally.add("value", difference, what)
    for form, alias, theirs in forms(info) if calls else ():
        check_form(info, form, alias, theirs, sample, tolerance, tally, what)
    if difference is None and other[0] == "gives" and dtype is torch.float64 and info.supports_autograd:
        check_gradients(info, sample, made, their_made, result, their_result, tolerance[dtype], tally, what)


def check_misuse(info, function, sample, what, tolerance, tally):
    def plain(value, made):
        return detached(copied(value))

    other, _, _ = call(info.op, sample, plain)
    with scope(tally):
        outcome, _, _ = call(function, sample, lambda value, made: ours(plain(value, made)))
        difference = differ(outcome, other, tolerance)
        if isinstance(other[1], AttributeError) and isinstance(outcome[1], TypeError):
            difference = None
        tally.add("misuse", difference, what)


def compared(sample, mine, other, tolerance):
    """None, or how two outcomes differ. Of results that are not unique (the signs of singular vectors) only the part
    that is: the one that PyTorch's own tests look at. All shapes must agree."""
    difference = differ(mine, other, tolerance)
    if difference is None or "raises" in (mine[0], other[0]):
        return difference
    pairs = list(zip(tensors_in(mine[1]), tensors_in(other[1])))
    if not pairs or any(tuple(a.shape) != tuple(b.shape) for a, b in pairs):
        return difference
    process = sample.output_process_fn_grad
    return same(swapped(process)(mine[1]), process(other[1]), tolerance)


def forms(info):
    """(form, alias, PyTorch's function) of the other ways to call the operator."""
    if info.method_variant is not None:
        yield "method", None, info.method_variant
    if info.inplace_variant is not None:
        yield "inplace", None, info.inplace_variant
    if info.operator_variant is not None:
        yield "operator_variant", None, info.operator_variant
    if info.inplace_operator_variant is not None:
        yield "inplace_operator_variant", None, info.inplace_operator_variant
    if info.supports_out and not info.name.startswith("nn."):  # those take it, but undocumented
        yield "out", None, info.op
    for alias in info.aliases:
        with contextlib.suppress(AttributeError):
            yield "alias", alias.name, operator.attrgetter(alias.name)(torch)


def check_form(info, form, alias, their_function, sample, tolerance, tally, what):
    """Another way to call it, without gradients (in-place forms write to leaves)."""
    if "operator" in form and (len(sample.args) != 1 or sample.kwargs):
        return
    writes = "inplace" in form

    def plain(value, made):
        return detached(theirs_converted(value, []))

    def mine(value, made):
        return ours(detached(copied(value)))

    name = f"{alias or form}, {what}"
    if writes and not sample.input.is_contiguous() and has_overlap(sample.input):
        return
    try:
        function = our_form(info, form, alias)
    except AttributeError as error:
        function = missing(error)
    other, _, _ = call(their_function, sample, plain)
    if form == "out":
        check_out(function, their_function, sample, (mine, plain), other, tolerance, tally, name)
        return
    outcome, _, _ = call(function, sample, mine)
    tally.add("forms", compared(sample, outcome, other, tolerance), name)


def check_out(function, their_function, sample, converters, result, tolerance, tally, what):
    """The call with `out=`, an empty tensor like the result: what was written into it."""
    if result[0] == "raises" or not tensors_in(result[1]):
        return
    outcomes = []
    for call_it, convert, empty in zip((function, their_function), converters, (empty_of_ours, torch.empty)):
        given = blank(result[1], empty)
        outcome, _, _ = call(functools.partial(call_it, out=given), sample, convert)
        outcomes.append(("gives", given) if outcome[0] == "gives" else outcome)
    tally.add("forms", compared(sample, *outcomes, tolerance), what)


def empty_of_ours(shape, dtype):
    return minigrad.empty(shape, dtype=ours(dtype))


def blank(result, empty):
    """Empty tensors of a result's shapes and dtypes, to give as `out=`."""
    if isinstance(result, torch.Tensor):
        return empty(tuple(result.shape), dtype=result.dtype)
    return tuple(blank(each, empty) for each in result)


def seeds_for(outputs, draw):
    return [draw.uniform(-1, 1, tuple(o.shape)) for o in outputs]


def check_gradients(info, sample, made, their_made, result, their_result, tolerance, tally, what):
    their_result = sample.output_process_fn_grad(their_result)
    result = swapped(sample.output_process_fn_grad)(result)
    outputs = [t for t in tensors_in(result) if t.requires_grad]
    their_outputs = [t for t in tensors_in(their_result) if t.requires_grad]
    if not their_outputs or not their_made:
        return
    seeds = seeds_for(their_outputs, np.random.default_rng(0))
    second = info.supports_gradgrad
    first, mine, starts = gradients(minigrad, outputs, made, seeds, second)
    their_first, theirs, their_starts = gradients(torch, their_outputs, their_made, seeds, second)
    tally.add("grad", differ(first, their_first, {torch.float64: tolerance}), what)
    if not second or first[0] == "raises" or their_first[0] == "raises":
        return
    kept = [(a, b) for a, b in zip(mine, theirs) if b is not None and b.requires_grad]
    if not kept:
        return
    mine, theirs = zip(*kept)
    more = seeds_for(theirs, np.random.default_rng(1))
    first, *_ = gradients(minigrad, mine, [*made, *starts], more, False)
    their_first, *_ = gradients(torch, theirs, [*their_made, *their_starts], more, False)
    if their_first[0] == "raises":  # PyTorch has no second derivative of this case
        return
    tally.add("grad2", differ(first, their_first, {torch.float64: tolerance}), what)


def gradients(lib, outputs, inputs, seeds, create_graph):
    """The outcome of autograd.grad as numbers (no gradient counts as zeros), the gradients, and what they start from:
    second derivatives are taken by the inputs and by the output gradients."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            starts = [lib.tensor(s, dtype=o.dtype, requires_grad=create_graph) for s, o in zip(seeds, outputs)]
            found = lib.autograd.grad(outputs, inputs, starts, create_graph=create_graph, allow_unused=True)
    except Exception as error:
        return ("raises", error), [], []
    plain = [(lib.zeros_like(t) if g is None else g).detach() for g, t in zip(found, inputs)]
    return ("gives", plain), found, starts


def line(name, tally):
    cells = [f"{column} {tally.agreed[column]}/{tally.tried[column]}" for column in COLUMNS if tally.tried[column]]
    note = f", {tally.left_out} left out" if tally.left_out else ""
    return f"{'ok ' if not tally.faults else 'BAD'} {name}: {', '.join(cells)}{note}"


INTRODUCTION = """# Parity with PyTorch, operator by operator

Written by `python tests/opinfo.py --report` against PyTorch {version}; `tests/test_opinfo.py` runs a choice of these
samples, `make test-long` all of them.

Samples are those of PyTorch's own test suite (its OpInfo database). Each cell says how many agree, of how many tried:
`value`, shape, dtype and `requires_grad` for float64, float32, int64 and bool inputs; the other `forms` (method,
in-place method, operator, aliases, `out=`); first and second gradients (`grad`, `grad2`); calls that PyTorch's tests
expect to fail (`error`); calls made wrong on purpose (`misuse`), where the type of the error, or the result, has to be
PyTorch's (a TypeError may stand for the AttributeError of its Python code). Tolerances are those of PyTorch's tests. Of
results that are not unique, such as singular vectors, the part that is unique is compared, as there.

{total}
"""


def report(tallies):
    """docs/parity.md: for each operator the samples that agree, of those tried."""
    lines = [INTRODUCTION.format(version=torch.__version__.partition("+")[0], total=total(tallies))]
    for family, names in FAMILIES.items():
        lines += [f"## {family}", "", f"| operator | {' | '.join(COLUMNS)} | |", "|---" * (len(COLUMNS) + 2) + "|"]
        for name in names:
            tally = tallies[name]
            cells = [f"{tally.agreed[c]}/{tally.tried[c]}" if tally.tried[c] else "" for c in COLUMNS]
            left_out = f"{tally.left_out} out of scope" if tally.left_out else ""
            notes = "; ".join(part for part in (REASONS.get(name, ""), left_out) if part)
            lines.append(f"| `{name}` | {' | '.join(cells)} | {notes} |")
        lines.append("")
    return "\n".join(lines)


def total(tallies):
    parts = []
    for column in COLUMNS:
        agreed, tried = (sum(getattr(t, which)[column] for t in tallies.values()) for which in ("agreed", "tried"))
        parts.append(f"{column} {agreed:,} of {tried:,}")
    whole = sum(not tally.faults for tally in tallies.values())
    return f"**{whole} of {len(tallies)} operators agree in everything tried**: {', '.join(parts)}."


def main(names):
    writing = names == ["--report"]
    tallies = {}
    for name in NAMES if writing or not names else names:
        for full in [name] if name in INFOS else [known for known in NAMES if known.split("/")[0] == name]:
            tally = tallies[full] = check(full)
            print(line(full, tally), flush=True)
            if names and not writing:
                for column, what, difference in tally.faults:
                    print(f"    {column:6} {what}\n           {difference}")
    print(total(tallies))
    if writing:
        REPORT.write_text(report(tallies), encoding="utf-8")
    return any(tally.faults for tally in tallies.values())


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)

"""`trace`: a table of what a function ran, with times; sums by operation and by module; Chrome's trace format.

Comes after `observer.py`, which sees the steps.  A small profiler: it answers which operations ran, in which order, on
which shapes, from which line, and where the time went.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from minigrad.errors import describe
from minigrad.viz.files import checked_path, write_whole
from minigrad.viz.graph.model import clean
from minigrad.viz.notebook import line_name
from minigrad.viz.record.observer import BACKWARD, FORWARD, MODULE, OPTIMIZER, Observer, Step
from minigrad.viz.table import Column, Row, Table, bytes_text, seconds_text

__all__ = ["Trace", "trace"]

SHOWN = 60  # steps of a table if nothing is said
SHAPES = 3  # operands whose shapes are written


def trace(fn, /, *args, **kwargs) -> Trace:
    """trace(fn, *args, **kwargs) -> Trace.  Run ``fn(*args, **kwargs)`` once and tell what ran: every operation of the
    forward pass, gradient rule of the backward pass and step of an optimizer, under ``no_grad()`` too.

        t = viz.trace(train_step, x, y)
        print(t)                  # op, shapes in → out, dtype, time, bytes, source line, module
        print(t.by_op())          # sums, the most expensive first;  t.by_module() likewise
        t.save("trace.json")      # opens at ui.perfetto.dev and chrome://tracing
        t.result                  # what fn returned

    Times are of wall clocks.  Looking on makes Python three to fifteen times slower, not the kernels; what it cost is
    measured and taken off every time, so that operations on large arrays are true and those that take a few
    microseconds are about right, but for the first of each kind (`Trace.overhead` says how much was taken off). The
    first run of an operation may compile its kernel: call `fn` once before. Only this thread is seen.

    It uses Python's one profile function (`sys.setprofile`): one that a program has set is put back afterwards, under
    cProfile it raises RuntimeError (Python 3.10, 3.11; later cProfile uses another way). coverage and debuggers are not
    concerned. An exception of `fn` goes on, and there is no trace.

    Raises TypeError if `fn` can't be called.
    """
    if not callable(fn):
        raise TypeError(
            f"trace(): argument 'fn' must be callable, not {describe(fn)}; pass the function, not its result"
        )
    observer = Observer()
    result = observer.run(fn, args, kwargs)
    name = getattr(fn, "__qualname__", None) or type(fn).__name__
    return Trace(name.rpartition("<locals>.")[2], result, observer.steps, observer.seconds, observer.overhead)


class Trace:
    """What ran. In a notebook it shows itself as a table; `str()` is that table as text.

    result    what the function returned
    steps     the `Step`s in the order they began: operations, gradient rules, optimizer steps, calls of modules
    seconds   how long it took, without looking on
    overhead  the seconds that looking on took
    """

    def __init__(self, name: str, result, steps: list[Step], seconds: float, overhead: float):
        self.name, self.result, self.steps = name, result, steps
        self.seconds, self.overhead = seconds, overhead

    # ---- tables

    def table(self, limit: int | None = SHOWN) -> Table:
        """What ran, in order; steps inside others are indented, gradient rules begin with ∂. Of more than `limit` steps
        the first and last are shown (None: all)."""
        steps = [step for step in self.steps if step.phase != MODULE]
        left = 0 if limit is None else max(0, len(steps) - limit)
        at = (limit or 0) - (limit or 0) // 4
        rows = [self._row(step) for step in (steps[:at] + steps[at + left :] if left else steps)]
        if left:
            rows.insert(at, Row((f"… {left:,} more", "", "", "", "", "", "", ""), "faint"))
        columns = [
            Column("op", least=20),
            Column("in → out", least=20, code=True),
            Column("dtype", drop=2),
            Column("time", right=True),
            Column("share", right=True, drop=1),
            Column("bytes", right=True, drop=3),
            Column("module", least=6),
            Column("line", least=14, code=True),
        ]
        cut = [f"{left:,} steps are left out: by_op() sums them all, table(limit=None) shows them."] if left else []
        return Table(columns, rows, self._title(steps), cut + self._notes())

    def _title(self, steps):
        count = len(steps)
        return f"{self.name}: {seconds_text(self.seconds)}, {count:,} {'step' if count == 1 else 'steps'}"

    def _notes(self):
        inside = sum(step.alone for step in self.steps if step.phase != MODULE)
        rest = max(0.0, self.seconds - inside)
        times = seconds_text(inside), seconds_text(rest), seconds_text(self.overhead)
        return [
            "{} in these steps, {} in the Python between them; looking on took {}, which is taken off.".format(*times)
        ]

    def _row(self, step):
        name = f"{step.op} {step.label}" if step.label not in ("", step.op) and len(step.label) == 1 else step.op
        mark = "∂ " if step.phase == BACKWARD and step.op != "backward" else ""
        return Row(
            (
                "  " * step.depth + mark + name,
                _shapes(step),
                _dtype(step),
                seconds_text(step.seconds),
                self._share(step.seconds),
                bytes_text(step.bytes) if step.bytes else "",
                _module(step),
                _line(step),
            ),
            "faint" if step.depth else "",
        )

    def _share(self, seconds):
        return f"{100 * seconds / self.seconds:.1f} %" if self.seconds else ""

    def by_op(self) -> Table:
        """Sums by operation, the most expensive first. Times are each step's own, without the steps in it, so they add
        up; `Table.data` has the numbers."""
        sums: dict = defaultdict(lambda: [0, 0.0, 0])
        for step in self.steps:
            if step.phase != MODULE:
                total = sums[step.phase, step.op]
                total[0] += 1
                total[1] += step.alone
                total[2] += step.bytes
        order = sorted(sums.items(), key=lambda item: -item[1][1])
        data = [
            {"phase": phase, "op": op, "calls": calls, "seconds": seconds, "bytes": size}
            for (phase, op), (calls, seconds, size) in order
        ]
        rows = [
            Row(
                (
                    ("∂ " if d["phase"] == BACKWARD and d["op"] != "backward" else "") + d["op"],
                    d["phase"],
                    f"{d['calls']:,}",
                    seconds_text(d["seconds"]),
                    self._share(d["seconds"]),
                    seconds_text(d["seconds"] / d["calls"]),
                    bytes_text(d["bytes"]) if d["bytes"] else "",
                )
            )
            for d in data
        ]
        columns = [Column("op", least=16), Column("phase"), Column("calls", right=True), Column("time", right=True)]
        columns += [Column("share", right=True), Column("each", right=True), Column("bytes", right=True)]
        return Table(columns, rows, f"{self.name}: {seconds_text(self.seconds)} by operation", self._notes(), data)

    def by_module(self) -> Table:
        """Sums by module, as they are nested: the forward time of its calls, with all inside, and the time of the
        gradient rules of what was computed in it. `Table.data` has the numbers."""
        modules: dict = {}
        other: dict = defaultdict(float)
        for step in self.steps:
            if step.phase == MODULE:
                call = step.modules[-1]
                entry = _entry(modules, step.modules, len(step.modules) - 1)
                entry["calls"] += 1
                if all((c.root, c.path) != (call.root, call.path) for c in step.modules[:-1]):  # not inside itself
                    entry["forward"] += step.seconds
                continue
            if step.phase == BACKWARD:
                for i in range(len(step.modules)):
                    _entry(modules, step.modules, i)["backward"] += step.alone
            if step.phase == FORWARD:
                for i in range(len(step.modules)):
                    _entry(modules, step.modules, i)["bytes"] += step.bytes
            if not step.modules:
                other[step.phase] += step.alone
        data = list(modules.values())
        if other:
            outside = {"module": "", "kind": "outside modules", "depth": 0, "calls": 0, "bytes": 0}
            data.append({**outside, "forward": other[FORWARD], "backward": other[BACKWARD]})
        if OPTIMIZER in other:
            outside = {"module": "", "kind": "optimizer", "depth": 0, "calls": 0, "forward": 0.0, "backward": 0.0}
            data.append({**outside, "bytes": 0, "optimizer": other[OPTIMIZER]})
        columns = [Column("module", least=20), Column("calls", right=True), Column("forward", right=True)]
        columns += [Column("backward", right=True), Column("together", right=True), Column("share", right=True)]
        columns += [Column("bytes", right=True)]
        rows = [self._module_row(entry) for entry in data]
        return Table(columns, rows, f"{self.name}: {seconds_text(self.seconds)} by module", self._notes(), data)

    def _module_row(self, entry):
        last = entry["module"].rpartition(".")[2]
        total = entry["forward"] + entry["backward"] + entry.get("optimizer", 0.0)
        return Row(
            (
                "  " * entry["depth"] + (f"{last}: {entry['kind']}" if last else entry["kind"]),
                f"{entry['calls']:,}" if entry["calls"] else "",
                seconds_text(entry["forward"]) if entry["forward"] else "",
                seconds_text(entry["backward"]) if entry["backward"] else "",
                seconds_text(total),
                self._share(total),
                bytes_text(entry["bytes"]) if entry["bytes"] else "",
            )
        )

    def __str__(self):
        return str(self.table())

    def __rich__(self):
        return self.table()

    def __repr__(self):
        count = sum(step.phase != MODULE for step in self.steps)
        return f"<Trace of {self.name}: {count:,} steps, {seconds_text(self.seconds)}>"

    def _repr_html_(self):
        return self.table().html()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.table()._repr_mimebundle_()

    # ---- files

    def save(self, path) -> Path:
        """Write the trace to a .json file in Chrome's trace-event format and return its path. It opens at
        https://ui.perfetto.dev, in chrome://tracing and in VS Code; modules, operations and rules are nested bars.

        Raises ValueError for another ending, OSError where the file can't be written.
        """
        path = checked_path(path, ("json",), "Trace.save()")
        text = json.dumps(self.events(), ensure_ascii=True, allow_nan=False, indent=0)
        write_whole(path, text.encode(), "Trace.save()")
        return path

    def events(self) -> dict:
        """What `save` writes: the trace as Chrome's trace events (their times are in microseconds)."""
        meta = [
            {"name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "minigrad"}},
            {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": clean(self.name)}},
        ]
        return {"traceEvents": [*meta, *(_event(step) for step in self.steps)], "displayTimeUnit": "ms"}


def _event(step):
    said = ", ".join(f"{name}={value}" for name, value in step.settings.items())
    facts = {
        "shapes": _shapes(step, None),
        "arguments": said,
        "dtype": _dtype(step),
        "bytes": step.bytes or "",
        "line": _line(step),
    }
    if step.modules:
        facts["module"] = _module(step)
    name = clean(step.op)
    if step.phase == MODULE and step.modules[-1].path:
        name = f"{clean(step.modules[-1].path.rpartition('.')[2])}: {name}"
    elif step.phase == BACKWARD and step.op != "backward":
        name = f"∂ {name}"
    return {
        "name": name,
        "cat": step.phase,
        "ph": "X",
        "ts": round(step.start * 1e6, 3),
        "dur": round(step.seconds * 1e6, 3),
        "pid": 1,
        "tid": 1,
        "args": {key: value if isinstance(value, int) else clean(value) for key, value in facts.items() if value},
    }


def _entry(modules, calls, position):
    call = calls[position]
    return modules.setdefault(
        (call.root, call.path),
        {
            "module": call.path, "kind": call.kind, "depth": position, "calls": 0, "forward": 0.0, "backward": 0.0,
            "bytes": 0,
        },
    )  # fmt: skip


def _shapes(step, limit=SHAPES):
    if step.phase == OPTIMIZER:
        count = len(step.inputs)
        return f"{count:,} parameter{'s' * (count != 1)}"
    given = [_shape(shape) for _, shape, _ in step.inputs]
    if limit is not None and len(given) > limit:
        given = [*given[:limit], "…"]
    made = [_shape(shape) for shape, _ in step.outputs]
    made = [*made[:SHAPES], "…"] if limit is not None and len(made) > SHAPES else made
    if not made:
        return " ".join(given)
    return f"{' '.join(given)} → {' '.join(made)}".strip()


def _shape(shape):
    return "[" + ",".join(map(str, shape)) + "]"


def _dtype(step):
    given = step.outputs or [(shape, dtype) for _, shape, dtype in step.inputs]
    kinds = list(dict.fromkeys(dtype for _, dtype in given))
    return kinds[0] if kinds else ""


def _module(step):
    return (step.modules[-1].path or step.modules[-1].kind) if step.modules else ""


def _line(step):
    if step.line is None:
        return ""
    file, line, code, _ = step.line
    return f"{line_name(file, line)}  {code}".rstrip()

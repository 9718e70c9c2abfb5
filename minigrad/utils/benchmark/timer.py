"""`Timer` and `Measurement` with PyTorch's names: one statement, timed in blocks. (PyTorch: torch.utils.benchmark)"""

from __future__ import annotations

import math
import statistics
import textwrap
import time
import timeit
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import minigrad
from minigrad.utils.benchmark.rounds import Spread, calibrate, collector_off

WIDE, VERY_WIDE = 0.1, 0.25  # interquartile range over median, from which a measurement carries a warning
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
ENGLISH = {"ns": "nanosecond", "us": "microsecond", "ms": "millisecond", "s": "second"}


def select_unit(t: float) -> tuple[str, float]:
    """The unit in which a duration reads well, and its seconds: (name, seconds)."""
    third = math.log10(t) // 3 if t > 0 else -3
    unit = {-3: "ns", -2: "us", -1: "ms"}.get(int(third), "s" if third >= 0 else "ns")
    return unit, SECONDS[unit]


def unit_to_english(u: str) -> str:
    """The unit's name in full."""
    return ENGLISH[u]


@dataclass(frozen=True)
class TaskSpec:
    """What was timed, and what it is to be called in a table."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label, or else the statement."""
        beside = f" ({self.sub_label})" if self.label is None and "\n" in self.stmt and self.sub_label else ""
        if self.label is None and "\n" in self.stmt:
            return f"stmt:{beside}\n{textwrap.indent(self.stmt, '  ')}"
        return (self.label or self.stmt) + (f": {self.sub_label}" if self.sub_label else "")

    def setup_str(self) -> str:
        """The setup as it is shown; "" for none."""
        if self.setup in ("pass", ""):
            return ""
        return f"setup:\n{textwrap.indent(self.setup, '  ')}" if "\n" in self.setup else f"setup: {self.setup}"

    def summarize(self) -> str:
        """Title, description and setup, one below the other."""
        sections = (self.title, self.description or "", self.setup_str())
        return "\n".join(f"{each}\n" if "\n" in each else each for each in sections if each)


@dataclass
class Measurement:
    """Samples of one `Timer`: `median`, `mean`, `iqr` and `times` are seconds per run."""

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None

    def __getattr__(self, name):
        if name in TaskSpec.__dataclass_fields__:
            return getattr(self.task_spec, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def times(self) -> list[float]:
        """Seconds per run, one number for each sample."""
        return [each / self.number_per_run for each in self.raw_times]

    @cached_property
    def spread(self) -> Spread:
        """Median and quartiles."""
        return Spread.of(self.times)

    @property
    def median(self) -> float:
        """Of the samples."""
        return self.spread.median

    @property
    def mean(self) -> float:
        """Of the samples."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The interquartile range."""
        return self.spread.high - self.spread.low

    def meets_confidence(self, threshold: float = WIDE) -> bool:
        """Whether the interquartile range is less than this part of the median."""
        return self.iqr / self.median < threshold

    @property
    def has_warnings(self) -> bool:
        """Whether the samples lie far apart."""
        return not self.meets_confidence()

    @property
    def significant_figures(self) -> int:
        """How many figures of the median mean something: 1 to 4, by the samples between the quartiles."""
        ordered = sorted(self.times)
        inner = ordered[len(ordered) // 4 : math.ceil(3 * len(ordered) / 4)]
        confidence = max(1.645 * statistics.pstdev(inner) / math.sqrt(len(inner)), 25e-9)
        return min(max(math.floor(math.log10(self.median / confidence)), 1), 4)

    @property
    def title(self) -> str:
        """The label, or else the statement."""
        return self.task_spec.title

    @property
    def as_row_name(self) -> str:
        """What the row of this measurement is called in a table."""
        return self.task_spec.sub_label or self.task_spec.stmt or "[Unknown]"

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        count, threads = len(self.raw_times), self.task_spec.num_threads
        lines = [object.__repr__(self), self.task_spec.summarize()]
        lines.append(f"  {'Median: ' if count > 1 else ''}{self.median / scale:.2f} {unit}")
        if count >= 4:
            low, high = self.spread.low / scale, self.spread.high / scale
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})")
        lines.append(
            f"  {count} measurement{'s' if count > 1 else ''}, {self.number_per_run} runs "
            f"{'per measurement,' if count > 1 else ','} {threads} thread{'s' if threads > 1 else ''}"
        )
        if self.has_warnings:
            lines.append(f"  WARNING: Interquartile range is {self.iqr / self.median:.1%} of the median measurement.")
            why = "could indicate system fluctuation" if self.meets_confidence(VERY_WIDE) else (
                "suggests significant environmental influence"
            )  # fmt: skip
            lines.append(f"           This {why}.")
        return "\n".join(lines)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of the same task put together."""
        grouped: dict[TaskSpec, list[float]] = {}
        for each in measurements:
            grouped.setdefault(each.task_spec, []).extend(each.times)
        return [Measurement(1, times, task) for task, times in grouped.items()]


@contextmanager
def _threads(count):
    before = minigrad.get_num_threads()
    if count != before:
        minigrad.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            minigrad.set_num_threads(before)


class Timer:
    """Timer(stmt='pass', setup='pass', timer=time.perf_counter, globals=None, ...): times a statement.

    As `timeit.Timer`, with a warm-up, `num_threads` threads (1 by default) and `Measurement`s as results.

    Args:
        stmt (str): what is timed.
        setup (str): what is run once before.
        timer (Callable): the clock.
        globals (dict): the names that `stmt` and `setup` may use.
        label, sub_label, description, env (str): what is timed, the row and the column of a `Compare` table, and the
            environment, if several are compared.
        num_threads (int): threads while timing.

    Raises:
        ValueError: `stmt` is not a string, or `global_setup` is given, which is for C++.
        NotImplementedError: a `language` other than Python.
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = time.perf_counter,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: str = "python",
    ) -> None:
        if not isinstance(stmt, str):
            raise ValueError(
                "Timer(): expected stmt to be a str (a function can be timed with `stmt='f()', globals={'f': f}`), "
                f"but got {type(stmt).__name__}"
            )
        if str(language).lower() not in ("py", "python"):
            raise NotImplementedError(f"Timer(): expected language to be 'python', but got {language!r}")
        if global_setup:
            raise ValueError("Timer(): global_setup is for C++ only; use setup")
        stmt, setup = (textwrap.dedent(text).removeprefix("\n").rstrip() for text in (stmt, setup))
        names = {"minigrad": minigrad, "torch": minigrad, **(globals or {})}
        self._timer = timeit.Timer(stmt, setup, timer, names)
        self._task_spec = TaskSpec(stmt, setup, "", label, sub_label, description, env, num_threads)

    def _sample(self, number):
        return max(self._timer.timeit(number), 1e-9)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """Run the statement `number` times, after a warm-up: one sample."""
        with _threads(self._task_spec.num_threads):
            self._sample(max(number // 100, 2))
            return Measurement(number, [self._sample(number)], self._task_spec)

    def blocked_autorange(self, callback=None, min_run_time: float = 0.2) -> Measurement:
        """Samples of as many runs as the clock asks for, until they have lasted `min_run_time` seconds.

        `callback(number, seconds)` is called after each sample.
        """
        return self._blocks(lambda found: True, callback, min_run_time, min_run_time, math.inf)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0, callback=None
    ) -> Measurement:
        """As `blocked_autorange`, and on until the interquartile range is less than `threshold` of the median or
        `max_run_time` seconds are over."""

        def steady(found):
            return len(found.raw_times) > 3 and found.meets_confidence(threshold)

        return self._blocks(steady, callback, 0.05, min_run_time, max_run_time)

    def _blocks(self, enough, callback, aim, least, most):
        times: list[float] = []
        with _threads(self._task_spec.num_threads), collector_off():
            number = calibrate(lambda loops: self._sample(loops) / loops, aim / 1000)
            while True:
                times.append(self._sample(number))
                if callback is not None:
                    callback(number, times[-1])
                found, spent = Measurement(number, times, self._task_spec), sum(times)
                if spent > most or (spent >= least and enough(found)):
                    return found

    def repeat(self, repeat: int = -1, number: int = -1):
        """Use `blocked_autorange`."""
        raise NotImplementedError("Timer.repeat(): use Timer.blocked_autorange")

    def autorange(self, callback=None):
        """Use `blocked_autorange`."""
        raise NotImplementedError("Timer.autorange(): use Timer.blocked_autorange")

    def collect_callgrind(self, number: int = 100, **options):
        """Instructions are not counted here: use `blocked_autorange`."""
        raise NotImplementedError("Timer.collect_callgrind(): instructions are not counted; use blocked_autorange")

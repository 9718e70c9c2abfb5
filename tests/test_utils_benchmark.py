"""minigrad.utils.benchmark: its arithmetic with clocks that are told what to say; its tables against PyTorch's."""

import gc
import random
import sys

import numpy as np
import pytest

import minigrad
from minigrad.utils import benchmark
from minigrad.utils.benchmark import Compare, Measurement, Samples, Spread, TaskSpec, Timer, compare, rounds


class Clock:
    """A clock that stands still unless work moves it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sampler(self, seconds):
        """Samples of work that takes `seconds`, or what `seconds()` says."""

        def sample(loops):
            start = self.now
            for _ in range(loops):
                self.now += seconds() if callable(seconds) else seconds
            return (self.now - start) / loops

        return sample


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize("cost", [1e-7, 3e-6, 1e-4, 5e-3])
def test_a_sample_is_long_enough_and_not_needlessly_long(clock, cost):
    loops = rounds.calibrate(clock.sampler(cost), at_least=300e-6)
    assert loops * cost >= 300e-6 * 0.999
    assert loops == 1 or loops * cost < 2 * 300e-6


def test_calibration_is_not_misled_by_a_slow_first_call(clock):
    calls = iter([1.0])  # compiling
    assert rounds.calibrate(clock.sampler(lambda: next(calls, 1e-6)), at_least=300e-6) >= 300


def test_calibration_ends_where_the_clock_sees_nothing(clock, monkeypatch):
    monkeypatch.setattr(rounds, "MAX_LOOPS", 1000)
    assert rounds.calibrate(clock.sampler(0.0)) >= 1000


def test_every_round_samples_every_side_once_in_changing_order():
    log = []
    samplers = {name: lambda loops, name=name: log.append(name) or 1.0 for name in "abc"}
    rounds.measure(samplers, 20, budget=1e9, loops=dict.fromkeys("abc", 1))
    found = [tuple(log[k : k + 3]) for k in range(0, len(log), 3)]
    assert len(found) == 20
    assert {tuple(sorted(one)) for one in found} == {tuple("abc")}
    assert len(set(found)) > 2


def test_ratios_survive_a_machine_that_slows_down(clock):
    """A drifting clock moves the times tenfold; the ratio inside each round stays."""
    pace = 1.0

    def drifting(seconds):
        def go():
            nonlocal pace
            pace *= 1.002
            return seconds * pace

        return clock.sampler(go)

    samples = rounds.measure({"ours": drifting(1e-4), "theirs": drifting(2e-4)}, 200, budget=1e9)
    assert max(samples.seconds["theirs"]) > 1.5 * min(samples.seconds["theirs"])
    assert samples.ratio("ours", "theirs").median == pytest.approx(0.5, rel=0.02)


def test_one_disturbed_round_does_not_move_the_median():
    samples = Samples({"ours": [1.0] * 10 + [50.0], "theirs": [2.0] * 11})
    assert samples.ratio("ours", "theirs").median == 0.5
    assert samples.spread("ours") == Spread(1.0, 1.0, 1.0, 11)


def test_slow_work_gets_fewer_rounds_but_some(clock):
    samplers = {"a": clock.sampler(3.0)}
    assert len(rounds.measure(samplers, 50, budget=4.0).seconds["a"]) == rounds.MIN_ROUNDS
    assert len(rounds.measure(samplers, 2, budget=4.0).seconds["a"]) == 2


@pytest.mark.parametrize("was_on", [True, False])
def test_collector_is_off_while_timing_and_then_as_before(was_on):
    states = []
    (gc.enable if was_on else gc.disable)()
    try:
        rounds.measure({"a": lambda loops: states.append(gc.isenabled()) or 1.0}, 3)
        assert gc.isenabled() is was_on
    finally:
        gc.enable()
    assert states
    assert not any(states)


def test_quartiles_and_error_are_those_of_numpy():
    rng = random.Random(4)
    values = [rng.gauss(1, 0.1) for _ in range(2000)]
    spread = Spread.of(values)
    assert [spread.low, spread.median, spread.high] == pytest.approx(np.percentile(values, [25, 50, 75]))
    assert spread.error() == pytest.approx(1.2533 * 0.1 / 2000**0.5, rel=0.1)


def test_compare_in_five_lines():
    def mine(x):
        return x / (1 + x)

    found = compare({"mine": mine, "numpy": lambda x: 1 - 1 / (1 + x)}, lambda n: (np.ones(n),), sizes=(3, 1000))
    assert list(found.samples) == [3, 1000]
    assert found.ratio("mine", "numpy", 1000).median > 0
    text = str(found)
    assert text.count("mine / numpy:") == 2
    assert "size 1,000" in text


def test_compare_times_in_turns_and_gives_every_function_its_own_arguments():
    clock, made = Clock(), []

    def inputs():
        made.append([0])
        return (made[-1],)

    def writes(cost):
        def function(x):
            clock.now += cost
            x[0] += 1

        return function

    found = compare({"a": writes(1e-3), "b": writes(4e-3)}, inputs, timer=clock, rounds=4)
    assert found.ratio("a", "b").median == pytest.approx(0.25)
    assert len(made) == 2
    assert made[0] is not made[1]


def test_compare_sees_functions_that_do_different_things():
    with pytest.raises(AssertionError):
        compare({"a": lambda: np.zeros(3), "b": lambda: np.ones(3)})
    with pytest.raises(AssertionError):
        compare({"a": lambda: np.zeros(3), "b": lambda: minigrad.ones(3)})
    compare({"a": lambda: np.zeros(3), "b": lambda: np.ones(3)}, rounds=1, check=lambda a, b: None)
    with pytest.raises(ValueError, match="at least one function"):
        compare({})


def test_timer_runs_setup_once_and_the_statement_often():
    counts = {"setup": 0, "runs": 0}
    timer = Timer("c['runs'] += 1", "c['setup'] += 1", globals={"c": counts}, label="counting", sub_label="up")
    found = timer.timeit(100)
    assert counts == {"setup": 2, "runs": 102}  # a warm-up comes first
    assert (found.number_per_run, len(found.times)) == (100, 1)
    assert found.title == "counting: up"
    assert found.as_row_name == "up"


def test_timer_has_torch_and_minigrad_among_its_names():
    assert Timer("torch.ones(3); minigrad.ones(3)").timeit(1).median > 0


def test_autoranges_stop_when_told():
    clock = Clock()

    def work():
        clock.now += 1e-3

    told = []
    timer = Timer("work()", globals={"work": work}, timer=clock)
    blocked = timer.blocked_autorange(lambda number, seconds: told.append((number, seconds)), min_run_time=0.05)
    assert sum(blocked.raw_times) == pytest.approx(0.05, rel=0.1)
    assert told == [(blocked.number_per_run, each) for each in blocked.raw_times]
    assert blocked.median == pytest.approx(1e-3)

    paces = iter([1e-3, 5e-3] * 10_000)

    def unsteady():
        clock.now += next(paces)

    adaptive = Timer("unsteady()", globals={"unsteady": unsteady}, timer=clock)
    found = adaptive.adaptive_autorange(max_run_time=0.5)
    assert sum(found.raw_times) >= 0.5
    assert found.has_warnings


def test_timer_sets_the_threads_and_sets_them_back():
    before = minigrad.get_num_threads()
    seen = []
    Timer("seen.append(minigrad.get_num_threads())", globals={"seen": seen}, num_threads=2).timeit(1)
    assert set(seen) == {2}
    assert minigrad.get_num_threads() == before


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"stmt": len}, ValueError, "expected stmt to be a str"),
        ({"language": "c++"}, NotImplementedError, "'python'"),
        ({"global_setup": "#include <x>"}, ValueError, "C\\+\\+ only"),
    ],
)
def test_what_a_timer_does_not_take(arguments, error, says):
    with pytest.raises(error, match=says):
        Timer(**arguments)


@pytest.mark.parametrize("method", ["repeat", "autorange", "collect_callgrind"])
def test_what_a_timer_does_not_do(method):
    with pytest.raises(NotImplementedError, match="blocked_autorange"):
        getattr(Timer(), method)()


def test_compare_table_takes_measurements_only():
    with pytest.raises(ValueError, match="Expected an instance of `Measurement`"):
        Compare([1.0])


def measurements(measurement, task):
    """Two tables with holes, two numbers of threads, narrow and wide spreads."""
    draw, found = random.Random(3), []
    for label in ("first", "second"):
        for sub_label in ("one", "a longer name"):
            for description in ("x", "a column of its own"):
                for threads in (1, 2):
                    if (label, sub_label, description) == ("second", "one", "x"):
                        continue
                    wide = 4e-6 if description == "x" else 9e-3
                    spec = task("stmt", "pass", label=label, sub_label=sub_label, description=description,
                                num_threads=threads)  # fmt: skip
                    found.append(measurement(1, [draw.uniform(3e-6, wide) for _ in range(20)], spec))
    return found


OPTIONS = ((), ("trim_significant_figures",), ("highlight_warnings",), ("colorize",),
           ("trim_significant_figures", "highlight_warnings", "colorize"))  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_tables_and_measurements_print_as_pytorchs(options):
    torch_benchmark = pytest.importorskip("torch.utils.benchmark")
    ours = Compare(measurements(Measurement, TaskSpec))
    theirs = torch_benchmark.Compare(measurements(torch_benchmark.Measurement, torch_benchmark.utils.common.TaskSpec))
    for option in options:
        getattr(ours, option)()
        getattr(theirs, option)()
    assert str(ours) == str(theirs)
    for mine, other in zip(ours._results, theirs._results, strict=True):
        assert repr(mine).splitlines()[1:] == repr(other).splitlines()[1:]  # the first has the address
        assert mine.significant_figures == other.significant_figures
        assert mine.mean == pytest.approx(other.mean)


@pytest.mark.parametrize(("seconds", "unit"), [(3e-10, "ns"), (2e-8, "ns"), (4e-6, "us"), (0.02, "ms"), (3, "s")])
def test_units(seconds, unit):
    name, scale = benchmark.select_unit(seconds)
    assert name == unit
    assert scale == {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[unit]
    assert benchmark.unit_to_english(unit).endswith("second")


def test_importing_minigrad_does_not_load_it():
    import subprocess

    code = "import sys, minigrad; sys.exit('minigrad.utils.benchmark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

"""The bench: its arithmetic with clocks that are told what to say, its rows by running some."""

import gc
import io
import json
import random
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import __main__ as command
from bench import environment, plot, report, rows, run, timing
from bench.row import MINIGRAD, NUMPY, TORCH, NoTwinError, Row
from bench.rows import all_rows, startup
from bench.rows import kernels as kernel_rows
from bench.rows import ops as op_rows
from bench.timing import Samples, Side, Spread, Work
from minigrad.samples import S

ROOT = Path(__file__).resolve().parents[1]


class Clock:
    """A clock that stands still unless work moves it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds, **more):
        """Work that takes `seconds`, or what `seconds()` says."""

        def run(*prepared):
            self.now += seconds() if callable(seconds) else seconds

        return Work(run, **more)


@pytest.fixture
def clock():
    return Clock()


def outcome(name="family/row", targets=None, **seconds):
    return run.Outcome(Row(name, lambda lib: None, targets=targets or {}), Samples(seconds))


@pytest.mark.parametrize("cost", [1e-7, 3e-6, 1e-4, 5e-3])
def test_a_sample_is_long_enough_and_not_needlessly_long(clock, cost):
    loops = timing.calibrate(clock.work(cost), clock, at_least=300e-6)
    assert loops * cost >= 300e-6 * 0.999
    assert loops == 1 or loops * cost < 2 * 300e-6


def test_calibration_is_not_misled_by_a_slow_first_call(clock):
    calls = iter([1.0])  # compiling
    loops = timing.calibrate(clock.work(lambda: next(calls, 1e-6)), clock, at_least=300e-6)
    assert loops >= 300


def test_calibration_ends_where_the_clock_sees_nothing(clock, monkeypatch):
    monkeypatch.setattr(timing, "MAX_LOOPS", 1000)
    assert timing.calibrate(clock.work(0.0), clock) >= 1000


def test_preparing_is_not_timed_and_every_input_is_used_once(clock):
    made, used = [], []

    def prepare():
        clock.now += 5.0
        made.append(object())
        return made[-1]

    def go(prepared):
        clock.now += 0.25
        used.append(prepared)

    assert timing.sample(Work(go, prepare), 4, clock) == pytest.approx(0.25)
    assert used == made
    assert len(set(map(id, used))) == 4


def test_every_round_samples_every_side_once_in_changing_order(clock):
    log = []

    def side(name):
        return Work(lambda: log.append(name) or 1.0, self_timed=True)

    names = ("a", "b", "c")
    timing.measure({name: (side(name), nullcontext) for name in names}, 20, clock, budget=1e9)
    rounds = [tuple(log[k : k + 3]) for k in range(3, len(log), 3)]  # the first three calibrate
    assert len(rounds) == 20
    assert {tuple(sorted(one)) for one in rounds} == {names}
    assert len(set(rounds)) > 2


def test_ratios_survive_a_machine_that_slows_down(clock):
    """A drifting clock moves the times tenfold; the ratio inside each round stays."""
    pace = 1.0

    def drifting(seconds):
        def go():
            nonlocal pace
            pace *= 1.002
            return seconds * pace

        return clock.work(go)

    works = {MINIGRAD: (drifting(1e-4), nullcontext), TORCH: (drifting(2e-4), nullcontext)}
    samples = timing.measure(works, 200, clock, budget=1e9)
    assert max(samples.seconds[TORCH]) > 1.5 * min(samples.seconds[TORCH])
    assert samples.ratio(MINIGRAD, TORCH).median == pytest.approx(0.5, rel=0.02)


def test_one_disturbed_round_does_not_move_the_median():
    samples = Samples({MINIGRAD: [1.0] * 10 + [50.0], TORCH: [2.0] * 11})
    assert samples.ratio(MINIGRAD, TORCH).median == 0.5
    assert samples.spread(MINIGRAD) == Spread(1.0, 1.0, 1.0, 11)


def test_slow_rows_get_fewer_rounds_but_some(clock):
    works = {"a": (clock.work(3.0), nullcontext)}
    assert len(timing.measure(works, 50, clock, budget=4.0).seconds["a"]) == timing.MIN_ROUNDS
    assert len(timing.measure(works, 2, clock, budget=4.0).seconds["a"]) == 2


def test_sides_work_in_their_own_scope(clock):
    inside, seen = [], []

    @contextmanager
    def scope(name):
        inside.append(name)
        yield
        inside.pop()

    works = {
        name: (
            Work(lambda name=name: seen.append((name, tuple(inside))) or 1.0, self_timed=True),
            lambda n=name: scope(n),
        )
        for name in "ab"
    }
    timing.measure(works, 3, clock)
    assert {(name, where) for name, where in seen} == {("a", ("a",)), ("b", ("b",))}
    assert not inside


@pytest.mark.parametrize("was_on", [True, False])
def test_collector_is_off_while_timing_and_then_as_before(clock, was_on):
    states = []
    (gc.enable if was_on else gc.disable)()
    try:
        works = {"a": (Work(lambda: states.append(gc.isenabled()) or 1.0, self_timed=True), nullcontext)}
        timing.measure(works, 3, clock)
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


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [([0.5, 0.5, 0.6], "met"), ([0.5, 0.7, 0.7], "within noise"), ([0.7, 0.7, 0.7], "not met")],
)
def test_verdict_asks_for_the_median_and_forgives_only_within_the_quartiles(ours, verdict):
    assert outcome(targets={TORCH: 0.6}, minigrad=ours, torch=[1.0] * 3).verdict(TORCH) == verdict


def test_every_row_is_held_to_its_numpy_twin():
    slow = outcome(minigrad=[1.1] * 5, numpy=[1.0] * 5)
    assert slow.verdict(NUMPY) == "not met"
    assert outcome(minigrad=[1.04] * 5, numpy=[1.0] * 5).verdict(NUMPY) == "met"
    assert slow.verdict(TORCH) is None
    assert outcome(targets={"seconds": 1.5}, minigrad=[1.2, 1.3, 1.7]).verdict("seconds") == "met"


def test_target_table_names_the_rows_that_break_the_twin_bound():
    lines = report.target_lines(
        [
            outcome("f/slow", minigrad=[2.0] * 5, numpy=[1.0] * 5),
            outcome("f/fine", {TORCH: 0.6}, minigrad=[0.5] * 5, numpy=[1.0] * 5, torch=[1.0] * 5),
        ]
    )
    assert lines[0] == {"target": "f/fine / torch", "bound": 0.6, "value": 0.5, "verdict": "met", "rows": []}
    assert lines[1]["rows"] == ["f/slow"]
    assert lines[1]["value"] == 2.0
    assert lines[1]["verdict"] == "not met"


def contestants(clock, **seconds):
    """Sides whose `lib` says how long a call takes."""
    return {name: Side(name, SimpleNamespace(seconds=each)) for name, each in seconds.items()}


def test_a_row_that_misses_its_bound_is_timed_longer_and_keeps_all_samples(clock):
    row = Row("f/r", lambda lib: clock.work(lib.seconds))
    missing = run.time_row(row, contestants(clock, minigrad=2e-4, numpy=1e-4), 6, clock)
    fine = run.time_row(row, contestants(clock, minigrad=1e-4, numpy=1e-4), 6, clock)
    assert len(missing.samples.seconds[MINIGRAD]) == 2 * (run.SETUPS + run.EXTENSIONS)
    assert len(fine.samples.seconds[MINIGRAD]) == 6
    assert missing.ratio(NUMPY).median == pytest.approx(2)


def test_an_accident_of_the_set_up_is_drawn_anew(clock):
    """One set-up in three is twice as slow, in all its rounds: the median must not be."""
    paces = iter([1, 2, 1] * 9)

    def setup(lib):
        pace = next(paces) if lib.seconds == 1e-4 else 1
        return clock.work(lib.seconds * pace)

    timed = run.time_row(Row("f/r", setup, (TORCH,)), contestants(clock, minigrad=1e-4, torch=1.01e-4), 6, clock)
    assert timed.ratio(TORCH).median == pytest.approx(1 / 1.01)


def test_a_row_that_raises_is_reported_and_does_not_stop_the_run(clock):
    def setup(lib):
        raise RuntimeError("no such op")

    for found in (
        run.time_row(Row("f/r", setup), contestants(clock, minigrad=1, numpy=1), 3, clock),
        run.check(Row("f/r", setup), contestants(clock, minigrad=1, numpy=1)),
    ):
        assert "no such op" in found.error


def test_a_rival_without_a_twin_is_left_out_but_minigrad_must_have_its_own():
    def setup(lib):
        if lib == "without":
            raise NoTwinError("nothing of the kind")
        return lambda: 1

    left_out = run.check(Row("f/r", setup), {MINIGRAD: Side(MINIGRAD, "with"), TORCH: Side(TORCH, "without")})
    assert left_out.error is None
    assert "nothing of the kind" in run.check(Row("f/r", setup), {MINIGRAD: Side(MINIGRAD, "without")}).error


def test_smoke_sees_sides_that_do_different_things():
    sides = {MINIGRAD: Side(MINIGRAD, 1.0), TORCH: Side(TORCH, 2.0)}
    row = Row("f/r", lambda lib: lambda: np.full(3, lib))
    assert "disagree" in run.check(row, sides).error
    assert run.check(Row("f/r", row.setup, alike=False), sides).error is None
    assert run.check(Row("f/r", row.setup, rivals=(NUMPY,)), sides).error is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ([np.ones(3)], [np.ones(3)], True),
        ([np.ones(3)], [np.ones((3, 1))], False),
        ([np.array([1.0, np.nan])], [np.array([1.0, np.nan])], True),
        ([np.array([1.0, np.inf])], [np.array([1.0, 2.0])], False),
        ([np.zeros((0, 3))], [np.zeros((0, 3))], True),
        ([np.array([1000.0, 1e-4])], [np.array([1000.0, 2e-4])], True),  # small beside the largest
    ],
)
def test_agreement(a, b, same):
    assert (run.disagreement(a, b) is None) is same


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.43e-7, "843 ns"),
        (1.234e-5, "12.3 us"),
        (1.2e-3, "1.2 ms"),
        (2.414, "2.41 s"),
        (0.99996, "1000 ms"),
        (0, "0 ns"),
    ],
)
def test_durations(seconds, text):
    assert report.duration(seconds) == text


def printed(function, *args):
    page = io.StringIO()
    function(*args, report.console(page))
    return page.getvalue()


def test_table_has_times_ratios_and_failures():
    good = outcome("alpha/good", minigrad=[1e-6] * 3, numpy=[2e-6] * 3, torch=[4e-6] * 3)
    bad = run.Outcome(Row("alpha/bad", None), error="Traceback: it broke")
    text = printed(report.print_table, [good, bad])
    assert " ".join(text.splitlines()[2].split()) == "good 1 us 2 us 0.50 0.50-0.50 4 us 0.25 0.25-0.25"
    assert "failed" in text
    assert "it broke" in printed(report.print_errors, [good, bad])


def test_json_says_everything(tmp_path):
    rows = [
        outcome("f/a", {TORCH: 0.6}, minigrad=[1.0] * 5, numpy=[1.0] * 5, torch=[2.0] * 5),
        run.Outcome(Row("f/b", None), error="broke"),
    ]
    path = tmp_path / "run.json"
    report.write_json(str(path), report.as_json(rows, environment.describe(1, "cpu"), {"rounds": 5}))
    data = json.loads(path.read_text())
    assert set(data) == {"schema", "environment", "settings", "rows", "targets"}
    assert {"cpu", "cores", "python", "versions", "threads", "clock", "load_average"} <= set(data["environment"])
    assert data["rows"][0] == {
        "name": "f/a",
        "family": "f",
        "error": None,
        "rounds": 5,
        "seconds": {side: {"median": s, "low": s, "high": s} for side, s in ((MINIGRAD, 1), (NUMPY, 1), (TORCH, 2))},
        "ratio": {NUMPY: {"median": 1, "low": 1, "high": 1}, TORCH: {"median": 0.5, "low": 0.5, "high": 0.5}},
    }
    assert data["rows"][1] == {"name": "f/b", "family": "f", "error": "broke"}
    assert [line["verdict"] for line in data["targets"]] == ["met", "met"]
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_picture(tmp_path, kind):
    many = [outcome(f"{f}/row {k}", minigrad=[1.0 + k] * 3, torch=[2.0] * 3) for f in "abc" for k in range(40)]
    path = tmp_path / f"picture.{kind}"
    assert plot.draw(many, environment.describe(1, "cpu"), str(path))
    assert path.read_bytes().startswith(b"\x89PNG" if kind == "png" else b"<?xml")


def test_panels_fill_columns_in_order_and_lose_no_row():
    dealt = plot.columns([("a", TORCH, [*range(50)]), ("b", TORCH, [*range(100)])], 75)
    assert [[len(part) for _, _, part in column] for column in dealt] == [[50, 19], [72], [9]]
    assert [row for column in dealt for _, _, part in column for row in part] == [*range(50), *range(100)]


def executed(modules, environ, count=1):
    calls = []
    environment.pin_threads(count, ["--x"], environ, modules, lambda *args: calls.append(args))
    return calls


def test_threads_are_set_before_anything_is_loaded():
    environ = {}
    assert executed({}, environ, 3) == []
    assert {environ[name] for name in environment.THREAD_VARIABLES} == {"3"}
    assert environ["OMP_WAIT_POLICY"] == "passive"


def test_a_process_that_has_loaded_numpy_starts_again_once():
    environ = {}
    ((program, argv, handed),) = executed({"numpy": np}, environ)
    assert (program, argv[1:]) == (sys.executable, ["-m", "bench", "--x"])
    assert handed["OMP_NUM_THREADS"] == "1"
    assert executed({"numpy": np}, environ) == []  # set by now: goes on
    del environ["OMP_NUM_THREADS"]
    with pytest.raises(RuntimeError, match="do not stay set"):
        executed({"numpy": np}, environ)


def test_heap_is_kept_where_the_c_library_can():
    said = []
    glibc = SimpleNamespace(mallopt=lambda parameter, value: said.append(parameter) or 1)
    assert environment.keep_heap(glibc)
    assert said == [-1, -3]
    assert not environment.keep_heap(SimpleNamespace())


def test_rows_have_names_of_their_own_and_a_family():
    names = [row.name for row in all_rows()]
    assert len(set(names)) == len(names)
    assert all("/" in name for name in names)


def test_the_promises_are_rows():
    targets = {row.name: dict(row.targets) for row in all_rows() if row.targets}
    assert targets == {
        "overhead/chain of 100 (1,) forward+backward": {TORCH: 0.55},
        "overhead/chain of 100 32x32 forward+backward": {TORCH: 0.65},
        "step/MLP 784-256-128-10 B64 Adam": {TORCH: 0.6},
        "startup/import": {TORCH: 0.4},
        "startup/demo to its first step, wall": {"seconds": 1.5},
    }


def test_a_kernel_with_samples_has_rows_at_every_size(monkeypatch):
    made = SimpleNamespace(compiled=True, samples=lambda size: (np.zeros(size),))
    monkeypatch.setattr(kernel_rows, "load_all", lambda: {"mine": made, "twin_only": SimpleNamespace(compiled=None)})
    assert [row.name for row in kernel_rows.rows()] == [f"kernel/mine {size}" for size in kernel_rows.SIZES]


def test_kernels_that_write_into_their_arguments_are_compared_by_them():
    def kernel(out):
        out += 1

    kernel.samples = lambda size: (np.zeros(size),)
    work = kernel_rows.call(kernel, 3, None)
    assert run.to_arrays(work.outcome())[0].tolist() == [1, 1, 1]


def test_ops_rows_are_made_from_the_block_alone():
    block = SimpleNamespace(
        public=("functional",), torch="theirs", samples=lambda make: iter([S(make(3, 1), make(4), 2)]), rules={"x": 1}
    )
    theirs = SimpleNamespace(__name__="torch", nn=SimpleNamespace(functional=SimpleNamespace(theirs=max)), Tensor=None)
    ours = SimpleNamespace(__name__="minigrad", nn=SimpleNamespace(functional=SimpleNamespace(mine=min)), Tensor=None)
    assert op_rows.public(theirs, block, "mine") is max
    assert op_rows.public(ours, block, "mine") is min
    with pytest.raises(NoTwinError, match="minigrad has no other"):
        op_rows.public(ours, block, "other")
    shapes = [getattr(arg, "shape", arg) for arg in op_rows.first_sample(block, 100).args]
    assert shapes == [(3, 1), (400,), 2]  # an axis of one is there to be broadcast
    assert op_rows.has_gradient(block, "mine", ours)


def test_a_failing_child_process_is_told_with_what_it_said():
    with pytest.raises(RuntimeError, match="out of milk"):
        startup.python("raise SystemExit('out of milk')")


def bench(*arguments):
    return subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("word", ["(1,)", "64x10", "MLP"])
def test_smoke_runs_rows_and_compares_the_sides(word):
    done = bench("--smoke", "--filter", word)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rows run and agree" in done.stdout


def test_a_timed_run_writes_json_and_a_picture(tmp_path):
    json_file, picture = tmp_path / "run.json", tmp_path / "run.png"
    done = bench(
        "--filter", "relu 1e3", "--rounds", "3", "--against", "numpy", "--json", str(json_file), "--plot", str(picture)
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(json_file.read_text())
    assert [row["name"] for row in data["rows"]] == [f"elementwise/relu 1e3 {way}ward" for way in ("for", "back")]
    assert all(0 < row["seconds"][side]["median"] < 1 for row in data["rows"] for side in (MINIGRAD, NUMPY))
    assert data["environment"]["threads"] == 1
    assert picture.stat().st_size > 1000
    assert "issue targets" in done.stdout


def test_list_names_rows_only():
    done = bench("--list", "--filter", "conv/", "--filter", "backward")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines
    assert all("conv/" in line and "backward" in line for line in lines)


def test_ctrl_c_shows_what_there_is(monkeypatch, capsys):
    def interrupted(row, sides, rounds, clock):
        if row.name == "f/b":
            raise KeyboardInterrupt
        return outcome(row.name, minigrad=[1.0] * 3, torch=[2.0] * 3)

    monkeypatch.setattr(rows, "all_rows", lambda: [Row("f/a", None), Row("f/b", None)])
    monkeypatch.setattr(run, "time_row", interrupted)
    for effect in ("pin_threads", "set_threads", "keep_heap"):  # on this process
        monkeypatch.setattr(environment, effect, lambda *args: None)
    assert command.main(["--against", "numpy"]) == 130
    printed = capsys.readouterr().out
    assert "stopped after 1 of 2 rows" in printed
    assert "0.50" in printed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--filter", "no such row"], "no row's name holds 'no such row'"),
        (["--rounds", "0"], "expected a whole number from 1"),
        (["--threads", "two"], "expected a whole number from 1"),
        (["--json", "/no/such/folder/x.json"], "cannot write"),
    ],
)
def test_mistakes_are_one_line_and_no_traceback(arguments, says):
    done = bench(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_torch_asked_for_and_not_there(monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as leaving:
        command.main(["--against", "torch"])
    assert leaving.value.code == 2
    assert "needs torch" in capsys.readouterr().err
    assert command.rivals(None) == ("numpy",)

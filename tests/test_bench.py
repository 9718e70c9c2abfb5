"""The bench: its arithmetic with clocks that are told what to say, its rows by running some."""

import io
import json
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import __main__ as command
from bench import environment, modes, plot, report, run, timing
from bench.limits import Limits
from bench.row import MINIGRAD, NUMPY, TORCH, NoTwinError, Row
from bench.rows import all_rows, startup
from bench.rows import kernels as kernel_rows
from bench.rows import ops as op_rows
from bench.timing import Side, Work
from minigrad.samples import S
from minigrad.utils.benchmark import Samples, measure

ROOT = Path(__file__).resolve().parents[1]
LIMITS = Limits(((1 << 10, 1e11), (1 << 30, 1e10)), {"float32": 1e11, "float64": 5e10}, {})


class Clock:
    """A clock that stands still unless work moves it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds):
        """Work that takes `seconds`."""

        def run():
            self.now += seconds

        return Work(run)


@pytest.fixture
def clock():
    return Clock()


def outcome(name="family/row", targets=None, **seconds):
    return run.Outcome(Row(name, lambda lib: None, targets=targets or {}), Samples(seconds))


def test_preparing_is_not_timed_and_every_input_is_used_once(clock):
    made, used = [], []

    def prepare():
        clock.now += 5.0
        made.append(object())
        return made[-1]

    def go(prepared):
        clock.now += 0.25
        used.append(prepared)

    assert timing.seconds(Work(go, prepare), 4, clock) == pytest.approx(0.25)
    assert used == made
    assert len(set(map(id, used))) == 4


def test_sides_work_in_their_own_scope(clock):
    inside, seen = [], []

    @contextmanager
    def scope(name):
        inside.append(name)
        yield
        inside.pop()

    def side(name):
        work = Work(lambda: seen.append((name, tuple(inside))) or 1.0, self_timed=True)
        return timing.sampler(work, lambda: scope(name), clock)

    measure({name: side(name) for name in "ab"}, 3)
    assert {(name, where) for name, where in seen} == {("a", ("a",)), ("b", ("b",))}
    assert not inside


@pytest.mark.parametrize(("cost", "calls"), [(1e-6, 5 + 1), (1.0, 5)])
def test_caches_are_warmed_before_each_sample_of_fast_work(clock, cost, calls):
    """Two samples of 2 and 3 calls: an untimed call before the second, unless the work is slow; the first warms up."""
    made = []
    work = Work(lambda: made.append(1) or setattr(clock, "now", clock.now + cost))
    sample = timing.sampler(work, nullcontext, clock)
    assert [sample(2), sample(3)] == pytest.approx([cost, cost])
    assert len(made) == calls


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


EFFORT = run.Effort(rounds=2, passes=3, more=4)


def time_row(row, sides, effort, clock):
    """The outcome of one row; None if it is left out."""
    outcomes, stopped = run.time_rows([row], sides, effort, clock)
    assert not stopped
    return outcomes[0] if outcomes else None


def test_a_row_that_misses_its_bound_is_timed_longer_and_keeps_all_samples(clock):
    row = Row("f/r", lambda lib: clock.work(lib.seconds), bytes=0, flops=0)
    missing = time_row(row, contestants(clock, minigrad=2e-4, numpy=1e-4), EFFORT, clock)
    fine = time_row(row, contestants(clock, minigrad=1e-4, numpy=1e-4), EFFORT, clock)
    assert missing.error is fine.error is None
    assert len(missing.samples.seconds[MINIGRAD]) == 2 * (3 + 4)
    assert len(fine.samples.seconds[MINIGRAD]) == 2 * 3
    assert missing.ratio(NUMPY).median == pytest.approx(2)


def test_an_accident_of_the_set_up_is_drawn_anew(clock):
    """One set-up in three is twice as slow, in all its rounds: the median must not be."""
    paces = iter([1, 2, 1] * 9)

    def setup(lib):
        pace = next(paces) if lib.seconds == 1e-4 else 1
        return clock.work(lib.seconds * pace)

    row = Row("f/r", setup, (TORCH,), bytes=0, flops=0)
    timed = time_row(row, contestants(clock, minigrad=1e-4, torch=1.01e-4), EFFORT, clock)
    assert timed.ratio(TORCH).median == pytest.approx(1 / 1.01)


def test_work_that_times_itself_is_not_calibrated():
    made = []
    row = Row("f/r", lambda lib: Work(lambda: made.append(lib) or 0.25, self_timed=True), (TORCH,), alike=False)
    timed = time_row(row, {name: Side(name, name) for name in (MINIGRAD, TORCH)}, run.FULL, None)
    assert timed.samples.seconds == {MINIGRAD: [0.25] * 3, TORCH: [0.25] * 3}
    assert len(made) == 2 * (3 + 1)  # one before, to fill the caches on the disk


def test_two_numbers_of_threads_are_sides_of_their_own_over_one_set_up(clock, monkeypatch):
    threads, set_up = [1], []
    monkeypatch.setattr(environment, "set_threads", lambda count: threads.__setitem__(0, count))

    def setup(lib):
        set_up.append(lib)
        return Work(lambda: setattr(clock, "now", clock.now + 1e-3 / threads[0]))

    sides = run.sides((NUMPY,), (1, 2))
    assert list(sides) == [MINIGRAD, NUMPY, "minigrad@2", "numpy@2"]
    timed = time_row(Row("f/r", setup, bytes=0, flops=0), sides, run.Effort(3, 1, 0), clock)
    assert len(set_up) == 2
    assert timed.rivals == [NUMPY, "numpy@2"]
    assert timed.ratio("numpy@2").median == pytest.approx(1)
    assert timed.samples.ratio(MINIGRAD, "minigrad@2").median == pytest.approx(2)


def test_a_row_of_which_no_rival_has_a_twin_is_left_out():
    def setup(lib):
        if lib == "without":
            raise NoTwinError("nothing of the kind")
        return lambda: 1

    sides = {MINIGRAD: Side(MINIGRAD, "with"), "jax": Side("jax", "without")}
    assert time_row(Row("f/r", setup), sides, run.QUICK, None) is None


def test_passes_stop_when_the_time_is_over_but_every_row_has_one(clock, monkeypatch):
    monkeypatch.setattr(run.time, "monotonic", iter(range(0, 10_000, 50)).__next__)  # 50 seconds at every look
    rows = [Row(f"f/{k}", lambda lib: clock.work(lib.seconds), bytes=0, flops=0) for k in range(4)]
    effort = run.Effort(rounds=2, passes=5, more=0, minutes=3)
    outcomes, _ = run.time_rows(rows, contestants(clock, minigrad=1e-3, numpy=1e-3), effort, clock)
    assert [len(outcome.samples.seconds[MINIGRAD]) for outcome in outcomes] == [4, 4, 4, 2]


def test_a_twin_that_is_far_slower_is_not_timed_again(clock):
    row = Row("f/r", lambda lib: clock.work(lib.seconds), bytes=0, flops=0)
    timed = time_row(row, contestants(clock, minigrad=1e-3, numpy=5e-3, torch=5e-3), EFFORT, clock)
    assert [len(seconds) for seconds in timed.samples.seconds.values()] == [6, 2, 6]
    assert timed.ratio(NUMPY).median == pytest.approx(0.2)


def test_a_row_that_raises_is_reported_and_does_not_stop_the_run(clock):
    def setup(lib):
        raise RuntimeError("no such op")

    for found in (
        time_row(Row("f/r", setup), contestants(clock, minigrad=1, numpy=1), EFFORT, clock),
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
    report.write_json(str(path), report.as_json(rows, environment.describe([1], "cpu"), {"rounds": 5}))
    data = json.loads(path.read_text())
    assert set(data) == {"schema", "environment", "settings", "limits", "rows", "targets"}
    assert {"cpu", "cores", "python", "versions", "threads", "clock", "load_average"} <= set(data["environment"])
    assert data["rows"][0] == {
        "name": "f/a",
        "family": "f",
        "error": None,
        "rounds": 5,
        "seconds": {side: {"median": s, "low": s, "high": s} for side, s in ((MINIGRAD, 1), (NUMPY, 1), (TORCH, 2))},
        "ratio": {NUMPY: {"median": 1, "low": 1, "high": 1}, TORCH: {"median": 0.5, "low": 0.5, "high": 0.5}},
        "least": {"bytes": 0, "flops": 0},
        "of_limit": None,
    }
    assert data["rows"][1] == {"name": "f/b", "family": "f", "error": "broke"}
    assert [line["verdict"] for line in data["targets"]] == ["met", "met"]
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_picture(tmp_path, kind):
    many = [outcome(f"{f}/row {k}", minigrad=[1.0 + k] * 3, torch=[2.0] * 3) for f in "abc" for k in range(40)]
    path = tmp_path / f"picture.{kind}"
    assert plot.draw(many, environment.describe([1], "cpu"), str(path))
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
        "--filter", "relu 1e3", "--rounds", "3", "--against", "numpy", "--save", str(json_file), "--plot", str(picture)
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(json_file.read_text())
    assert [row["name"] for row in data["rows"]] == [f"elementwise/relu 1e3 {way}ward" for way in ("for", "back")]
    assert all(0 < row["seconds"][side]["median"] < 1 for row in data["rows"] for side in (MINIGRAD, NUMPY))
    assert data["environment"]["threads"] == [1]
    assert all(0 < row["of_limit"] < 3 for row in data["rows"])
    assert picture.stat().st_size > 1000
    assert "issue targets" in done.stdout


def test_list_names_rows_only():
    done = bench("--list", "--filter", "conv/", "--filter", "backward")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines
    assert all("conv/" in line and "backward" in line for line in lines)


def test_ctrl_c_shows_what_there_is(monkeypatch, capsys):
    def interrupted(outcome, sides, rounds, clock, luck):
        if outcome.row.name == "f/b":
            raise KeyboardInterrupt
        outcome.samples = Samples({MINIGRAD: [1.0] * 3, TORCH: [2.0] * 3})

    monkeypatch.setattr(modes, "all_rows", lambda *most: [Row("f/a", None), Row("f/b", None)])
    monkeypatch.setattr(modes, "measured_limits", lambda contestants: LIMITS)
    monkeypatch.setattr(run, "time_once", interrupted)
    for effect in ("pin_threads", "set_threads", "keep_heap"):  # on this process
        monkeypatch.setattr(environment, effect, lambda *args: None)
    assert command.main(["--against", "numpy"]) == 130
    printed = capsys.readouterr().out
    assert "stopped with figures of 1 of 2 rows" in printed
    assert "0.50" in printed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--filter", "no such row"], "no row's name holds 'no such row'"),
        (["--rounds", "0"], "expected a whole number from 1"),
        (["--threads", "two"], "expected a whole number from 1"),
        (["--threads", "1,0"], "expected a whole number from 1"),
        (["--save", "/no/such/folder/x.json"], "cannot write"),
        (["--sizes", "1e3,few"], "expected whole numbers from 1"),
        (["--against", "tensorflow"], "expected some of numpy, torch, jax, autograd"),
        (["--compare", "/no/such.json"], "cannot read /no/such.json"),
        (["--compare", __file__], "is not a run saved by --save"),
        (["--scaling", "no such thing"], "nothing that comes in sizes holds 'no such thing'"),
        (["--full"], "--full needs --save"),
    ],
)
def test_mistakes_are_one_line_and_no_traceback(arguments, says):
    done = bench(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_rivals_that_are_not_there_are_missed_when_named_and_left_out_of_all(monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as leaving:
        command.main(["--against", "torch"])
    assert leaving.value.code == 2
    assert "needs torch" in capsys.readouterr().err
    assert command.rivals("all") == ("numpy",)

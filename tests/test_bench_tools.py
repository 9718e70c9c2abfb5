"""The bench's tools: limits, what a row moves, curves and their bends, targets, runs compared, choices, the page."""

import json
from dataclasses import asdict
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad
from bench import choices, layouts, limits, modes, page, regress, rivals, run, scaling, scaling_plot, targets, traffic
from bench.limits import KB, MB, Limits
from bench.row import JAX, MINIGRAD, NUMPY, TORCH, NoTwinError, Row, gradient_row
from bench.rows import all_rows, families, rows_at, sized_rows, sizes_of
from bench.rows.make import both_ways, normal
from bench.timing import Work
from minigrad.utils.benchmark import Samples

LIMITS = Limits(((32 * KB, 1e11), (2 * MB, 5e10), (512 * MB, 1e10)), {"float32": 1e11, "float64": 5e10}, {"L2": 2 * MB})


def outcome(name, bytes=0, flops=0, targets=None, **seconds):
    return run.Outcome(Row(name, None, targets=targets or {}), Samples(seconds), None, bytes, flops)


# Limits and traffic


def test_the_limit_is_the_longer_of_moving_and_computing():
    assert LIMITS.seconds(512 * MB, 0) == pytest.approx(512 * MB / 1e10)
    assert LIMITS.seconds(1 * KB, int(1e9)) == pytest.approx(0.01)
    assert LIMITS.bytes_per_second(1) == 1e11  # beyond the ends, the ends
    assert 1e10 < LIMITS.bytes_per_second(32 * MB) < 5e10


def test_bandwidth_and_flops_are_measured():
    found = limits.measure_bandwidth((24 * KB, 1 * MB))
    assert [size for size, _ in found] == [24 * KB, 1 * MB]
    assert all(1e8 < speed < 1e13 for _, speed in found)
    limits_flops = limits.measure_flops([minigrad])
    assert set(limits_flops) == {"float32", "float64"}
    assert all(1e8 < speed < 1e14 for speed in limits_flops.values())


def test_caches_are_read_from_the_system(tmp_path):
    for k, (kind, level, size) in enumerate((("Data", 1, "48K"), ("Instruction", 1, "64K"), ("Unified", 2, "2M"))):
        index = tmp_path / f"index{k}"
        index.mkdir()
        for name, value in (("type", kind), ("level", level), ("size", size)):
            (index / name).write_text(f"{value}\n")
    assert limits.caches(tmp_path) == {"L1d": 48 * KB, "L2": 2 * MB}
    assert limits.caches(tmp_path / "none") == {}


def add_forward(lib):
    a, b = lib.tensor(normal(10, 5)), lib.tensor(normal(5, seed=1))
    return lambda: a + b


def relu_back(lib):
    array, gradient = normal(10, 5), lib.tensor(normal(10, 5, seed=1))

    def graph():
        leaf = lib.tensor(array, requires_grad=True)
        return lib.relu(leaf), gradient, [leaf]

    return graph


@pytest.mark.parametrize(
    ("row", "bytes"),
    [
        (Row("f/add", add_forward), 4 * (50 + 5 + 50)),
        (gradient_row("f/relu", relu_back), 4 * (50 + 50 + 50)),
        (Row("f/both", lambda lib: both_ways(lib, lib.relu, normal(7))), 4 * (7 + 7 + 7)),
        (Row("f/partial", lambda lib: partial(np.add, np.ones(3), np.ones(3))), 8 * 9),
        (Row("f/network", lambda lib: partial(lib.nn.Linear(2, 3), lib.ones(1, 2))), 0),
        (Row("f/declared", add_forward, bytes=123), 123),
    ],
    ids=lambda value: value.name if isinstance(value, Row) else "",
)
def test_what_a_row_moves_at_least_is_found_by_looking(row, bytes):
    assert traffic.of_row(row, row.work(minigrad), minigrad)[0] == bytes


def test_what_is_broadcast_takes_no_memory():
    assert traffic.size(np.broadcast_to(np.ones(5), (100, 5))) == 40


def linear(lib, x_wants_gradient):
    x = lib.tensor(normal(2, 3), requires_grad=x_wants_gradient)
    weight = lib.tensor(normal(5, 3), requires_grad=True)

    def work():
        lib.nn.functional.linear(x, weight).backward(lib.ones(2, 5))

    return work


def conv(lib):
    x, weight = lib.tensor(normal(2, 3, 8, 8)), lib.tensor(normal(4, 3, 3, 3))
    return lambda: lib.nn.functional.conv2d(x, weight, padding=1)


def attention(lib):
    q, k, v = (lib.tensor(normal(2, 4, rows, 8)) for rows in (5, 7, 7))
    return lambda: lib.nn.functional.scaled_dot_product_attention(q, k, v)


@pytest.mark.parametrize(
    ("setup", "flops"),
    [
        (lambda lib: linear(lib, True), 3 * 2 * 2 * 3 * 5),
        (lambda lib: linear(lib, False), 2 * 2 * 2 * 3 * 5),
        (conv, 2 * (2 * 4 * 8 * 8) * 3 * 9),
        (attention, 2 * 2 * 4 * 5 * 7 * (8 + 8)),
        (add_forward, 0),
        (lambda lib: both_ways(lib, lib.nn.functional.linear, normal(2, 3), normal(5, 3)), 3 * 2 * 2 * 3 * 5),
    ],
)
def test_flops_are_counted_forward_and_back(setup, flops):
    assert traffic.flops(Row("f/r", setup), minigrad) == flops


def test_distance_from_the_limit():
    from bench.report import of_limit

    half = outcome("f/r", bytes=512 * MB, minigrad=[2 * 512 * MB / 1e10] * 3)
    assert of_limit(half, LIMITS) == pytest.approx(0.5)
    assert of_limit(outcome("f/r", minigrad=[1.0]), LIMITS) is None


# Scaling


def made_curve(*pieces, sizes=None):
    """Times per element that follow (until, slope) pieces exactly."""
    sizes = sizes or scaling.default_sizes()
    logs, value, out = np.log10(sizes), 0.0, []
    for k, x in enumerate(logs):
        out.append(10**value)
        slope = next(slope for until, slope in pieces if x < until - 1e-9 or until == pieces[-1][0])
        value += slope * (logs[k + 1] - x) if k + 1 < len(logs) else 0
    return sizes, out


def test_bends_are_found_where_they_are():
    sizes, times = made_curve((3, -1), (5.5, 0), (7, 0.5))
    rng = np.random.default_rng(0)
    noisy = np.array(times) * np.exp(rng.normal(0, 0.03, len(times)))
    for values in (times, noisy):
        found = scaling.bends(sizes, values)
        assert [bend.size for bend in found] == pytest.approx([1e3, 10**5.5], rel=0.8)
        assert [bend.kind for bend in found] == ["the fixed cost is spread: level from here", "rises from here"]
        assert [found[0].before, found[0].after, found[1].after] == pytest.approx([-1, 0, 0.5], abs=0.1)


def test_a_straight_line_has_no_bend_and_noise_makes_none():
    sizes, times = made_curve((9, 0))
    noise = np.exp(np.random.default_rng(1).normal(0, 0.05, len(times)))
    assert scaling.bends(sizes, times) == []
    assert scaling.bends(sizes, np.array(times) * noise) == []
    assert scaling.bends([10, 100], [1.0, 0.1]) == []


def curve():
    sizes, times = made_curve((3, -1), (5.5, 0), (7, 0.5))
    outcomes = [
        outcome(f"f/thing {label} forward", bytes=8 * size, minigrad=[1e-9 * t * size], torch=[2e-9 * t * size])
        for (label, size), t in zip(scaling.labels(sizes).items(), times, strict=True)
    ]
    (found,) = scaling.curves([*outcomes, outcome("f/other", minigrad=[1.0])], sizes)
    return found


def test_rows_that_differ_in_size_become_one_curve():
    found = curve()
    assert found.name == "f/thing forward"
    assert found.sizes == scaling.default_sizes()
    assert scaling.cache_sizes(found, LIMITS) == {"L2": pytest.approx(2 * MB / 8, rel=1e-6)}
    shown = scaling.text(found, LIMITS)
    assert "L2 full" in shown
    assert "about the L2 cache" in shown
    assert "rises from here" in shown
    assert "0.50" in shown
    assert scaling.from_json(json.loads(json.dumps(scaling.as_json(found)))) == found


def test_curves_as_a_picture(tmp_path):
    path = tmp_path / "curve.png"
    scaling_plot.draw([curve()] * 3, LIMITS, {"cpu": "a cpu", "versions": {}}, str(path))
    assert path.stat().st_size > 10_000


def test_families_are_found_and_take_other_sizes():
    known = families()
    assert {"elementwise", "kernels", "training"} <= set(known)
    assert "ops" not in known
    assert "make" not in known
    assert sizes_of(known["elementwise"])
    assert sizes_of(known["optimizers"]) == {}  # its sizes are lists of shapes
    before = known["elementwise"].SIZES
    names = [row.name for row in rows_at(known["elementwise"], {"37": 37})]
    assert "elementwise/relu 37 forward" in names
    assert known["elementwise"].SIZES is before
    assert {row.name.split("/")[0] for row in sized_rows({"37": 37})} >= {"elementwise", "kernel"}
    assert not any("1e6" in row.name for row in all_rows(1000) if row.family == "kernel")


# Targets


def test_every_line_of_the_issue_has_rows_and_their_bounds():
    known = {row.name: row for row in all_rows()}
    names = [*known, "memory/of some step"]
    assert targets.without_rows(names) == []
    for line in targets.ISSUE:
        for part in line.parts:
            for name in part.names(known):
                assert known[name].targets[TORCH] == part.bound


def test_patterns():
    assert targets.expanded("{a,b} {c,d}") == ["a c", "a d", "b c", "b d"]
    part = targets.Part(1.0, ("f/{x,y} 1[2] *",))
    assert part.names(["f/x 1[2] z", "f/y 12 z", "f/y 1[2] "]) == ["f/x 1[2] z", "f/y 1[2] "]
    line = targets.line("w", "p", (1.0, "f/*"), (2.0, "g/*"))
    assert line.names(["g/1", "f/1", "h/1"]) == ["f/1", "g/1"]
    assert targets.without_rows(["f/1"], [line]) == ["g/*"]


# Runs compared


def saved(**rows):
    """{name: (seconds of minigrad, of torch, of numpy)}, quartiles one per cent away; None for no such side."""
    found = []
    for name, times in rows.items():
        sides = {s: t for s, t in zip((MINIGRAD, TORCH, NUMPY), times, strict=True) if t}
        spread = {s: {"median": t, "low": 0.99 * t, "high": 1.01 * t} for s, t in sides.items()}
        ratio = {
            s: {k: times[0] / t * (v / t) for k, v in spread[s].items()} for s, t in sides.items() if s != MINIGRAD
        }
        found.append({"name": name, "error": None, "rounds": 15, "seconds": spread, "ratio": ratio})
    return {"rows": found}


def test_regressions_and_improvements_are_named_worst_first():
    old = saved(same=(1.0, 2.0, None), slower=(1.0, 2.0, None), faster=(1.0, 2.0, None), slowest=(1.0, 2.0, None))
    new = saved(same=(1.02, 2.0, None), slower=(1.2, 2.0, None), faster=(0.5, 2.0, None), slowest=(3.0, 2.0, None))
    found = {change.name: change.verdict for change in regress.compare(old, new)}
    assert list(found) == ["slowest", "slower", "same", "faster"]
    assert found == {"same": "same", "slower": "slower", "faster": "faster", "slowest": "slower"}


def test_a_slower_machine_is_no_regression_and_does_not_hide_one():
    old = saved(a=(1.0, 2.0, None), b=(1.0, None, 3.0), c=(1.0, None, 3.0), d=(1.0, None, 3.0))
    new = saved(a=(2.0, 4.0, None), b=(2.0, None, 6.0), c=(3.0, None, 6.0), d=(1.0, None, 6.0))
    assert regress.drift(old, new) == 2
    found = {change.name: (change.measure, change.verdict) for change in regress.compare(old, new)}
    assert found == {
        "a": (TORCH, "same"), "b": ("seconds", "same"), "c": ("seconds", "slower"), "d": ("seconds", "faster")
    }  # fmt: skip


def test_quartiles_that_overlap_are_noise():
    wide = {"median": 1.0, "low": 0.8, "high": 1.3}
    later = {"median": 1.5, "low": 1.2, "high": 1.8}
    assert regress.change("r", TORCH, wide, later, 0.05).verdict == "same"
    assert regress.change("r", TORCH, wide, {**later, "low": 1.31}, 0.05).verdict == "slower"
    assert regress.change("r", TORCH, wide, {**later, "low": 1.31}, 0.6).verdict == "same"


def test_few_rounds_prove_less():
    old, new = saved(a=(1.0, 2.0, None)), saved(a=(1.15, 2.0, None))
    assert [change.verdict for change in regress.compare(old, new)] == ["slower"]
    new["rows"][0]["rounds"] = 3
    assert [change.verdict for change in regress.compare(old, new)] == ["same"]


def test_rows_that_fail_or_are_gone_count():
    old, new = saved(a=(1, 2, None), b=(1, 2, None)), saved(a=(1, 2, None))
    assert regress.gone(old, new, selected=False) == ["b"]
    assert regress.gone(old, new, selected=True) == []
    new["rows"].append({"name": "b", "error": "broke"})
    assert regress.gone(old, new, selected=True) == ["b"]


def test_comparing_ends_with_the_number_of_regressions(capsys):
    from bench.report import console

    old, new = saved(a=(1.0, 2.0, None), b=(1.0, 2.0, None)), saved(a=(2.0, 2.0, None), b=(0.5, 2.0, None))
    assert modes.print_changes(old, new, True, console()) == 1
    text = capsys.readouterr().out
    assert text.index("slower: 1") < text.index("faster: 1")
    assert modes.print_changes(old, old, True, console()) == 0


# Layouts, choices, rivals


def test_layouts_change_the_memory_and_not_the_numbers():
    array = normal(4, 6)
    for name, arrange in (("transposed", layouts.transposed), ("sliced", layouts.sliced)):
        laid = arrange(array)
        assert np.array_equal(laid, array), name
        assert not laid.flags.c_contiguous, name
    assert layouts.broadcast(array).strides[0] == 0
    for arrange in (layouts.transposed, layouts.broadcast):
        with pytest.raises(NoTwinError):
            arrange(np.ones(3))


def fill(x, out):
    out[...] = x


def test_a_layout_leaves_what_is_written_into_and_what_the_twin_refuses():
    kernel = SimpleNamespace(name="fill", twin=fill, samples=lambda size: (normal(4, size), np.zeros((4, size), "f")))
    assert layouts.written(kernel, kernel.samples(3)) == {1}
    refusing = SimpleNamespace(name="r", twin=lambda x: x[0, 0], samples=lambda size: (np.ones((size, size)),))
    with pytest.raises(NoTwinError):
        layouts.call(refusing, "empty", None)
    names = {row.name for row in layouts.rows()}
    assert any(name.endswith(" broadcast") for name in names)
    assert any(name.endswith(" empty") for name in names)


def with_words(x):
    """Arrays of 10 numbers or more.

    Further words."""
    return x.size >= 10


UNTOLD = {"when": lambda x: x.size > 5}["when"]


def test_choices_are_told_in_the_words_of_the_rule(monkeypatch):
    kernels = {
        "told": SimpleNamespace(when=with_words, __module__="minigrad.kernels.a"),
        "untold": SimpleNamespace(when=UNTOLD, __module__="minigrad.kernels.b"),
        "always": SimpleNamespace(when=None, __module__="minigrad.kernels.c"),
    }
    monkeypatch.setattr(choices, "load_all", lambda: kernels)
    told, untold = choices.choices(["kernel/told 1e2", "kernel/told 1e4", "kernel/toldtoo 1e2"])
    assert (told.kernel, told.module, told.rule) == ("told", "kernels.a", "Arrays of 10 numbers or more")
    assert told.rows == ("kernel/told 1e2", "kernel/told 1e4")
    assert untold.rule == "`x.size > 5`"


def numpy_library():
    """A functional rival made of NumPy, as jax's is made of jax."""

    def both_ways(function, gradient_for, *arrays):
        return Work(lambda: (function(*arrays), gradient_for(function(*arrays))))

    functions = {**rivals.pointwise(np, None), **rivals.reductions(np)}
    return rivals.library(JAX, np, functions, both_ways=both_ways)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "silu", "softmax", "log_softmax", "sum", "var"])
def test_formulas_of_functional_rivals_are_the_same_functions(name):
    x, lib = normal(4, 5), numpy_library()
    given = (1,) if name in ("softmax", "log_softmax", "sum", "var") else ()
    ours = getattr(minigrad, name, None) or getattr(minigrad.nn.functional, name)
    np.testing.assert_allclose(getattr(lib, name)(x, *given), ours(minigrad.tensor(x), *given).numpy(), rtol=1e-5)


def test_functional_rivals_go_both_ways_and_leave_out_what_they_lack():
    lib = numpy_library()
    forward, gradient = both_ways(lib, lib.relu, normal(3, 4)).outcome()
    assert forward.shape == gradient.shape == (3, 4)
    with pytest.raises(NoTwinError, match="no conv3d"):
        lib.nn.functional.conv3d  # noqa: B018 (the name is what is asked)
    with pytest.raises(NoTwinError):
        gradient_row("f/r", relu_back).work(lib)


# The page


def run_data(ratio=0.4, memory=0.9):
    """A run with two of the issue's rows."""
    spread = {"median": ratio, "low": 0.98 * ratio, "high": 1.02 * ratio}
    rows = [
        {
            "name": name, "family": name.partition("/")[0], "error": None, "of_limit": 0.25,
            "seconds": {MINIGRAD: {"median": 1e-5 * ratio}, TORCH: {"median": 1e-5}, NUMPY: {"median": 2e-5}},
            "ratio": {TORCH: spread, NUMPY: {"median": 0.5, "low": 0.5, "high": 0.5}},
        }
        for name in ("overhead/chain of 100 (1,) forward+backward", "step/moons 2-16-16-1 B100 Adam")
    ]  # fmt: skip
    env = {
        "cpu": "a cpu", "cores": 2, "system": "Linux", "python": "3.11", "versions": {"torch": "2.13"}, "date": "today",
        "threads": [1], "clock": "thread CPU time", "load_average": 0.1, "libraries": [],
    }  # fmt: skip
    peak = {"name": "memory/moons", "bytes": {MINIGRAD: memory * MB, TORCH: MB}, "ratio": memory, "bound": 1.0}
    return {
        "rows": rows, "environment": env, "limits": asdict(LIMITS), "memory": [peak],
        "choices": [{"kernel": "sum", "module": "kernels.reduce", "rule": "from 100 on", "rows": ["kernel/sum 1e2"]}],
    }  # fmt: skip


CHAIN = "overhead/chain of 100 (1,) forward+backward"


def line_with(text, words):
    return next(line for line in text.splitlines() if words in line)


def test_the_page_has_every_line_of_the_issue_with_its_verdict():
    text = page.text(run_data(ratio=0.4), reasons={})
    for line in targets.ISSUE:
        assert f"| {line.work} | {line.promise} |" in text
    assert "| 0.40 / – | met (rows: 1); **not measured**: 1 |" in line_with(text, "100-op chain")
    assert "mean 0.40, worst 0.40" in line_with(text, "**training steps**")
    assert "| met (rows: 1) |" in line_with(text, "peak memory of each")
    assert "**not measured**" in line_with(text, "conv2d 3×3")
    assert f"| {CHAIN} | 4 us | 10 us | 0.40 (0.39–0.41) | 0.5 | 25% | met |" in text
    assert "| `sum` | `kernels.reduce` | from 100 on | 1e2 |" in text


def test_misses_are_marked_and_their_reasons_stand_beside_them():
    data = run_data(ratio=0.8, memory=1.5)
    text = page.text(data, reasons={CHAIN: "the profile says: Python"})
    assert "**MISSED** (1 of 1 rows)" in line_with(text, "100-op chain")
    assert f"`{CHAIN}`: the profile says: Python" in line_with(text, "100-op chain")
    assert "**mean MISSED** (0.5)" in line_with(text, "**training steps**")
    assert "**MISSED**" in line_with(text, "peak memory of each")
    assert page.check_reasons(page.Figures(data), {CHAIN: "why"}) == ["memory/moons"]


@pytest.mark.parametrize("name", [CHAIN, "no/such row"])
def test_a_reason_for_a_row_that_is_not_missed_is_an_error(name):
    with pytest.raises(page.Stale, match="not missed"):
        page.text(run_data(ratio=0.4), reasons={name: "why"})


def test_a_reason_waits_where_a_row_is_barely_met():
    text = page.text(run_data(ratio=0.48), reasons={CHAIN: "the profile says: Python"})
    assert "met (rows: 1)" in line_with(text, "100-op chain")
    assert "the profile says" not in text


def test_page_and_pictures_are_written_beside_each_other(tmp_path):
    data = {**run_data(ratio=0.49), "curves": [scaling.as_json(curve())]}
    written = page.write(tmp_path / "benchmarks.md", data)
    assert [path.name for path in written] == ["benchmarks.md", "benchmarks.png", "benchmarks-scaling.png"]
    assert all(path.stat().st_size > 1000 for path in written)
    text = written[0].read_text()
    assert "](benchmarks.png)" in text
    assert "](benchmarks-scaling.png)" in text


def test_a_full_run_hands_its_options_on():
    options = SimpleNamespace(filter=["a", "b"], quick=True, minutes=3)
    words = ["--filter", "a", "--filter", "b"]
    assert modes.handed_on(options, "rows") == [*words, "--quick", "--minutes", "3"]
    assert modes.handed_on(options, "threads") == words
    assert modes.handed_on(options, "curves") == []


def test_two_threads_on_the_page():
    spread = {"median": 0.5, "low": 0.5, "high": 0.5}
    row = {
        "name": "f/r", "ratio": {TORCH: spread, "torch@2": spread},
        "seconds": {s: {"median": t} for s, t in ((MINIGRAD, 2), ("minigrad@2", 1), (TORCH, 4), ("torch@2", 2))},
    }  # fmt: skip
    assert "| f/r | 2 s | 1 s | 2.00 | 4 s | 2 s | 0.50 | 0.50 |" in page.threads_text([row])

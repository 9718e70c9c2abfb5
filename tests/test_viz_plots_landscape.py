"""Loss surfaces, and optimizers on them: what is drawn is what happened."""

import copy
import json
import re

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.viz import plots
from minigrad.viz.plots.contest import _curvature
from minigrad.viz.plots.landscape import Scale, raised
from minigrad.viz.plots.surfaces import FUNCTIONS, Plane, Surface, flat, function_of

pytest.importorskip("matplotlib", reason="plots need matplotlib (extra 'plots')", exc_type=ModuleNotFoundError)

X, Y = minigrad.linspace(-1, 1, 12).reshape(6, 2), minigrad.linspace(0, 1, 6).reshape(6, 1)


def loss(model):
    return F.mse_loss(model(X), Y)


def net(seed=0):
    minigrad.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


def lines_of(axes):
    return {line.get_label(): np.column_stack(line.get_data()) for line in axes.get_lines()}


# ---- test functions


@pytest.mark.parametrize("name", FUNCTIONS)
def test_minima_are_minima(name):
    function = FUNCTIONS[name]
    for place in function.minima:
        p = minigrad.tensor(place, dtype=minigrad.float64, requires_grad=True)
        (slope,) = minigrad.autograd.grad(function.call(p[0], p[1]), p)
        np.testing.assert_allclose(slope.numpy(), 0.0, atol=2e-3)
        around = np.array(place) + 1e-2 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
        assert all(
            float(function.call(*map(minigrad.tensor, near))) > float(function.call(*p.detach())) for near in around
        )
    (left, right), (bottom, top) = function.view
    assert left < function.start[0] < right
    assert bottom < function.start[1] < top


def test_known_values():
    at = minigrad.tensor([0.0, 1.0, 3.0])
    np.testing.assert_allclose(FUNCTIONS["beale"].call(at, at * 0).numpy(), [14.203125, 4.453125, 2.953125], rtol=1e-6)
    assert FUNCTIONS["rosenbrock"].call(minigrad.tensor(-1.0), minigrad.tensor(2.0)).item() == 104.0
    assert FUNCTIONS["himmelblau"].call(minigrad.tensor(0.0), minigrad.tensor(0.0)).item() == 170.0


@pytest.mark.parametrize(
    "function",
    [lambda x, y: x * y + 1, lambda x, y: float(x) * float(y) + 1, lambda x, y: minigrad.stack([x, y]).prod() + 1],
)
def test_functions_of_grids_and_of_points(function):
    surface = Surface.of_function(function_of(function, "f()", ((0, 1), (0, 2))), 5, "f()")
    x, y = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 2, 5))
    np.testing.assert_allclose(surface.heights, x * y + 1)


def test_heights_between_grid_points_and_beyond():
    surface = Surface.of_function(function_of(lambda x, y: 2 * x + y, "f()", ((0, 1), (0, 2))), 5, "f()")
    way = np.array([[0.1, 0.3], [1.0, 2.0], [0.0, 0.0], [1.5, 0.0], [np.nan, 0.0]])
    points = raised(surface, lambda heights: heights, way)
    np.testing.assert_allclose(points[:3, 2], [0.5, 4.0, 0.0])
    assert np.isnan(points[3:]).all()


def test_a_finer_surface_goes_through_the_points():
    surface = Surface.of_function(function_of(lambda x, y: x**3 - x * y**2, "f()"), 9, "f()")
    finer = surface.finer(3)
    np.testing.assert_allclose(finer.heights[::3, ::3], surface.heights)
    x, y = np.meshgrid(finer.across, finer.up)
    np.testing.assert_allclose(finer.heights[3:-3, 3:-3], (x**3 - x * y**2)[3:-3, 3:-3], atol=0.06)


def test_steep_heights_are_drawn_by_their_logarithm():
    assert Scale(np.array([0.0, 1.0, 2.0, 1e6]), None).log
    assert not Scale(np.array([0.0, 1.0, 2.0, 3.0]), None).log
    scale = Scale(np.array([5.0, 6.0, 105.0, 10005.0]), True)
    np.testing.assert_allclose(np.diff(scale(np.array([5.0, 5 + 99 * scale.unit, 5 + 9999 * scale.unit]))), [2.0, 2.0])
    places, texts = scale.ticks()
    np.testing.assert_allclose(places, [scale(5.0 + float(text)) for text in texts])


@pytest.mark.parametrize("kind", ["contour", "3d", "both"])
@pytest.mark.parametrize("function", [lambda x, y: x * 0 + 3, lambda x, y: (x - y).log(), lambda x, y: 1 / x])
def test_flat_and_broken_functions_are_drawn(function, kind):
    figure = plots.loss_surface(function, kind=kind, resolution=9)
    figure.canvas.draw()


@pytest.mark.parametrize("kind", ["contour", "3d"])
def test_the_minimum_is_seen_where_ways_end_in_it(kind):
    way = np.array([[1.0, 1.0], [0.0, 0.0]])
    (axes,) = plots.loss_surface("bowl", paths={"a": way}, kind=kind, resolution=9).axes
    (star,) = [line for line in axes.lines if line.get_marker() == "*"]
    (end,) = [line for line in axes.lines if line.get_marker() == "o" and line.get_markerfacecolor() != "white"
              and len(line.get_xdata()) == 1]  # fmt: skip
    assert star.get_zorder() > end.get_zorder()


# ---- the surface of a network


def test_a_random_plane_is_normalised_filter_by_filter():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(4, 5))
    plane = Plane.random(model, seed=3)
    np.testing.assert_array_equal(plane.at(0, 0), flat(model.parameters()))
    begin = 0
    for weight in model.parameters():
        for axis in plane.axes:
            part = axis[begin : begin + weight.numel()].reshape(weight.shape)
            expected = np.zeros(1)
            if weight.ndim > 1:
                expected = np.linalg.norm(weight.detach().numpy().reshape(len(weight), -1), axis=1)
                part = part.reshape(len(part), -1)
                part = np.linalg.norm(part, axis=1)
            np.testing.assert_allclose(part, np.broadcast_to(expected, part.shape), rtol=1e-6)
        begin += weight.numel()
    assert np.array_equal(Plane.random(model, 3).axes, plane.axes)
    assert not np.array_equal(Plane.random(model, 4).axes, plane.axes)


def test_the_plane_through_three_weights_meets_them():
    three = [flat(net(seed).parameters()) for seed in range(3)]
    plane = Plane.through(*three, "f()")
    places = plane.places(three)
    np.testing.assert_allclose([plane.at(*place) for place in places], three, atol=1e-12)
    np.testing.assert_allclose(places[:2], [[0, 0], [np.linalg.norm(three[1] - three[0]), 0]], atol=1e-12)
    with pytest.raises(ValueError, match="three points on one line"):
        Plane.through(three[0], three[1], 2 * three[1] - three[0], "f()")


def test_heights_are_the_networks_losses():
    model = net()
    plane = Plane.random(model, 0)
    surface = Surface.of_model(copy.deepcopy(model), loss, plane, ((-1, 1), (-1, 1)), 3, "f()")
    assert surface.heights[1, 1] == pytest.approx(loss(model).item(), rel=1e-6)
    at = copy.deepcopy(model)
    nn.utils.vector_to_parameters(minigrad.tensor(plane.at(1, -1)).float(), at.parameters())
    assert surface.heights[0, 2] == pytest.approx(loss(at).item(), rel=1e-5)


def test_ways_of_weights_of_every_form():
    model, way = net(), []
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        way.append(copy.deepcopy(model.state_dict()))
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()
    vectors = [np.concatenate([w.numpy().reshape(-1) for w in state.values()]) for state in way]
    figures = [
        plots.loss_surface(model, loss, paths={"SGD": form}, resolution=3, kind="contour") for form in (way, vectors)
    ]
    drawn = [lines_of(figure.axes[0])["SGD"] for figure in figures]
    np.testing.assert_array_equal(*drawn)
    plane = Plane.along([np.array(vectors, float)], flat(model.parameters()))
    np.testing.assert_allclose(drawn[0], plane.places(vectors), atol=1e-12)
    plots.loss_surface(model, loss, through=[net(1), net(2).state_dict(), vectors[0]], resolution=3)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: plots.loss_surface("beal"),
            ValueError,
            "argument 'fn': got 'beal'; expected a function or one of bowl",
        ),
        (lambda: plots.loss_surface(3), TypeError, "argument 'fn': got int 3"),
        (lambda: plots.loss_surface(net()), TypeError, "argument 'loss': got None"),
        (lambda: plots.loss_surface(net(), lambda m: m(X)), TypeError, "expected one number"),
        (lambda: plots.loss_surface(nn.Tanh(), loss), ValueError, "no parameters"),
        (lambda: plots.loss_surface("bowl", kind="4d"), ValueError, "argument 'kind': got '4d'"),
        (lambda: plots.loss_surface("bowl", paths=[1]), TypeError, "argument 'paths'"),
        (lambda: plots.loss_surface(net(), loss, through=[net()]), ValueError, "argument 'through': got 1 weights"),
        (lambda: plots.loss_surface(net(), loss, paths={"a": [[1, 2]]}), ValueError, "got 2 numbers; expected 13"),
        (lambda: plots.loss_surface(lambda x, y: minigrad.ones(3)), ValueError, "one number for each"),
        (lambda: plots.race("bowl", ["SDG"]), ValueError, "argument 'optimizers': got str 'SDG'"),
        (lambda: plots.race("bowl", []), TypeError, "argument 'optimizers': got none"),
        (lambda: plots.race("bowl", {"a": 3}), TypeError, "got int 3 for 'a'"),
        (lambda: plots.race("bowl", {"a": lambda p: 3}), TypeError, "expected an optimizer"),
        (lambda: plots.race("bowl", steps=0), ValueError, "argument 'steps': got int 0"),
        (lambda: plots.race("bowl", start_at=[1, 2, 3]), ValueError, "argument 'start'"),
        (lambda: plots.race(net(), ["SGD"], loss, start_at=(0, 0)), ValueError, "a model begins with its weights"),
        (lambda: plots.race(net(), ["SGD"], lambda m: loss(FIXED)), ValueError, "does not depend on its argument"),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


FIXED = nn.Linear(2, 1).requires_grad_(False)

# ---- races

OPTIMIZERS = {
    "plain": lambda p: optim.SGD(p, lr=0.02),
    "heavy": lambda p: optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "L-BFGS": lambda p: optim.LBFGS(p, lr=0.5, max_iter=3),
}


def test_paths_are_what_the_optimizers_did():
    found = plots.race("beale", OPTIMIZERS, steps=7, start_at=(1.0, 1.2))
    for name, make in OPTIMIZERS.items():
        p = minigrad.tensor([1.0, 1.2], dtype=minigrad.float64, requires_grad=True)
        optimizer, places = make([p]), [[1.0, 1.2]]

        def closure(p=p, optimizer=optimizer):
            optimizer.zero_grad()
            value = FUNCTIONS["beale"].call(p[0], p[1])
            value.backward()
            return value

        for _ in range(7):
            optimizer.step(closure)
            places.append(p.tolist())
        np.testing.assert_array_equal(found.paths[name], places)
        values = [FUNCTIONS["beale"].call(*map(minigrad.tensor, place)).item() for place in places]
        np.testing.assert_allclose(found.losses[name], values, rtol=1e-5)
    assert repr(found).startswith("Race(plain: ")


def test_paths_of_a_network_are_its_training():
    model = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    before, random = copy.deepcopy(model), minigrad.get_rng_state()
    found = plots.race(
        model, {"a": lambda p: optim.Adam(p, lr=0.05), "b": lambda p: optim.Adam(p, lr=0.05)}, loss, steps=5
    )
    np.testing.assert_array_equal(found.paths["a"], found.paths["b"])  # the same random numbers
    assert minigrad.equal(minigrad.get_rng_state(), random)
    assert all(
        minigrad.equal(p, q) and p.grad is None for p, q in zip(model.parameters(), before.parameters(), strict=True)
    )
    optimizer, places = optim.Adam(model.parameters(), lr=0.05), [flat(model.parameters())]
    for _ in range(5):
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()
        places.append(flat(model.parameters()))
    np.testing.assert_array_equal(found.paths["a"], places)


def test_a_run_that_diverges_ends():
    found = plots.race("bowl", {"SGD": lambda p: optim.SGD(p, lr=1.2)}, steps=200)
    assert 2 < len(found.paths["SGD"]) == len(found.losses["SGD"]) < 10
    figure = plots.descent("bowl", {"SGD": lambda p: optim.SGD(p, lr=1.2)}, resolution=9)
    assert any("left after" in text.get_text() for text in figure.axes[0].get_legend().get_texts())


def test_the_curvature_at_the_start():
    assert _curvature(FUNCTIONS["bowl"]) == pytest.approx(2.0)
    assert _curvature(FUNCTIONS["ravine"]) == pytest.approx(2.0)
    x, y = FUNCTIONS["rosenbrock"].start
    hessian = [[2 - 400 * (y - 3 * x * x), -400 * x], [-400 * x, 200]]
    assert _curvature(FUNCTIONS["rosenbrock"]) == pytest.approx(np.abs(np.linalg.eigvalsh(hessian)).max())
    assert _curvature(function_of(lambda x, y: x + y, "f()")) == 1e-3


def test_plain_descent_sticks_at_a_saddle():
    found = plots.race("saddle", ["SGD", "Adam"])
    assert abs(found.losses["SGD"][-1]) < 0.05
    assert found.losses["Adam"][-1] < -1


def test_all_optimizers_by_name():
    names = [
        "SGD",
        "Momentum",
        "NAG",
        "AdaGrad",
        "AdaDelta",
        "RMSProp",
        "Adam",
        "AdamW",
        "Adamax",
        "NAdam",
        "RAdam",
        "Lion",
    ]
    found = plots.race("ravine", [*names, "Rprop"], steps=60)
    assert list(found.losses) == [*names, "Rprop"]
    assert all(losses[-1] < losses[0] for losses in found.losses.values())


def test_adagrad_has_a_rate_for_each_parameter():
    optimizers = {"SGD": OPTIMIZERS["plain"], "AdaGrad": lambda p: optim.Adagrad(p, lr=0.5)}
    rates = plots.effective_rates("ravine", optimizers, steps=9)
    np.testing.assert_allclose(rates["SGD"], 0.02, rtol=1e-9)
    way = plots.race("ravine", optimizers, steps=9).paths["AdaGrad"][:-1]
    squares = np.cumsum((way * [0.1, 2.0]) ** 2, axis=0)
    np.testing.assert_allclose(rates["AdaGrad"], 0.5 / (np.sqrt(squares) + 1e-10), rtol=1e-6)
    with pytest.raises(TypeError, match=r"argument 'fn': got Sequential; expected a function of two variables"):
        plots.step_sizes(net())


# ---- movies


@pytest.fixture(scope="module")
def movie():
    with minigrad.random.fork_rng():
        return plots.descent_movie(
            "bowl", {"SGD": lambda p: optim.SGD(p, lr=0.1), "<b>": OPTIMIZERS["Adam"]}, steps=12, resolution=9
        )


def test_a_gif_has_a_frame_for_each_step(movie, tmp_path):
    from PIL import Image

    for name in "ab":
        movie.save(tmp_path / f"{name}.gif")
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 13
        assert picture.info["loop"] == 0
    frames = list(movie.frames(4))
    assert len(frames) == 4
    assert len({frame.tobytes() for frame in frames}) == 4


def test_the_page_holds_the_race(movie, tmp_path):
    data = json.loads(re.search(r'id="data">(.*?)</script>', movie.html, re.S)[1])
    assert [run["name"] for run in data["runs"]] == ["SGD", "<b>"]
    assert "<b>" not in movie.html.split('id="data"')[0]
    assert len(movie.html) < 400_000
    for run in data["runs"]:
        np.testing.assert_allclose(run["values"], movie.race.losses[run["name"]])
        (left, top, wide, high), track = data["clips"][0], np.array(run["tracks"][0])
        (x0, x1), (y0, y1) = FUNCTIONS["bowl"].view
        shares = np.column_stack([(track[:, 0] - left) / wide, 1 - (track[:, 1] - top) / high])
        np.testing.assert_allclose(shares * [x1 - x0, y1 - y0] + [x0, y0], movie.race.paths[run["name"]], atol=0.01)
    assert movie.html == plots.Movie(movie._figure, movie._lines, movie.race, movie.title).html
    assert set(movie._repr_mimebundle_()) == {"text/html", "text/plain"}
    assert repr(movie) == "<Movie: Bowl  x² + y², 12 steps>"


def test_files_of_a_movie(movie, tmp_path, monkeypatch):
    assert movie.save(tmp_path / "a.html").read_text(encoding="utf-8") == movie.html
    with pytest.raises(ValueError, match=r"expected one of .html, .gif, .mp4"):
        movie.save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"descent_movie\(\): .*expected one of .html, .gif, .mp4"):
        plots.descent_movie("bowl", path=tmp_path / "a.png")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r".mp4 needs the program ffmpeg"):
        movie.save(tmp_path / "a.mp4")
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\n/usr/bin/wc -c\necho "$@"\n')
    program.chmod(0o755)
    size, arguments = movie.save(tmp_path / "a.mp4").read_text().splitlines()
    wide, high = map(int, re.search(r"-s (\d+)x(\d+)", arguments).groups())
    assert int(size) == 13 * wide * high * 3
    assert wide % 2 == high % 2 == 0
    program.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    with pytest.raises(OSError, match="ffmpeg failed"):
        movie.save(tmp_path / "b.mp4")


def test_the_player(movie, browser_page):
    tab = browser_page(movie)

    def points():
        return len(tab.evaluate("document.querySelectorAll('polyline')[1].getAttribute('points')").split())

    assert (tab.inner_text("output"), points()) == ("step 12 of 12", 13)  # reduced motion: the end, at once
    tab.click("#back")
    assert (tab.inner_text("output"), points()) == ("step 11 of 12", 12)
    tab.click("#again")
    assert (tab.inner_text("output"), points()) == ("step 0 of 12", 1)
    assert tab.inner_text(".movie-runs li:first-child span") == "4.52"
    tab.keyboard.press("ArrowRight")
    assert (tab.inner_text("output"), points()) == ("step 1 of 12", 2)
    tab.fill("#where", "5")
    assert (tab.inner_text("output"), points()) == ("step 5 of 12", 6)
    assert tab.inner_text(".movie-runs li:nth-child(2) b") == "<b>"
    tab.click(".movie-runs li:first-child button")
    assert points() == 0
    tab.select_option("#speed", "4")
    tab.click("#play")
    tab.wait_for_function("() => document.querySelector('output').textContent === 'step 12 of 12'")
    tab.click("#language")
    assert tab.inner_text("output") == "12단계 중 12단계"


def test_the_player_plays_by_itself_and_stops(movie, browser_page):
    tab = browser_page(movie, calm=False, width=380, dark=True)
    tab.wait_for_function("() => document.querySelectorAll('polyline')[1].getAttribute('points').split(' ').length > 2")
    tab.click("#play")
    assert tab.get_attribute("#play", "aria-label") == "Play"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 380


def test_a_map_alone_fits_on_a_phone(browser_page):
    movie = plots.descent_movie("bowl", {"SGD": OPTIMIZERS["Adam"]}, steps=3, resolution=9, kind="contour")
    tab = browser_page(movie, width=380)
    stage = "document.querySelector('.movie-stage')"
    assert tab.evaluate(f"{stage}.scrollWidth - {stage}.clientWidth") == 0

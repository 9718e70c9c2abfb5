"""Decision boundaries and linear regions: the numbers behind the pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.viz import plots

pytest.importorskip("matplotlib", reason="plots need matplotlib (extra 'plots')", exc_type=ModuleNotFoundError)

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def linear(weight, bias):
    layer = nn.Linear(len(weight[0]), len(weight))
    with minigrad.no_grad():
        layer.weight.copy_(minigrad.tensor(weight, dtype=minigrad.float32))
        layer.bias.copy_(minigrad.tensor(bias, dtype=minigrad.float32))
    return layer


def boundary(figure):
    """The points of the first contour that is drawn."""
    from matplotlib.contour import ContourSet

    sets = [c for c in figure.axes[0].collections if isinstance(c, ContourSet)]
    return np.concatenate([path.vertices for path in sets[0].get_paths()])


# ---- decision boundaries

LINE = linear([[1.0, 2.0]], [-1.5])  # x + 2 y = 1.5
FORMS = {
    "logit": LINE,
    "flat logit": lambda x: LINE(x)[:, 0],
    "probability": lambda x: LINE(x).sigmoid(),
    "two scores": lambda x: minigrad.cat([-LINE(x), LINE(x)], 1),
    "softmax": lambda x: minigrad.softmax(minigrad.cat([-LINE(x), LINE(x)], 1), 1),
    "log softmax": lambda x: minigrad.log_softmax(minigrad.cat([-LINE(x), LINE(x)], 1), 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_boundary_lies_where_the_model_is_undecided(form):
    figure = plots.decision_boundary(FORMS[form], CORNERS, [0, 1, 0, 1], resolution=41)
    x, y = boundary(figure).T
    np.testing.assert_allclose(x + 2 * y, 1.5, atol=0.02)
    assert figure.get_suptitle() == "Decision boundary  ·  100% right"


def test_the_line_of_a_step_goes_in_no_stairs():
    line = linear([[1.0, 0.7]], [-0.9])
    figure = plots.decision_boundary(lambda x: (line(x) > 0).float(), CORNERS, [0, 0, 0, 1])
    x, y = boundary(figure).T
    (left, right), (bottom, top) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    inside = (np.minimum(x - left, right - x) > 0.05) & (np.minimum(y - bottom, top - y) > 0.05)
    off = np.abs(x + 0.7 * y - 0.9)[inside] / np.hypot(1.0, 0.7)
    assert off.max() < 0.2 * (right - left) / 239  # of the distance between two points of the grid


def test_the_margin_is_where_the_logit_is_one():
    from matplotlib.contour import ContourSet

    sets = [
        c
        for c in plots.decision_boundary(LINE, CORNERS, resolution=41).axes[0].collections
        if isinstance(c, ContourSet)
    ]
    (high, low) = (np.concatenate([path.vertices]) for path in sets[1].get_paths())
    np.testing.assert_allclose(low @ [1, 2] - 1.5, -1.0, atol=1e-5)
    np.testing.assert_allclose(high @ [1, 2] - 1.5, 1.0, atol=1e-5)
    without = plots.decision_boundary(LINE, CORNERS, resolution=21, margin=None).axes[0].collections
    assert len([c for c in without if isinstance(c, ContourSet)]) == 1


@pytest.mark.parametrize(
    "y", [[0, 1, 0, 0], [-1, 1, -1, -1], [False, True, False, False], [[0.0], [1.0], [0.0], [0.0]]]
)
def test_wrong_points_are_ringed_and_counted(y):
    figure = plots.decision_boundary(LINE, CORNERS, y, labels=["no", "yes"], resolution=9)
    assert figure.get_suptitle().endswith("75% right")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["no", "yes", "wrong"]
    (rings,) = [c for c in figure.axes[0].collections if c.get_label() == "wrong"]
    np.testing.assert_array_equal(rings.get_offsets(), [[1.0, 1.0]])


def test_many_classes_and_one_hot():
    model = linear([[1, 0], [-1, 0], [0, 1], [0, -1]], [0, 0, 0, 0])
    figure = plots.decision_boundary(model, [[1, 0], [-1, 0], [0, 1], [0, -1]], np.eye(4), resolution=31)
    assert figure.get_suptitle().endswith("100% right")
    x, y = boundary(figure).T
    np.testing.assert_allclose(np.abs(x), np.abs(y), atol=0.08)
    plots.decision_boundary(lambda x: F.one_hot(x.long()[:, 0].clamp(0, 11), 12).float(), np.ones((3, 2)), resolution=5)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((LINE, [[1.0, 2.0, 3.0]]), ValueError, r"argument 'X': got shape \[1, 3\]; expected points of shape \(N, 2\)"),
        ((LINE, []), ValueError, "argument 'X'"),
        ((LINE, [[1.0, np.nan]]), ValueError, "NaN or infinite"),
        ((LINE, CORNERS, [0, 1, 2, 0]), ValueError, "argument 'y': got values such as int 2; expected classes 0 to 1"),
        ((LINE, CORNERS, [0, 1]), ValueError, r"argument 'y': got shape \[2\]; expected a class for each of 4 points"),
        ((LINE, CORNERS, [0.5, 1, 0, 0]), ValueError, r"values such as float 0\.5"),
        ((LINE, CORNERS, ["a"] * 4), TypeError, "argument 'y'"),
        ((lambda x: x[:3], CORNERS), ValueError, r"gave shape \[3, 2\] for .* points"),
        ((lambda x: x[:, 0] / 0, CORNERS), ValueError, "NaN or infinite numbers; look at its parameters"),
        ((lambda x: "a", CORNERS), TypeError, "returned str 'a'"),
        ((3, CORNERS), TypeError, "got int 3; expected a Module or a function"),
    ],
)
def test_decision_boundaries_that_are_refused(arguments, error, text):
    with pytest.raises(error, match=rf"^decision_boundary\(\).*{text}"):
        plots.decision_boundary(*arguments, resolution=5)


@pytest.mark.parametrize("bounds", [((1, 0), (0, 1)), ((0, 1),), ((0, np.inf), (0, 1)), "ab"])
def test_bounds_that_are_refused(bounds):
    with pytest.raises((ValueError, TypeError), match="'bounds'"):
        plots.decision_boundary(LINE, CORNERS, bounds=bounds, resolution=5)


def test_a_float64_model_and_a_single_point():
    plots.decision_boundary(linear([[1.0, 1.0]], [0.0]).double(), [[2, 2]], [1], resolution=5)


# ---- linear regions


def area(polygon):
    x, y = polygon.T
    return 0.5 * abs(x @ np.roll(y, 1) - y @ np.roll(x, 1))


def test_regions_counted_by_hand():
    three = nn.Sequential(linear([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), nn.ReLU(), linear([[1.0, 1.5, 2.0]], [0]))
    assert plots.linear_regions(three).count == 7  # three lines in general position: 1 + 3 + 3
    two = nn.Sequential(linear([[1, 0], [0, 1]], [0, 0]), nn.ReLU(), linear([[1.0, 1.0]], [0]))
    assert plots.linear_regions(two).count == 4
    assert plots.linear_regions(nn.Linear(2, 3)).count == 1
    parallel = nn.Sequential(linear([[1, 0], [1, 0]], [1, -1]), nn.ReLU(), linear([[1.0, 1.0]], [0]))
    assert plots.linear_regions(parallel).count == 3


def test_pieces_with_one_map_are_one_region():
    dead = nn.Sequential(linear([[1, 0], [0, 1]], [0, 0]), nn.ReLU(), linear([[1.0, 0.0]], [0]))  # the second is unused
    found = plots.linear_regions(dead)
    assert (found.count, len(found.polygons)) == (2, 4)
    off = nn.Sequential(linear([[1, 0]], [0]), nn.ReLU(), linear([[1.0]], [-100]), nn.ReLU())
    assert plots.linear_regions(off).count == 1


def test_lines_that_all_meet_in_one_point():
    star = nn.Sequential(nn.Linear(2, 5, bias=False), nn.ReLU(), nn.Linear(5, 3))
    found = plots.linear_regions(star)
    assert (found.count, found.exact) == (10, True)
    assert star[0].bias is None


KINKS = {
    "leaky": (nn.Sequential(linear([[1, 0]], [0]), nn.LeakyReLU(0.1)), 2),
    "prelu": (nn.Sequential(linear([[1, 0]], [0]), nn.PReLU()), 2),
    "hardtanh": (nn.Sequential(linear([[1, 0]], [0]), nn.Hardtanh()), 3),
    "relu6": (nn.Sequential(linear([[3, 0]], [0]), nn.ReLU6()), 3),
    "abs": (lambda x: x.abs().sum(1), 4),
    "relu": (lambda x: F.relu(x).sum(1), 4),
    "in place": (lambda x: (x * 1.0).relu_().sum(1), 4),
    "clamp": (lambda x: F.hardtanh(x, -1, 1).sum(1), 9),
    "maximum": (lambda x: minigrad.maximum(x[:, 0], x[:, 1]), 2),
    "maxout": (lambda x: (x @ minigrad.tensor([[1.0, -1, 0], [0, 0, 1]], dtype=x.dtype)).amax(1), 3),
    "constant": (lambda x: x * 0.0 + 1, 1),
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks_of_every_kind(name):
    model, count = KINKS[name]
    found = plots.linear_regions(model)
    assert (found.count, found.exact) == (count, True)


def test_a_functional_network_is_cut_as_one_of_modules():
    modules = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))

    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = modules[0], modules[2], modules[4]

        def forward(self, x):
            h = self.a(x).relu()
            return self.c(F.relu(self.b(h)))

    assert plots.linear_regions(modules).count == plots.linear_regions(Functional()).count > 10


class Residual(nn.Module):
    def __init__(self, layers, residual):
        super().__init__()
        self.layers, self.residual = nn.ModuleList(layers), residual

    def forward(self, x):
        h = x
        for layer in self.layers[:-1]:
            h = F.relu(layer(h))
        return self.layers[-1](h) + (x if self.residual else 0.0)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 7), min_size=1, max_size=3), st.booleans())
def test_the_pieces_fill_the_view_and_the_map_is_affine_on_each(seed, widths, residual):
    minigrad.manual_seed(seed)
    model = Residual([nn.Linear(a, b) for a, b in zip([2, *widths], [*widths, 2], strict=True)], residual)
    found = plots.linear_regions(model, ((-2, 2), (-1, 3)))
    assert found.exact
    np.testing.assert_allclose(sum(map(area, found.polygons)), 16.0, rtol=1e-6)
    draw = np.random.default_rng(seed)
    for polygon in found.polygons[:20]:
        if area(polygon) < 1e-4:
            continue
        inside = draw.dirichlet(np.ones(len(polygon)), 8) @ polygon
        values = model(minigrad.tensor(inside).float()).detach().numpy().astype(float)
        design = np.column_stack([inside, np.ones(8)])
        fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
        np.testing.assert_allclose(fitted, values, atol=2e-4)


def test_no_two_neighbours_have_one_colour():
    from minigrad.viz.plots.regions import _colours, _shared

    minigrad.manual_seed(3)
    found = plots.linear_regions(nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU()))
    near = [set() for _ in range(found.count)]
    for _, i, j in _shared(found.mesh):
        a, b = found.region[[i, j]]
        if a != b:
            near[a].add(b)
            near[b].add(a)
    colours = _colours(near)
    assert max(colours) < 6
    assert all(colours[a] != colours[b] for a in range(found.count) for b in near[a])


def test_what_hides_its_kinks_is_looked_at_cell_by_cell():
    def model(x):
        return F.max_pool1d(x[:, None], 2)[:, 0]

    bounds = ((-1, 1), (-0.9, 1.13))
    found = plots.linear_regions(model, bounds)
    assert (found.count, found.exact) == (2, False)
    assert plots.relu_regions(model, bounds=bounds).get_suptitle() == "Linear regions  ·  about 2"


def test_batch_norm_in_evaluation_mode_is_affine():
    model = nn.Sequential(linear([[1, 0], [0, 1]], [0.013, 0.007]), nn.BatchNorm1d(2), nn.ReLU(), linear([[1, 2]], [0]))
    assert plots.linear_regions(model, ((-1, 1), (-1, 1))).count == 4


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: plots.linear_regions(nn.Sequential(nn.Linear(2, 4), nn.Tanh())), "not piecewise linear"),
        (lambda: plots.linear_regions(lambda x: x / 0), "NaN or infinite numbers"),
        (lambda: plots.linear_regions(nn.Linear(3, 1)), r"does not take points of shape \[4, 2\]"),
        (lambda: plots.linear_regions(lambda x: x.sum()), "a row for each point"),
        (lambda: plots.relu_regions(LINE, CORNERS, [0, 1]), "argument 'y': got 2 classes; expected one for each of 4"),
        (lambda: plots.linear_regions(LINE, ((0, 0), (0, 1))), "argument 'bounds'"),
    ],
)
def test_models_that_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_a_model_that_computes_in_float32_whatever_it_gets():
    layer = nn.Linear(2, 5)
    found = plots.linear_regions(lambda x: F.relu(layer(x.float())).sum(1))
    assert 5 < found.count <= 16 + 8


def test_too_many_pieces_are_refused(monkeypatch):
    from minigrad.viz.plots import regions

    monkeypatch.setattr(regions, "MOST", 20)
    with pytest.raises(ValueError, match=r"more than 20 pieces; look at a smaller part"):
        plots.linear_regions(nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1)))

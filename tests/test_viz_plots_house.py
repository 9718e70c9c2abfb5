"""The rules of the house, for every plot: a Figure, the same bytes, fonts, and nothing of the user's changed."""

import builtins
import itertools
import pkgutil
import subprocess
import sys
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.viz import plots
from minigrad.viz.plots import common

pytest.importorskip("matplotlib", reason="plots need matplotlib (extra 'plots')", exc_type=ModuleNotFoundError)

NASTY = "<script>alert('x')</script> $\\frac{1}{2}$ & \"한글\" 😀"
POINTS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
PICTURE = np.linspace(0, 1, 36).reshape(6, 6)


class Odd(nn.Module):
    """A model that does, when it runs, all that plots have to put right again."""

    def __init__(self, first):
        super().__init__()
        self.first, self.norm, self.drop = first, nn.BatchNorm1d(first.out_features), nn.Dropout(0.5)
        self.last = nn.Linear(first.out_features, 2)
        self.register_buffer("calls", minigrad.zeros(1))
        self.norm.eval()

    def forward(self, x):
        assert not self.training
        self.calls += 1
        self.calls = self.calls + minigrad.rand(1)
        return self.last(self.drop(self.norm(self.first(x)).relu()))


def mlp(*sizes, layer=nn.ReLU):
    pairs = [(nn.Linear(a, b), layer()) for a, b in itertools.pairwise(sizes)]
    return nn.Sequential(*[module for pair in pairs for module in pair][:-1])


def square(x, y):
    return x**2 + y**2


MAKE = {
    "activations": lambda **k: plots.activations(["relu", nn.Tanh()], **k),
    "attention": lambda **k: plots.attention([[0.5, 0.5], [1.0, 0.0]], ["a", "b"], **k),
    "confusion_matrix": lambda **k: plots.confusion_matrix([[3, 1], [0, 4]], **k),
    "decision_boundary": lambda **k: plots.decision_boundary(mlp(2, 3, 2), POINTS, [0, 1, 1, 0], resolution=12, **k),
    "descent": lambda **k: plots.descent(square, ["SGD", "Adam"], steps=4, resolution=9, **k),
    "embedding": lambda **k: plots.embedding(np.eye(5), list("abcde"), [0, 0, 1, 1, 1], **k),
    "feature_maps": lambda **k: plots.feature_maps(nn.Sequential(nn.Conv2d(1, 2, 3)), PICTURE, **k),
    "filters": lambda **k: plots.filters(nn.Conv2d(1, 2, 3), **k),
    "fits": lambda **k: plots.fits(mlp(1, 2, 1), [0.0, 1.0, 2.0], [1.0, 0.0, 1.0], **k),
    "gates": lambda **k: plots.gates(nn.LSTM(2, 3), np.ones((4, 2)), **k),
    "images": lambda **k: plots.images([PICTURE, PICTURE.T], ["a", "b"], **k),
    "loss_curve": lambda **k: plots.loss_curve([2.0, 1.0], **k),
    "loss_surface": lambda **k: plots.loss_surface(square, resolution=9, kind="contour", **k),
    "step_sizes": lambda **k: plots.step_sizes("bowl", steps=3, **k),
    "relu_regions": lambda **k: plots.relu_regions(mlp(2, 3, 1), POINTS, [0, 1, 1, 0], **k),
}
STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(common, "DOTS", 40)


def made(name, **options):
    minigrad.manual_seed(1)
    return MAKE[name](**options)


def test_every_plot_is_here_and_in_the_table():
    figures = {name for name in plots.__all__ if name.islower() and "-> Figure" in (getattr(plots, name).__doc__ or "")}
    assert figures == set(MAKE)
    assert all(name in plots.__doc__ for name in plots.__all__ if name[0].islower())
    assert set(plots._HOMES) == set(plots.__all__)


def test_no_module_hides_a_function():
    assert not {module.name for module in pkgutil.iter_modules(plots.__path__)} & set(plots.__all__)


@pytest.mark.parametrize("name", MAKE)
def test_files_have_the_same_bytes_and_a_title_is_never_markup(name, tmp_path):
    from matplotlib.figure import Figure

    paths = [tmp_path / f"{k}.svg" for k in "ab"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no font here has the characters.*")  # an emoji
        figures = [made(name, title=NASTY, path=path) for path in paths]
    assert isinstance(figures[0], Figure)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert figures[0].get_suptitle().startswith(NASTY) or figures[0].axes[0].get_title(loc="left").startswith(NASTY)
    text = paths[0].read_text(encoding="utf-8")
    assert "<script" not in text
    ElementTree.fromstring(text)


@pytest.mark.parametrize("form", STARTS)
def test_the_forms_of_a_file(form, tmp_path):
    paths = [tmp_path / f"{k}.{form}" for k in "ab"]
    for path in paths:
        made("decision_boundary", path=path)
    assert paths[0].read_bytes().startswith(STARTS[form])
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("name", MAKE)
def test_where_a_file_cannot_be_written(name, tmp_path):
    with pytest.raises(ValueError, match=rf"{name}\(\): .*expected one of .png, .svg, .pdf"):
        made(name, path=tmp_path / "picture.txt")
    with pytest.raises(FileNotFoundError, match=rf"{name}\(\): the folder .* does not exist; make it first"):
        made(name, path=tmp_path / "none" / "picture.png")


@pytest.mark.parametrize("name", MAKE)
def test_without_matplotlib(name, monkeypatch):
    real = builtins.__import__

    def importing(module, *args, **kwargs):
        if module.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(ModuleNotFoundError, match=rf"{name}\(\) needs matplotlib.*pip install 'minigrad\[plots\]'"):
        made(name)


RUN = {
    "decision_boundary": lambda model: plots.decision_boundary(model, POINTS, [0, 1, 1, 0], resolution=5),
    "relu_regions": lambda model: plots.linear_regions(model),
    "fits": lambda model: plots.fits(lambda x: model(minigrad.cat([x, x], 1))[:, 0], [[0.0], [1.0]], [[0.0], [1.0]]),
    "loss_surface": lambda model: plots.loss_surface(model, lambda m: m(minigrad.ones(3, 2)).sum(), resolution=3),
    "feature_maps": lambda model: plots.feature_maps(model, np.ones((1, 4, 2)), "first"),
}


@pytest.mark.parametrize("name", RUN)
def test_a_model_is_left_as_it_was(name):
    class Asking(nn.Linear):
        def forward(self, x):
            return super().forward(x)

    model = Odd(Asking(2, 3))
    if name == "feature_maps":
        model.first.forward = lambda x: minigrad.nn.functional.linear(x, model.first.weight)
        model.forward = lambda x: model.first(x) if not model.training else 1 / 0
    if name == "fits":
        model.eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    versions = [p._version for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    buffer, random = model.calls, minigrad.get_rng_state().clone()
    if name == "fits":  # a function: what it holds is its own matter
        with minigrad.no_grad():
            RUN[name](model)
        buffer = model.calls
        before["calls"] = buffer.clone()
    else:
        RUN[name](model)
    assert model.calls is buffer
    assert [module.training for module in model.modules()] == modes
    assert all(minigrad.equal(value, before[k]) for k, value in model.state_dict().items())
    assert [p._version for p in model.parameters()] == versions
    assert all(p.grad is None for p in model.parameters())
    assert minigrad.equal(minigrad.get_rng_state(), random)
    assert not model.first._forward_hooks


def test_lazy_layers_are_refused():
    model = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    with pytest.raises(ValueError, match=r"decision_boundary\(\): the model has lazy layers .* run it once before"):
        plots.decision_boundary(model, POINTS)
    with pytest.raises(TypeError, match="an instance, not its class"):
        plots.decision_boundary(nn.Linear, POINTS)


# ---- fonts


def test_hangul_is_shown_or_one_warning_says_what_to_install():
    from minigrad.viz.fonts import HANGUL, families

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure = plots.images([PICTURE], ["한글 이름"], title="제목")
        figure.canvas.draw()
        figure.savefig("/dev/null", format="png", bbox_inches="tight", dpi=30)
    expected = [] if set(HANGUL) & set(families()) else ["images(): no font here has the characters"]
    assert [str(w.message)[:41] for w in caught] == expected


def test_characters_without_a_font_are_named_once(monkeypatch):
    with pytest.warns(
        UserWarning, match=r"no font here has the characters '𓀀𓀁'.*NanumGothic or Noto Sans CJK KR"
    ) as caught:
        figure = plots.attention([[1.0, 0.0], [0.0, 1.0]], ["𓀀", "𓀁"])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()


def test_fonts_that_came_after_matplotlibs_first_start_are_found(monkeypatch):
    from matplotlib import font_manager

    from minigrad.viz import fonts

    added = []
    monkeypatch.setattr(font_manager, "get_font_names", lambda: ["DejaVu Sans", *added])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: ["/f/NanumGothic.ttf", "/f/NanumGothicCoding.ttf"])
    monkeypatch.setattr(font_manager.fontManager, "addfont", lambda path: added.append("NanumGothic"))
    fonts.families.cache_clear()
    assert fonts.families() == ("DejaVu Sans", "NanumGothic")
    assert len(added) == 1
    fonts.families.cache_clear()
    monkeypatch.undo()


def test_the_users_settings_and_figures_stay(tmp_path):
    program = """
import sys, numpy, matplotlib
before = matplotlib.rcParams.copy()
from minigrad import nn
from minigrad.viz import plots
plots.decision_boundary(nn.Linear(2, 1), [[0.0, 0.0], [1.0, 1.0]], [0, 1], sys.argv[1], resolution=9)
plots.descent("bowl", ["SGD"], steps=3, resolution=9)
plots.embedding(numpy.eye(4), "abcd")
assert matplotlib.rcParams.copy() == before
assert "matplotlib.pyplot" not in sys.modules
assert "sklearn" not in sys.modules
"""
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_notebook_shows_it_without_pyplot():
    """matplotlib tells notebooks how to show figures when pyplot is imported; a user of plots need not do that."""
    code = (
        "import sys\nfrom IPython.core.formatters import DisplayFormatter\nfrom minigrad.viz import plots\n"
        "forms, _ = DisplayFormatter().format(plots.loss_curve([3.0, 2.0, 1.0]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert forms['image/png'][:4] == b'\\x89PNG', forms"
    )
    pytest.importorskip("IPython", reason="a notebook is asked")
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_ticks_made_later_keep_our_fonts():
    import matplotlib

    figure = plots.loss_curve([2.0, 1.0])
    with matplotlib.rc_context({"font.family": ["monospace"]}):
        figure.canvas.draw()
        assert figure.axes[0].get_xticklabels()[0].get_fontfamily()[0] == "DejaVu Sans"


@pytest.mark.parametrize(
    ("value", "text"),
    [("abc", "str 'abc'"), ([[1], [1, 2]], r"list \[\[1\], \[1, 2\]\]"), (None, "None"), ([object()], "list")],
)
def test_what_is_no_array(value, text):
    with pytest.raises(TypeError, match=rf"images\(\): argument 'pictures': got {text}.*Tensor, an array or lists"):
        plots.images(value)


def test_tensors_arrays_and_lists_give_one_picture(tmp_path):
    forms = [PICTURE.astype(np.float32), minigrad.tensor(PICTURE).float().requires_grad_(), PICTURE.tolist()]
    forms.append([minigrad.tensor(row) for row in PICTURE])
    bytes_of = []
    for k, form in enumerate(forms):
        plots.images(form, path=tmp_path / f"{k}.png")
        bytes_of.append((tmp_path / f"{k}.png").read_bytes())
    assert len(set(bytes_of)) == 1

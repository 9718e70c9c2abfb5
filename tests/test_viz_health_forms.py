"""What viz.health gives: tables, HTML, pictures, two languages; models of all kinds; wrong arguments."""

import dataclasses
import string
import xml.etree.ElementTree as ET

import pytest

import minigrad
from minigrad import nn, viz
from minigrad.nn import functional as F
from minigrad.registry import OPS
from minigrad.viz.vitals import origin, report, rules, words

EVIL = "<script>alert('한글 🙂')</script>\n\"&[red]"


def test_every_rule_has_words_in_both_languages_and_the_same_gaps():
    assert set(words.RULE_WORDS) == set(rules.RULES)
    assert set(words.SOURCES) <= set(rules.RULES)
    assert set(words.WORDS["en"]) == set(words.WORDS["ko"])

    def gaps(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for rule, said in words.RULE_WORDS.items():
        assert set(said) == {"en", "ko"}, rule
        assert gaps(said["en"][0]) == gaps(said["ko"][0]), rule
        assert bool(said["en"][1]) == bool(said["ko"][1]), rule
    assert {*words.CURES_OF_OPS, *origin.SINGULAR} - {*OPS} <= {"float_power", "rsqrt"}


def ill():
    minigrad.manual_seed(0)
    parts = [part for _ in range(8) for part in (nn.Linear(8, 8), nn.Sigmoid())]
    model = nn.Sequential(*parts, nn.Linear(8, 3))
    return viz.health(model, minigrad.randn(16, 8), minigrad.zeros(16, dtype=minigrad.int64), "cross_entropy")


def test_text_table_and_verdicts_in_both_languages():
    health = ill()
    text = str(health)
    assert repr(health) == text
    assert max(map(len, text.splitlines())) <= report.WIDTH
    assert "‖grad‖ of output" in text
    assert "✖ The gradient vanishes: at 0 (Linear) it is" in text
    assert "→ Use ReLU" in text
    health.language = "ko"
    assert "✖ 기울기 소실" in str(health)
    with pytest.raises(ValueError, match="'language'"):
        health.language = "fr"


def test_text_is_text_in_a_notebook_too(monkeypatch):
    import rich.console

    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = str(ill())
    assert "The gradient vanishes" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_fits_the_terminal(width):
    import io

    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system="truecolor").print(ill())
    plain = Console(file=io.StringIO(), width=width)
    plain.print(ill())
    lines = plain.file.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    assert "\x1b[1;31m" in out.getvalue()


def test_names_never_become_markup():
    model = nn.Module()
    kind = type(EVIL, (nn.Linear,), {})
    model.add_module("[red]<b>x</b>'\"{0}", kind(8, 3))
    model.forward = lambda x: model._modules["[red]<b>x</b>'\"{0}"](x).log()
    model = nn.Sequential()
    model.add_module("[red]<b>x</b>'\"{0}", kind(8, 3))
    model.add_module("log", type("Log", (nn.Module,), {"forward": lambda self, x: x.log()})())
    health = viz.health(model, minigrad.randn(16, 8), minigrad.zeros(16, dtype=minigrad.int64), "cross_entropy")
    html = health._repr_html_()
    assert "<script" not in html
    assert "<b>x" not in html
    assert "[red]<b>x</b>'\"{0}" in str(health)
    assert "[red]<b>x" in "".join(ET.fromstring(html.replace("&nbsp;", " ")).itertext())
    bundle = health._repr_mimebundle_()
    assert bundle == {"text/html": html, "text/plain": str(health)}


def test_pictures(tmp_path):
    health = ill()
    figure = health.plot(tmp_path / "health.png")
    health.plot(tmp_path / "again.png")
    assert (tmp_path / "health.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    text = "".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))
    assert "Gradients of the outputs" in text
    assert len(figure.axes) == 2  # no step was seen
    viz.health(nn.Sequential()).plot()
    with pytest.raises(ValueError, match="ending"):
        health.plot(tmp_path / "health.txt")


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.out = nn.Embedding(20, 8), nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 10)

    def forward(self, tokens):
        hidden, _ = self.lstm(self.embed(tokens))
        return self.out(hidden[:, -1])


class Cell(nn.Module):
    """A recurrent loop over one cell and one activation."""

    def __init__(self, steps):
        super().__init__()
        self.cell, self.act, self.out, self.steps = nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 10), steps

    def forward(self, x):
        h = minigrad.zeros(len(x), 8)
        for _ in range(self.steps):
            h = self.act(self.cell(minigrad.cat([x[:, :4], h], 1)))
        return self.out(h)


TARGET = minigrad.zeros(16, dtype=minigrad.int64)


def test_recurrent_networks_and_tuples():
    health = viz.health(Tagger(), minigrad.randint(0, 20, (16, 7)), TARGET, "cross_entropy")
    assert [row["layer"] for row in health.rows] == ["embed", "lstm", "out"]
    assert all(row["grad_norm"] > 0 for row in health.rows)
    few = viz.health(Cell(3), minigrad.randn(16, 4), TARGET, "cross_entropy")
    assert [row["layer"] for row in few.rows] == ["cell ×3", "act (1)", "act (2)", "act (3)", "out"]
    many = viz.health(Cell(30), minigrad.randn(16, 4), TARGET, "cross_entropy")
    assert [row["layer"] for row in many.rows] == ["cell ×30", "act ×30", "out"]
    assert many.rows[0]["grad_norm"] > 0


def test_shared_modules_residuals_and_attention():
    shared = nn.Linear(8, 8)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(8, 10))
    health = viz.health(model, minigrad.randn(16, 8), TARGET, "cross_entropy")
    assert [row["layer"] for row in health.rows] == ["0 ×2", "1", "3"]
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(encoder, nn.Flatten(), nn.Linear(40, 10))
    health = viz.health(model, minigrad.randn(16, 5, 8), TARGET, "cross_entropy")
    assert health.ok, health
    weighted = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 10))
    health = viz.health(weighted, minigrad.randn(16, 8), TARGET, "cross_entropy")
    assert [row["layer"] for row in health.rows] == ["0", "1", "2"]
    assert health.ok, health


@pytest.mark.parametrize("inplace", [False, True])
def test_activations_in_place_and_as_functions(inplace):
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(inplace), nn.Dropout(0.1), nn.Linear(8, 10))
    health = viz.health(model, minigrad.randn(200, 8), minigrad.zeros(200, dtype=minigrad.int64), "cross_entropy")
    assert health.rows[0]["out_mean"] < 0.3
    assert health.rows[1]["dead"] is not None
    assert health.rows[2]["dead"] is None
    assert all(row["grad_norm"] > 0 for row in health.rows)
    model.eval()
    rows = viz.health(model, minigrad.randn(200, 8), minigrad.zeros(200, dtype=minigrad.int64), "cross_entropy").rows
    assert rows[2]["grad_norm"] == rows[1]["grad_norm"]  # dropout gave on what it got


@pytest.mark.parametrize("dtype", [minigrad.float16, minigrad.float32, minigrad.float64])
def test_dtypes(dtype):
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 10)).to(dtype)
    health = viz.health(model, minigrad.randn(16, 8).to(dtype), TARGET, "cross_entropy")
    assert health.ok, health


def test_models_with_little_in_them():
    for model in (nn.Sequential(), nn.Identity(), nn.ReLU()):
        health = viz.health(model, minigrad.randn(4, 3), loss_fn=lambda out: out.mean())
        assert health.ok
        assert str(health)
        assert health._repr_html_()
    assert [row["kind"] for row in viz.health(nn.Module()).rows] == ["Module"]
    empty = viz.health(nn.Linear(3, 2), minigrad.randn(0, 3), loss_fn=lambda out: out.sum())
    assert str(empty)
    assert viz.health(nn.LazyLinear(3), minigrad.randn(4, 8), loss_fn=lambda out: out.sum()).ok
    zero_dim = viz.health(nn.ReLU(), minigrad.tensor(-1.0), loss_fn=lambda out: out * 2)
    assert zero_dim.rows[0]["dead"] == 1.0


def test_inputs_of_several_forms():
    two = type("Two", (nn.Module,), {"forward": lambda self, a, b: self.lin(a + b)})()
    two.lin = nn.Linear(8, 10)
    a, b = minigrad.randn(16, 8), minigrad.randn(16, 8)
    rows = [viz.health(two, x, TARGET, F.cross_entropy).rows for x in ((a, b), [a, b], {"a": a, "b": b})]
    assert rows[0] == rows[1] == rows[2]
    assert viz.health(two, (a.array, b.array), TARGET.array, F.cross_entropy).rows == rows[0]


def test_wrong_arguments_are_named():
    model, x = nn.Linear(8, 10), minigrad.randn(16, 8)
    with pytest.raises(TypeError, match="argument 'model' must be a Module, not "):
        viz.health(nn.Linear)
    with pytest.raises(ValueError, match="argument 'x'"):
        viz.health(model, None, TARGET)
    with pytest.raises(ValueError, match="argument 'loss_fn'"):
        viz.health(model, x, TARGET)
    with pytest.raises(ValueError, match="there is no 'crossentropy'"):
        viz.health(model, x, TARGET, "crossentropy")
    with pytest.raises(TypeError, match="must be callable"):
        viz.health(model, x, TARGET, 3)
    with pytest.raises(ValueError, match="one element"):
        viz.health(model, x, TARGET, nn.CrossEntropyLoss(reduction="none"))
    with pytest.raises(ValueError, match="'language'"):
        viz.health(model, language="de")


def test_outputs_in_dicts_and_dataclasses():
    @dataclasses.dataclass
    class Result:
        logits: object
        extra: object = None

    class Net(nn.Module):
        def __init__(self, wrap):
            super().__init__()
            self.lin, self.wrap = nn.Linear(8, 10), wrap

        def forward(self, x):
            return self.wrap(self.lin(x).relu())

    for wrap, unwrap in ((Result, lambda r: r.logits), (lambda t: {"a": [None, t]}, lambda r: r["a"][1])):
        health = viz.health(Net(wrap), minigrad.randn(16, 8), None, lambda out, unwrap=unwrap: unwrap(out).sum())
        assert [row["layer"] for row in health.rows] == ["lin", "lin → relu"]
        assert health.rows[0]["grad_norm"] > 0


def test_a_model_that_writes_into_what_it_is_given():
    x, y = minigrad.tensor([[-1.0, 2.0]]), minigrad.zeros(1, 2)
    viz.health(nn.ReLU(inplace=True), [x], y, lambda out, target: (out - target.add_(1)).sum())
    assert x.tolist() == [[-1.0, 2.0]]
    assert y.tolist() == [[0.0, 0.0]]
    nested = type("Nested", (nn.Module,), {"forward": lambda self, given: given["a"][0].mul_(2)})()
    viz.health(nested, {"given": {"a": [x]}})
    assert x.tolist() == [[-1.0, 2.0]]

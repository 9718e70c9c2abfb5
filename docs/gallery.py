"""Makes docs/gallery.md and its pictures: `python docs/gallery.py`. Needs the extra `plots`; Chromium for pages' shots.

Every picture is made by the lines that stand above it in the page, run one after the other in one namespace.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE / "gallery"
KEPT = "readme-step"

INTRODUCTION = """# Gallery

What `minigrad.viz` draws, and the lines that draw it. Each block runs after those above it; all together they are
`docs/gallery.py`, which made this page. Nothing but `pip install` is needed: no `dot`, no browser plug-in, no network.
"""

# (heading or "", a sentence, the lines; the last one is an expression: what is shown)
PIECES = [
    (
        "Drawings",
        "A graph, as it was recorded: every operation, value and gradient.",
        """
        import minigrad
        from minigrad import nn, viz

        a, b = minigrad.tensor(2.0, requires_grad=True), minigrad.tensor(-3.0, requires_grad=True)
        c = (a * b + 10).tanh() * a
        c.backward()
        viz.draw(c, {"a": a, "b": b, "c": c})
        """,
    ),
    (
        "",
        "Modules are frames; `depth=` closes the inner ones, and equal blocks are drawn once.",
        """
        minigrad.manual_seed(0)

        class Block(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
                self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
                self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

            def forward(self, x):
                h = self.norm1(x)
                x = x + self.attention(h, h, h, need_weights=False)[0]
                return x + self.mlp(self.norm2(x))

        gpt = nn.Sequential(nn.Embedding(65, 32), *[Block(32) for _ in range(6)], nn.LayerNorm(32), nn.Linear(32, 65))
        tokens = minigrad.randint(0, 65, (1, 16))
        viz.draw_module(gpt, tokens)
        """,
    ),
    (
        "",
        'A loop over a cell is one step and a loop back; `recurrent="unrolled"` shows them all.',
        """
        cell, head = nn.LSTMCell(3, 4), nn.Linear(4, 1)
        h = c = minigrad.zeros(1, 4)
        for x in minigrad.randn(12, 1, 3):
            h, c = cell(x, (h, c))
        viz.draw(head(h), {"cell": cell, "head": head})
        """,
    ),
    (
        "",
        "`flow=True` colours the edges by the size of the gradient: here it vanishes on its way through sigmoids.",
        """
        deep = nn.Sequential(*[layer for _ in range(8) for layer in (nn.Linear(8, 8), nn.Sigmoid())])
        viz.draw(deep(minigrad.randn(4, 8)).sum(), deep, flow=True, direction="LR", values=False, depth=1)
        """,
    ),
    (
        "",
        "The graph of a derivative, which is a graph again.",
        """
        x = minigrad.tensor(0.5, requires_grad=True)
        y = x.tanh()
        (slope,) = minigrad.autograd.grad(y, x, create_graph=True)
        viz.draw([y, slope], {"x": x, "y": y, "dy/dx": slope})
        """,
    ),
    (
        "",
        "What went wrong, in red, with the shapes that it got.",
        """
        broken = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 2))
        viz.draw_module(broken, minigrad.randn(5, 4))
        """,
    ),
    (
        "",
        "100,000 operations are too many to read: folded.",
        """
        x = start = minigrad.tensor(0.5, requires_grad=True)
        for _ in range(50_000):
            x = (x * 1.0001).tanh()
        viz.draw(x, {"start": start})
        """,
    ),
    (
        "",
        "Saved as `.html` a drawing is a page: pan, zoom, search, open and close modules, look at any box.",
        """
        viz.draw_module(gpt, tokens).page
        """,
        "drawing-page",
    ),
    (
        "Pages",
        "`step` walks forward and backward, and shows what is multiplied and what is added. There is a quiz.",
        """
        w, x, b = (minigrad.tensor(v, requires_grad=g) for v, g in ((0.5, True), (2.0, False), (-0.3, True)))
        with viz.recording():
            loss = ((w * x + b).tanh() - 1) ** 2 + w**2
        viz.step(loss, {"w": w, "x": x, "b": b, "loss": loss})
        """,
        "step",
    ),
    (
        "",
        "The step page of the README's twenty lines, for the last batch: [as a page](gallery/readme-step.html).",
        """
        from minigrad import optim
        from minigrad.datasets import load_digits
        from minigrad.utils.data import DataLoader, TensorDataset

        minigrad.manual_seed(0)
        images, labels = load_digits()
        data = DataLoader(TensorDataset(images / 16, labels), batch_size=64, shuffle=True)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        history = []
        for epoch in range(5):
            losses = []
            for inputs, targets in data:
                loss = nn.functional.cross_entropy(model(inputs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            history.append(sum(losses) / len(losses))
        with viz.recording():
            loss = nn.functional.cross_entropy(model(inputs), targets)    # once more: backward() frees what it used
        viz.step(loss, {"model": model, "inputs": inputs, "targets": targets})
        """,
        "readme-step",
    ),
    (
        "",
        "`playground`: type an expression, move its leaves. All is computed in the page.",
        """
        viz.playground("(w*x + b).tanh()", w=0.8, x=1.5, b=-0.4)
        """,
        "playground",
    ),
    (
        "In words and numbers",
        "`explain` writes out the chain rule for this very graph.",
        """
        w, x, b = (minigrad.tensor(v, requires_grad=True) for v in (0.5, 2.0, -0.3))
        y = (w * x + b).tanh() * w
        viz.explain(y, w, {"w": w, "x": x, "b": b, "y": y})
        """,
    ),
    (
        "",
        "`health` looks at activations, gradients and updates, and says what it thinks.",
        """
        minigrad.manual_seed(0)
        layers = [layer for _ in range(8) for layer in (nn.Linear(64, 64), nn.Sigmoid())]
        sick = nn.Sequential(*layers, nn.Linear(64, 10))
        found = viz.health(sick, images.flatten(1)[:64] / 16, labels[:64], nn.CrossEntropyLoss())
        found
        """,
    ),
    ("", "The same as a picture; `viz.watch` makes it while a training runs.", "found.plot()"),
    (
        "",
        "`summary`: layers, shapes, parameters, multiply-adds.",
        """
        lenet = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )
        viz.summary(lenet, (1, 1, 28, 28))
        """,
    ),
    (
        "",
        '`trace`: what ran, for how long; `.save("trace.json")` opens in Chrome\'s tracing view.',
        """
        viz.trace(lambda: nn.functional.cross_entropy(model(inputs), targets).backward())
        """,
    ),
    (
        "Plots",
        "Where a classifier changes its mind, and the linear pieces that a ReLU network is made of.",
        """
        from minigrad.datasets import make_moons

        points, sides = make_moons(200, noise=0.1, random_state=0)
        points, sides = minigrad.tensor(points).float(), minigrad.tensor(sides)
        minigrad.manual_seed(3)
        net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
        adam = optim.Adam(net.parameters(), lr=0.02)
        for _ in range(200):
            adam.zero_grad()
            nn.functional.cross_entropy(net(points), sides).backward()
            adam.step()
        viz.plots.decision_boundary(net, points, sides)
        """,
    ),
    ("", "", "viz.plots.relu_regions(net, points, sides)"),
    ("", "Optimizers on one landscape.", 'viz.plots.descent("beale")'),
    ("", "The same, moving.", 'viz.plots.descent_movie("saddle")', "movie"),
    ("", "Functions and their derivatives.", "viz.plots.activations()"),
    (
        "",
        "What the digits' network takes for what, and its curve.",
        """
        predicted = model(images / 16).argmax(1)
        counts = minigrad.zeros(10, 10).long()
        for true, guess in zip(labels.tolist(), predicted.tolist()):
            counts[true, guess] += 1
        viz.plots.confusion_matrix(counts)
        """,
    ),
    ("", "", "viz.plots.loss_curve(history)"),
    (
        "",
        "The gates of an LSTM over time, who looks at whom, filters, feature maps, vectors.",
        "viz.plots.gates(nn.LSTM(1, 4), minigrad.sin(minigrad.arange(0, 12, 0.25))[:, None])",
    ),
    (
        "",
        "",
        """
        scores = minigrad.randn(6, 6) + 2 * minigrad.eye(6)
        viz.plots.attention(scores.softmax(-1), "the cat sat on the mat".split())
        """,
    ),
    ("", "", "viz.plots.filters(nn.Conv2d(1, 16, 5))"),
    (
        "",
        "",
        """
        convolution = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        viz.plots.feature_maps(convolution, images[:1].unsqueeze(1))
        """,
    ),
    ("", "", "viz.plots.embedding(images[:300].flatten(1), groups=labels[:300])"),
    (
        "One number at a time",
        "All of it takes the scalar engine's Values as well.",
        """
        from minigrad.scalar import Value

        p, q = Value(2.0, label="p"), Value(-3.0, label="q")
        r = (p * q + 10).relu()
        r.label = "r"
        r.backward()
        viz.draw(r, direction="LR")
        """,
    ),
]


def run(lines, names):
    """Execute the lines; the value of the last one."""
    *before, last = split_last(lines)
    exec(compile("\n".join(before), "<gallery>", "exec"), names)
    return eval(compile(last, "<gallery>", "eval"), names)


def split_last(lines):
    """The statements but the last, and the last: an expression, on one line."""
    *before, last = lines.splitlines()
    return [*before, last]


def shown(result, name, shots):
    """Write a result's files; the Markdown that shows it."""
    kind = type(result).__name__
    if kind == "Drawing":
        result.save(FOLDER / f"{name}.svg")
        return f"![{result!r}](gallery/{name}.svg)"
    if kind == "Movie":
        result.save(FOLDER / f"{name}.gif")
        return f"![{result!r}](gallery/{name}.gif)"
    if kind == "Page":
        shots[name] = result
        return f"![{result.title}](gallery/{name}.png)"
    if hasattr(result, "savefig"):
        result.savefig(FOLDER / f"{name}.png", dpi=80)
        return f"![A figure](gallery/{name}.png)"
    return f"```text\n{str(result).strip()}\n```"


def photograph(pages):
    """Pictures of pages, in Chromium. One page stays: the others are large, and quickly made."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, page in pages.items():
            file = page.save((FOLDER if name == KEPT else Path(folder)) / f"{name}.html")
            tab = browser.new_page(viewport={"width": 1200, "height": 760}, reduced_motion="reduce", locale="en-US")
            tab.goto(file.resolve().as_uri())
            tab.wait_for_function("document.querySelector('svg g') !== null")
            for _ in range({"step": 13, "readme-step": 8}.get(name, 0)):
                tab.keyboard.press("ArrowRight")
            tab.wait_for_timeout(500)
            tab.screenshot(path=FOLDER / f"{name}.png")
            tab.close()
        browser.close()


def main():
    """The command."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    names, parts, shots = {}, [INTRODUCTION], {}
    for number, (heading, sentence, lines, *given) in enumerate(PIECES):
        lines = textwrap.dedent(lines).strip()
        name = given[0] if given else f"{number:02d}"
        picture = shown(run(lines, names), name, shots)
        parts += [f"## {heading}"] * bool(heading) + [sentence] * bool(sentence)
        parts += [f"```python\n{lines}\n```", picture]
        print(name, sentence)
    photograph(shots)
    (HERE / "gallery.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

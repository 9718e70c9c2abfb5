"""The text of the demo's index.html: one file with its style inside, the pictures beside it, nothing from a network."""

from __future__ import annotations

from html import escape

import numpy as np

from minigrad.demo.tasks import Task

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6778; --line: #dde2ea; --page: #f5f7fa; --card: #fff;
        --accent: #2563c9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #9aa4b5; --line: #2c3442; --page: #12161d; --card: #1a202a; --accent: #7fb0ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -.01em; }
h2 { margin: 0 0 .8rem; font-size: 1.05rem; }
.lead { margin: .3rem 0 2rem; color: var(--soft); }
.cards { display: flex; flex-wrap: wrap; gap: 1.1rem; }
section { flex: 1 1 20rem; min-width: 0; padding: 1.2rem 1.3rem; background: var(--card);
          border: 1px solid var(--line); border-radius: .7rem; }
.wide { flex-basis: 100%; }
.big { font-size: 3.2rem; font-weight: 650; line-height: 1.1; color: var(--accent); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: .4rem; }
.scroll { overflow: auto; max-height: 30rem; border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
pre { margin: 0; overflow: auto; font: .86rem/1.5 ui-monospace, monospace; }
.wrong { display: flex; flex-wrap: wrap; gap: .9rem; } figure { margin: 0; text-align: center; }
figcaption { margin-top: .3rem; font-size: .85rem; color: var(--soft); }
a { color: var(--accent); }
"""


def render(task: Task, history: list[dict], pictures, wrong, facts) -> str:
    """The whole page. `pictures` [(file, caption)], `wrong` [(values, is, taken for)], `facts` [(name, text)]."""
    final = history[-1]["val_accuracy"]
    seen_right = f"{round(final * len(task.test))} of {len(task.test)} {task.subject} it had never seen"
    sections = [
        card("Test accuracy", f'<div class="big">{final:.1%}</div><p>{seen_right}</p>'),
        card("What was done", definitions(facts)),
        *(card(capital(caption), picture(file), wide=file == "loss.svg") for file, caption in pictures),
        card("What it got wrong", mistakes(task, wrong), wide=True),
        card("Epoch by epoch", table(history), wide=True),
        card("The network", f"<pre>{escape(repr(task.model))}</pre>", wide=True),
    ]
    title = f"minigrad: {task.subject}"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{capital(task.subject)}</h1>\n"
        f'<p class="lead">{capital(task.architecture)}, trained by <code>minigrad demo --data {task.name}</code></p>\n'
        f'<div class="cards">\n{"".join(sections)}</div>\n</main>\n</body>\n</html>\n'
    )


def capital(text: str) -> str:
    return escape(text[:1].upper() + text[1:])


def card(title: str, body: str, wide: bool = False) -> str:
    return f"<section{' class=wide' if wide else ''}>\n<h2>{title}</h2>\n{body}\n</section>\n"


def definitions(facts) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts) + "</dl>"


def picture(file: str) -> str:
    image = f'<img src="{file}" alt="{escape(file)}">'
    if file == "graph.svg":
        return f'<div class="scroll">{image}</div><p><a href="{file}">the drawing alone</a></p>'
    return image


def mistakes(task: Task, wrong) -> str:
    if not wrong:
        return "<p>Nothing.</p>"
    draw = tiny_image if task.is_image else tiny_row
    return '<div class="wrong">' + "".join(draw(*example) for example in wrong) + "</div>"


def tiny_image(values: np.ndarray, expected: str, predicted: str) -> str:
    """An 8×8 scan as an SVG of squares, ink dark on paper."""
    _, height, width = values.shape
    squares = "".join(
        f'<rect x="{x}" y="{y}" width="1" height="1" fill="#1c2330" fill-opacity="{ink:.2f}"/>'
        for (y, x), ink in np.ndenumerate(values[0])
        if ink > 0
    )
    svg = (
        f'<svg width="80" height="80" viewBox="0 0 {width} {height}" shape-rendering="crispEdges">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{squares}</svg>'
    )
    return f"<figure>{svg}{caption(expected, predicted)}</figure>"


def tiny_row(values: np.ndarray, expected: str, predicted: str) -> str:
    """The measures of one example (here: standardised)."""
    numbers = ", ".join(f"{value:.2f}" for value in values)
    return f"<figure><code>{numbers}</code>{caption(expected, predicted)}</figure>"


def caption(expected: str, predicted: str) -> str:
    return f"<figcaption>{escape(expected)}, taken for {escape(predicted)}</figcaption>"


def table(history: list[dict]) -> str:
    """At most about twenty epochs, evenly spread, the last among them."""
    every = -(-len(history) // 20)
    rows = "".join(
        f"<tr><td>{epoch}</td><td>{row['loss']:.4f}</td><td>{row['accuracy']:.1%}</td>"
        f"<td>{row['val_loss']:.4f}</td><td>{row['val_accuracy']:.1%}</td></tr>"
        for epoch, row in enumerate(history, start=1)
        if epoch % every == 0 or epoch == len(history)
    )
    head = "<tr><th>epoch</th><th>loss</th><th>accuracy</th><th>test loss</th><th>test accuracy</th></tr>"
    return f"<table>{head}{rows}</table>"

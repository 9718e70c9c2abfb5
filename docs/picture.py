"""Draws docs/graph.svg, the picture in the README: `python docs/picture.py`."""

from pathlib import Path

import minigrad
from minigrad import viz

x = minigrad.tensor([1.0, 2.0])
w = minigrad.tensor([0.5, 0.25], requires_grad=True)
b = minigrad.tensor(0.1, requires_grad=True)

y = (w @ x + b).tanh()
loss = y**2
loss.backward(retain_graph=True)  # what was saved for the backward stays, so that x can be shown too

picture = viz.draw(loss, {"x": x, "w": w, "b": b, "y": y, "loss": loss}, direction="LR")
print(picture.save(Path(__file__).with_name("graph.svg")))

"""Drawing the recorded graph: `draw` gives a `Drawing` that shows itself in notebooks and saves svg, png, pdf and dot.

    import minigrad
    from minigrad import viz

    w = minigrad.tensor(2.0, requires_grad=True)
    loss = (w * 3.0).tanh()
    loss.backward()
    viz.draw(loss, {"w": w}).save("graph.svg")

How it is made, one file each, in this order:

    reading.py   what a Node tells         walk.py     nodes to boxes and edges     fold.py     large graphs, folded
    dot.py       boxes to DOT text         layout.py   where the boxes stand        layered.py  the same, plainly
    style.py     colours and sizes         scene.py    shapes                       svg.py, raster.py  shapes to files
    drawing.py   `draw` and `Drawing`      plots.py    curves and matrices          files.py    writing them whole

Nothing here runs unless it is called: graphviz, wasmtime and matplotlib are imported where they are used.
"""

from minigrad.viz.drawing import Drawing, draw

__all__ = ["Drawing", "draw"]

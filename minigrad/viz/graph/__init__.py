"""Drawings: from the recorded graph to svg, png, pdf, dot and html. One file each, in this order:

reading.py   what a Node tells           names.py     what the user's `params` say
modules.py   which module a node is in   repeats.py   blocks and steps alike, drawn once
fold.py      large graphs, folded        flow.py      norms of the gradients, by a backward pass on the side
contents.py  what a box says             frames.py    frames around boxes
walk.py      nodes to boxes and edges    model.py     boxes, edges, groups: plain data, all groups open
close.py     closed groups as one box    style.py     colours and sizes
dot.py       boxes to DOT text           layout.py    where the boxes stand, by Graphviz
layered.py   the same, plainly           nested.py    with frames
scene.py     shapes                      text.py      numbers as text
svg.py, raster.py  shapes to files       drawing.py   `draw` and `Drawing`
"""

"""Drawings: from the recorded graph to svg, png, pdf, dot and html. One file each, in this order:

reading.py   what a Node tells         walk.py     nodes to boxes and edges     fold.py     large graphs, folded
model.py     boxes, edges, groups      dot.py      boxes to DOT text            layout.py   where the boxes stand
layered.py   the same, plainly         style.py    colours and sizes            scene.py    shapes
svg.py, raster.py  shapes to files     text.py     numbers as text              drawing.py  `draw` and `Drawing`
"""

"""How training does: activations, gradients and updates of each layer, with a verdict in plain words.

measure.py   figures of one array           records.py  layers and parameters over a window of steps
origin.py    where the first NaN was made   rules.py    what is wrong: one table   words.py    and how it is said
passes.py    one forward and backward       check.py    `health`   watch.py  `watch`   monitor.py  `watch` in `fit`
report.py    the result as a table          html.py, picture.py, live.py    its other forms

(The folder has not the name of the function `health`: importing it would put it in the function's place.)
"""

"""`load_digits`, `load_iris`, `load_sunspots`: read from the files in ``data/``, of which ``data/README.md`` tells."""

from __future__ import annotations

import collections
import importlib.resources

import numpy as np

from minigrad.tensor import wrap

__all__ = ["Bundle", "load_digits", "load_iris", "load_sunspots"]

DIGITS = """Optical Recognition of Handwritten Digits: 1,797 scans of digits by thirteen writers.

data    float32 (1797, 8, 8), whole numbers of 0 (white) to 16 (black): how many of the 4x4 pixels of a 32x32 scan are
        ink. data.flatten(1) is scikit-learn's layout, (1797, 64).
target  int64 (1797,), the digit, 0 to 9; 174 to 183 of each.

Source  E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits. UCI Machine Learning Repository, 1998
        (its test part). https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits
Licence CC BY 4.0, https://creativecommons.org/licenses/by/4.0/
"""

IRIS = """Iris: four measures of 150 flowers of three species.

data    float32 (150, 4): sepal length, sepal width, petal length, petal width, in cm.
target  int64 (150,): 0 setosa, 1 versicolor, 2 virginica; 50 of each, in this order (shuffle them).

Source  R. A. Fisher: Iris. UCI Machine Learning Repository, 1936. https://archive.ics.uci.edu/dataset/53/iris
        The values are those of Fisher's paper (The use of multiple measurements in taxonomic problems, Annals of
        Eugenics 7, 1936), from which UCI's file differs in two flowers.
Licence CC BY 4.0, https://creativecommons.org/licenses/by/4.0/
"""

SUNSPOTS = """Yearly sunspot numbers: a real time series of 309 years, which rises and falls in about 11 years.

data    int64 (309,): the year, 1700 to 2008.
target  float32 (309,): the mean of the international sunspot number in that year, 0 to 190.2, in tenths.

Source  National Geophysical Data Center (NOAA), http://www.ngdc.noaa.gov/stp/solar/solarda3.html; as statsmodels has
        it (statsmodels.datasets.sunspots). It is the number's first version; version 2 (July 2015) counts on another
        scale.
Licence public domain
"""


class Bundle(collections.namedtuple("Bundle", ["data", "target"])):
    """A data set and what is known about it. It unpacks into its two tensors: ``x, y = load_digits()``.

    Attributes:
        data (Tensor): the examples, first dimension their number; float32 (years: int64).
        target (Tensor): the class of each, int64, or the number that belongs to it, float32.
        feature_names, target_names (list[str]): what the numbers of an example are, and what the classes (or the one
            number) are called.
        DESCR (str): shapes, source, licence.
    """

    feature_names: list[str]
    target_names: list[str]
    DESCR: str

    def __repr__(self):
        shape = "×".join(map(str, self.data.shape))
        classes = "" if self.target.is_floating_point() else f"{len(self.target_names)} classes "
        return f"{self.DESCR.partition(':')[0]}: data {shape}, {classes}{self.target_names}"


def load_digits():
    """1,797 handwritten digits of 8×8 pixels: a `Bundle` of data float32 (1797, 8, 8), 0 to 16, and target int64.

    From UCI, Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998), CC BY 4.0; the same 1,797 that
    ``sklearn.datasets.load_digits`` has.
    """
    data, target = _arrays("digits.npz")
    pixels = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    return _bundle(
        data.astype(np.float32), target.astype(np.int64), pixels, [str(digit) for digit in range(10)], DIGITS
    )


def load_iris():
    """Four measures of 150 flowers of three species: a `Bundle` of data float32 (150, 4), in cm, and target int64.

    From UCI, Iris (R. A. Fisher, 1936), CC BY 4.0; the same values that ``sklearn.datasets.load_iris`` has.
    """
    data, target = _arrays("iris.npz")
    measures = [f"{part} {side} (cm)" for part in ("sepal", "petal") for side in ("length", "width")]
    return _bundle(_tenths(data), target.astype(np.int64), measures, ["setosa", "versicolor", "virginica"], IRIS)


def load_sunspots():
    """The sunspot number of each year 1700 to 2008: a `Bundle` of data int64 (309,), the year, and target float32.

    ``years, numbers = load_sunspots()``. From NOAA's National Geophysical Data Center, public domain; the same values
    that ``statsmodels.datasets.sunspots`` has.
    """
    data, target = _arrays("sunspots.npz")
    return _bundle(data.astype(np.int64), _tenths(target), ["year"], ["sunspot number"], SUNSPOTS)


def _arrays(file_name):
    with importlib.resources.files("minigrad.datasets").joinpath("data", file_name).open("rb") as file:
        arrays = np.load(file)
        return arrays["data"], arrays["target"]


def _tenths(counts):
    return counts.astype(np.float32) / np.float32(10)


def _bundle(data, target, feature_names, target_names, description):
    bundle = Bundle(wrap(data), wrap(target))
    bundle.feature_names, bundle.target_names, bundle.DESCR = feature_names, target_names, description
    return bundle

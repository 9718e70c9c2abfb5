"""The bundled data sets: the right values, in the promised form, small enough to ship."""

import hashlib
import re
import sys
from importlib.resources import files

import numpy as np
import pytest

import minigrad
from minigrad.datasets import load_digits, load_iris, load_sunspots, load_topics
from minigrad.utils.data import DataLoader, TensorDataset

# SHA-256 of the arrays as they lie in the files (unsigned, C order).
CHECKSUMS = {
    "digits.npz": {
        "data": "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3",
        "target": "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0",
    },
    "iris.npz": {
        "data": "9f83d709ff543630793c65970cd232a7b86de6f44338e64fb2847e5b5d757634",
        "target": "7ba64c221a0a07e8a91f5c36d9f046565bb0dc1f9f5473a924f65122b6c8a412",
    },
    "sunspots.npz": {
        "data": "f446789f6dd4f9564d2867b20c555197dbd26fd1d50d3bdbe28d296a01450812",
        "target": "27f2dae3f99b7aa4f4a20e2a1653025b16b0fb7fc3bb5d7bdd2e44acc53a1198",
    },
}
FOLDER = files("minigrad.datasets").joinpath("data")


@pytest.mark.parametrize("name", CHECKSUMS)
def test_the_files_hold_what_they_held(name):
    with FOLDER.joinpath(name).open("rb") as file:
        arrays = dict(np.load(file))
    assert {key: hashlib.sha256(array.tobytes()).hexdigest() for key, array in arrays.items()} == CHECKSUMS[name]
    assert {array.dtype for array in arrays.values()} == {np.dtype("uint16" if name == "sunspots.npz" else "uint8")}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_the_files_are_small_and_told_about(name):
    assert len(FOLDER.joinpath(name).read_bytes()) < 100_000
    readme = FOLDER.joinpath("README.md").read_text(encoding="utf-8")
    section = readme.partition(f"## {name}")[2].partition("\n## ")[0]
    assert "**Source:**" in section
    assert "CC BY 4.0" in readme if name != "sunspots.npz" else "**Licence:** public domain" in section


def test_digits():
    digits = load_digits()
    x, y = digits
    assert x is digits.data
    assert y is digits.target
    assert (x.shape, x.dtype) == ((1797, 8, 8), minigrad.float32)
    assert (y.shape, y.dtype) == ((1797,), minigrad.int64)
    assert (x.array.min(), x.array.max()) == (0, 16)
    assert np.bincount(y.array).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert x[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert y[:10].tolist() == list(range(10))
    assert len(digits.feature_names) == 64
    assert digits.target_names == list("0123456789")
    assert "Alpaydin" in digits.DESCR
    assert "CC BY 4.0" in digits.DESCR


def test_iris():
    x, y = iris = load_iris()
    assert (x.shape, x.dtype) == ((150, 4), minigrad.float32)
    assert (y.shape, y.dtype) == ((150,), minigrad.int64)
    assert np.bincount(y.array).tolist() == [50, 50, 50]
    chosen = np.float32([[5.1, 3.5, 1.4, 0.2], [4.9, 3.1, 1.5, 0.2], [4.9, 3.6, 1.4, 0.1]])
    np.testing.assert_array_equal(x.array[[0, 34, 37]], chosen)
    assert iris.feature_names == ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
    assert iris.target_names == ["setosa", "versicolor", "virginica"]
    assert "Fisher" in iris.DESCR


def test_sunspots():
    years, numbers = sunspots = load_sunspots()
    assert (years.shape, years.dtype) == ((309,), minigrad.int64)
    assert (numbers.shape, numbers.dtype) == ((309,), minigrad.float32)
    assert years.tolist() == list(range(1700, 2009))
    assert numbers[:3].tolist() == [5, 11, 16]
    assert (numbers.argmax() + 1700, numbers.array.max()) == (1957, np.float32(190.2))
    assert numbers.array.min() == 0
    spectrum = np.abs(np.fft.rfft(numbers.array - numbers.array.mean()))
    assert 10.5 < 309 / spectrum.argmax() < 11.5  # years: the solar cycle
    assert sunspots.feature_names == ["year"]
    assert sunspots.target_names == ["sunspot number"]
    assert "public domain" in sunspots.DESCR


def test_each_call_gives_its_own_tensors():
    load_digits().data.fill_(0)
    assert load_digits().data.array.max() == 16


def test_a_bundle_feeds_a_loader():
    x, y = next(iter(DataLoader(TensorDataset(*load_digits()), batch_size=32)))
    assert x.shape == (32, 8, 8)
    assert y.tolist() == load_digits().target[:32].tolist()


def test_the_repr_is_short():
    assert repr(load_iris()) == "Iris: data 150×4, 3 classes ['setosa', 'versicolor', 'virginica']"
    assert repr(load_sunspots()) == "Yearly sunspot numbers: data 309, ['sunspot number']"


@pytest.mark.parametrize(("name", "ours"), [("load_digits", load_digits), ("load_iris", load_iris)])
def test_the_values_are_those_of_scikit_learn(name, ours):
    sklearn = pytest.importorskip("sklearn.datasets")
    theirs, ours = getattr(sklearn, name)(), ours()
    np.testing.assert_array_equal(ours.data.flatten(1).numpy(), theirs.data.astype(np.float32))
    np.testing.assert_array_equal(ours.target.numpy(), theirs.target)
    assert ours.feature_names == list(theirs.feature_names)
    assert ours.target_names == [str(name) for name in theirs.target_names]


def test_topics_are_the_help_of_this_python():
    """English text, in order, the same each time; without `unique` all of it, with it no paragraph twice."""
    from pydoc_data.topics import topics

    assert load_topics(unique=False) == topics
    texts = load_topics()
    assert list(texts) == sorted(texts)
    assert 300_000 < sum(map(len, texts.values())) < 0.9 * sum(map(len, topics.values()))
    paragraphs = [" ".join(p.split()) for content in texts.values() for p in content.split("\n\n")]
    assert len(paragraphs) == len(set(paragraphs))
    assert set(paragraphs) == {
        " ".join(p.split()) for t in topics.values() for p in re.split(r"\n\s*\n", t.strip("\n"))
    }
    assert all("assert" not in name or content.startswith('The "assert" statement') for name, content in texts.items())


def test_a_python_without_its_help_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ModuleNotFoundError, match="without its help texts"):
        load_topics()

"""Readers of the standard files: MNIST, CIFAR and pictures in folders, and what is no such file."""

import contextlib
import gzip
import os
import pickle
import struct

import numpy as np
import pytest
from data_server import md5, server, tar_of

import minigrad
from minigrad import datasets
from minigrad.datasets.mnist import read_idx
from minigrad.transforms import ToTensor
from minigrad.utils.data import DataLoader

__all__ = ["server"]  # the fixture

# ---- IDX


def idx(array):
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    head = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True])
def test_read_idx(tmp_path, dtype, packed):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    path = tmp_path / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    found = read_idx(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(dtype)
    assert found.flags.writeable


DAMAGED = {
    "empty": (b"", "no IDX file"),
    "text": (b"<html>404</html>", "no IDX file"),
    "unknown type": (b"\0\0\x07\x01\0\0\0\1x", "no IDX file"),
    "half a head": (b"\0\0\x08\x03\0\0\0\1", "no IDX file"),
    "short": (idx(np.zeros((3, 4), np.uint8))[:-1], r"shape \(3, 4\) has 24 bytes, not 23"),
    "long": (idx(np.zeros((3, 4), np.uint8)) + b"x", "not 25"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_idx(tmp_path, name):
    data, says = DAMAGED[name]
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ValueError, match=says):
        read_idx(tmp_path / "a")
    (tmp_path / "a.gz").write_bytes(gzip.compress(data)[:-9])
    with pytest.raises(ValueError, match="is damaged"):
        read_idx(tmp_path / "a.gz")


# ---- MNIST

IMAGES = np.random.default_rng(1).integers(0, 256, (12, 28, 28), np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 10


@pytest.fixture
def mnist(server):
    """MNIST with twelve images to learn from and five to test with, on the server."""
    parts = {
        "train-images-idx3": IMAGES,
        "train-labels-idx1": LABELS,
        "t10k-images-idx3": IMAGES[:5],
        "t10k-labels-idx1": LABELS[:5],
    }
    files = {f"{name}-ubyte.gz": gzip.compress(idx(array), mtime=0) for name, array in parts.items()}
    server.files |= {f"mirror/{name}": data for name, data in files.items()}
    facts = {
        "mirrors": [server.url("gone/"), server.url("mirror/")],
        "resources": [(n, md5(d)) for n, d in files.items()],
    }
    return lambda base: type(base.__name__, (base,), facts)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_mnist(server, mnist, tmp_path, name):
    kind = mnist(getattr(datasets, name))
    with pytest.raises(RuntimeError, match=r"Dataset not found.*download=True"):
        kind(tmp_path)
    data = kind(str(tmp_path), download=True)
    assert data.raw_folder == str(tmp_path / name / "raw")
    assert (len(data), len(kind(tmp_path, train=False))) == (12, 5)
    image, target = data[3]
    assert (type(image), image.shape, image.dtype, target) == (np.ndarray, (28, 28), np.uint8, 3)
    np.testing.assert_array_equal(image, IMAGES[3])
    assert data.data.shape == (12, 28, 28)
    assert (data.targets.dtype, data.targets.tolist()) == (minigrad.int64, LABELS.tolist())
    assert data.class_to_idx[data.classes[7]] == 7
    asked = len(server.asked)
    kind(tmp_path, download=True)
    assert len(server.asked) == asked


def test_mnist_is_torchvisions(mnist, tmp_path):
    from oracle_torchvision import torchvision

    data = mnist(datasets.MNIST)(tmp_path, download=True)
    for name, _ in data.resources:  # torchvision keeps both forms
        path = tmp_path / "MNIST/raw" / name
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    theirs = torchvision.datasets.MNIST(str(tmp_path), transform=torchvision.transforms.ToTensor())
    ours = datasets.MNIST(str(tmp_path), transform=ToTensor())
    assert [(x.tolist(), y) for x, y in ours] == [(x.tolist(), y) for x, y in theirs]
    assert (ours.classes, ours.class_to_idx, repr(ours)) == (theirs.classes, theirs.class_to_idx, repr(theirs))


def test_mnist_in_a_loader(mnist, tmp_path):
    data = mnist(datasets.MNIST)(tmp_path, transform=ToTensor(), target_transform=lambda t: t + 10, download=True)
    x, y = next(iter(DataLoader(data, 4)))
    assert (x.shape, x.dtype, y.tolist()) == ((4, 1, 28, 28), minigrad.float32, [10, 11, 12, 13])
    assert x[1, 0].mul(255).round().tolist() == IMAGES[1].tolist()


def test_files_that_do_not_belong_together(mnist, tmp_path):
    kind = mnist(datasets.MNIST)
    raw = tmp_path / "MNIST/raw"
    kind(tmp_path, download=True)
    (raw / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:4]))
    with pytest.raises(ValueError, match=r"n labels, but got uint8 \(12, 28, 28\) and \(4,\)"):
        kind(tmp_path)


# ---- CIFAR


def cifar_batch(n, key="labels", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3072), np.uint8)
    return {"batch_label": "x", "data": pixels, key: [i % 10 for i in range(n)], "filenames": ["a.png"] * n}


@pytest.fixture
def cifar(server):
    """CIFAR with ten and three images, on the server."""

    def make(base):
        names = [name for name, _ in base.train_list]
        key = "labels" if base is datasets.CIFAR10 else "fine_labels"
        batches = {name: cifar_batch(2, key, seed) for seed, name in enumerate(names)} | {
            base.test_list[0][0]: cifar_batch(3, key)
        }
        batches[base.meta["filename"]] = {base.meta["key"]: [f"class {i}" for i in range(10)]}
        files = {name: pickle.dumps(batch, 2) for name, batch in batches.items()}
        archive = tar_of({f"{base.base_folder}/{name}": data for name, data in files.items()})
        server.files[base.filename] = archive
        facts = {
            "mirrors": [server.url()],
            "tgz_md5": md5(archive),
            "train_list": [[name, md5(files[name])] for name in names],
            "test_list": [[base.test_list[0][0], md5(files[base.test_list[0][0]])]],
            "meta": {**base.meta, "md5": md5(files[base.meta["filename"]])},
        }
        return type(base.__name__, (base,), facts), batches

    return make


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
def test_cifar(server, cifar, tmp_path, name):
    kind, batches = cifar(getattr(datasets, name))
    with pytest.raises(RuntimeError, match=r"Dataset not found or corrupted.*download=True"):
        kind(tmp_path)
    data = kind(str(tmp_path), download=True)
    first = batches[kind.train_list[0][0]]
    image, target = data[1]
    assert (image.shape, image.dtype, target) == ((32, 32, 3), np.uint8, 1)
    np.testing.assert_array_equal(image, first["data"][1].reshape(3, 32, 32).transpose(1, 2, 0))
    assert (len(data), len(kind(tmp_path, train=False))) == (2 * len(kind.train_list), 3)
    assert data.class_to_idx["class 3"] == 3
    (tmp_path / kind.base_folder / kind.test_list[0][0]).write_bytes(b"spoilt")
    with pytest.raises(RuntimeError, match=f"corrupted: {kind.test_list[0][0]} in"):
        kind(tmp_path)
    kind(tmp_path, download=True)
    assert len(server.asked) == 1  # the archive was still there


def test_cifar_is_torchvisions(cifar, tmp_path):
    from oracle_torchvision import torchvision

    kind, _ = cifar(datasets.CIFAR10)
    ours = kind(str(tmp_path), transform=ToTensor(), download=True)
    facts = {name: getattr(kind, name) for name in ("tgz_md5", "train_list", "test_list", "meta")}
    theirs = type("CIFAR10", (torchvision.datasets.CIFAR10,), facts)(
        str(tmp_path), transform=torchvision.transforms.ToTensor()
    )
    assert [(x.tolist(), y) for x, y in ours] == [(x.tolist(), y) for x, y in theirs]
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert (ours.targets, ours.class_to_idx, repr(ours)) == (theirs.targets, theirs.class_to_idx, repr(theirs))


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


PICKLES = {
    "a call": (Evil(), r"posix\.mkdir|nt\.mkdir"),
    "objects": ({"data": np.array([1, None])}, "dtype"),
    "a list": ([1, 2], "expected a dict, but it holds a list"),
    "other shape": ({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2]}, r"shape \(n, 3072\)"),
    "few labels": ({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "n labels"),
    "no labels": ({"data": np.zeros((2, 3072), np.uint8)}, "n labels"),
}


@pytest.mark.parametrize("name", PICKLES)
def test_pickles_are_not_trusted(cifar, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content, says = PICKLES[name]
    kind, _ = cifar(datasets.CIFAR10)
    kind(tmp_path, download=True)
    data = pickle.dumps(content, 2)
    kind.test_list = [["test_batch", md5(data)]]
    (tmp_path / kind.base_folder / "test_batch").write_bytes(data)
    with pytest.raises(ValueError, match=says):
        kind(tmp_path, train=False)
    assert not os.path.exists("evil")


def test_damaged_pickles(tmp_path):
    from minigrad.datasets.cifar import read_batch

    whole = pickle.dumps(cifar_batch(2), 2)
    path = tmp_path / "batch"
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="is damaged or no CIFAR file"):
            read_batch(path)
    random = np.random.default_rng(0)
    for _ in range(300):  # whatever it is, it is this error or a dict
        spoilt = bytearray(whole[:200] + whole[-200:])
        spoilt[random.integers(len(spoilt))] = random.integers(256)
        path.write_bytes(spoilt)
        with contextlib.suppress(ValueError):
            assert isinstance(read_batch(path), dict)


# ---- folders


def test_image_folder(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    for name in ("dog/b.png", "cat/2.PNG", "cat/sub/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "cat/notes.txt").write_text("no picture")
    data = datasets.ImageFolder(str(tmp_path), transform=ToTensor())
    assert (data.classes, data.class_to_idx) == (["cat", "dog"], {"cat": 0, "dog": 1})
    assert [(os.path.relpath(path, tmp_path), label) for path, label in data.imgs] == [
        (os.path.join("cat", "2.PNG"), 0), (os.path.join("cat", "sub", "1.png"), 0), (os.path.join("dog", "b.png"), 1),
    ]  # fmt: skip
    x, y = data[2]
    assert (x.shape, y, data.targets) == ((3, 4, 5), 1, [0, 0, 1])
    np.testing.assert_array_equal(datasets.ImageFolder(tmp_path)[0][0], picture)
    from oracle_torchvision import torchvision

    theirs = torchvision.datasets.ImageFolder(str(tmp_path), transform=torchvision.transforms.ToTensor())
    assert (data.samples, repr(data)) == (theirs.samples, repr(theirs))
    (tmp_path / "emu").mkdir()
    with pytest.raises(FileNotFoundError, match="no valid file for the classes emu"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 3
    with pytest.raises(FileNotFoundError, match="any class folder"):
        datasets.ImageFolder(tmp_path / "emu")
    with pytest.raises(ValueError, match="cannot be None or not None"):
        datasets.DatasetFolder(tmp_path, str)


def test_transforms_or_transform():
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        datasets.VisionDataset("x", transforms=str, transform=str)

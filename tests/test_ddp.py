"""Several processes train one model: the checks of tests/ranks/, by 2 and by 4 processes.

All checks of a number of processes run in one start; each is a test here, so that it is seen which of them failed.
"""

import functools
import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import together

import minigrad
from bench import programs
from minigrad import nn, optim, train

pytestmark = pytest.mark.skipif(together.missing() is not None, reason=str(together.missing()))

MODULES = ("ddp", "syncbn", "zero", "trainer")


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """What the processes said, and the folder with their files: 2 first, whose checkpoints 4 go on with."""
    folder = tmp_path_factory.mktemp("ranks")

    @functools.cache
    def run(ranks):
        if ranks == 4:
            run(2)
        return together.run(ranks, [together.RANKS / "harness.py", *MODULES], folder, RANKS_FOLDER=str(folder)), folder

    return run


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("name", [f"{module}.{name}" for module in MODULES for name in together.checks(module)])
def test_check(ran, ranks, name):
    done, _ = ran(ranks)
    if f"passed {name}\n" not in done.stdout:
        passed = done.stdout.count("passed ")
        pytest.fail(
            f"did not pass, or was not reached after {passed} others:\n{done.stdout[-500:]}\n{done.stderr[-3000:]}"
        )


def test_the_number_of_processes_does_not_matter(ran):
    """2 and 4 processes with batches of 8 and 4: the same curve."""
    _, folder = ran(4)
    for kind in ("Adam", "zero"):
        two, four = (json.loads((folder / f"{kind}-{ranks}.json").read_text()) for ranks in (2, 4))
        assert two.keys() == four.keys() == {"loss", "accuracy", "f1", "val_loss", "val_accuracy", "val_f1"}
        np.testing.assert_allclose(two["val_loss"], four["val_loss"], rtol=1e-4)


@pytest.mark.parametrize("name", ["Adam.pt", "Adam-epoch.pt", "zero.pt"])
def test_one_process_goes_on_with_the_checkpoint_of_two(ran, name):
    _, folder = ran(2)
    minigrad.manual_seed(11)
    x = minigrad.randn(84, 4)
    y = (x[:, 0] * x[:, 1] > 0).long()

    def resumed(**options):
        model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
        optimizer = optim.Adam(model.parameters(), lr=0.5)
        trainer = train.Trainer(model, optimizer, "cross_entropy", ["accuracy", "f1"], **options)
        validation = (x[:30], y[:30])
        return trainer.fit(
            x, y, epochs=4, batch_size=16, validation_data=validation, verbose=0, resume=folder / name,
            callbacks=[train.ModelCheckpoint(folder / "one.pt")],
        )  # fmt: skip

    try:
        history = resumed(distributed=True)
    finally:
        minigrad.distributed.destroy_process_group()
    of_two = json.loads((folder / f"{name[:4]}-2.json").read_text())
    np.testing.assert_allclose(history["val_loss"], of_two["val_loss"], rtol=1e-4)
    if name == "Adam-epoch.pt":
        assert len(resumed()["loss"]) == 4
    else:
        with pytest.raises(ValueError, match=r"in the middle of an epoch by several processes.*distributed=True"):
            resumed()


def test_several_processes_do_not_go_on_in_the_middle_of_an_epoch_of_one(tmp_path):
    def trainer(**options):
        return train.Trainer(nn.Linear(2, 1), "SGD", "mse_loss", lr=0.1, **options)

    x, y = minigrad.randn(12, 2), minigrad.randn(12, 1)
    saving = train.ModelCheckpoint(tmp_path / "m.pt", every=2)
    trainer().fit(x, y, batch_size=4, verbose=0, callbacks=[saving])
    state = minigrad.load(tmp_path / "m.pt")
    assert state["batch"] == 0  # the last was written at the end of the epoch
    state["batch"] = 2
    try:
        with pytest.raises(ValueError, match="in the middle of an epoch by one process without distributed=True"):
            trainer(distributed=True).fit(x, y, epochs=2, batch_size=4, verbose=0, callbacks=[saving], resume=state)
    finally:
        minigrad.distributed.destroy_process_group()


TUTORIALS = together.ROOT / "tests" / "programs" / "ranks"


def printed(program, folder):
    """What a program that starts two processes prints."""
    command = [sys.executable, "-W", "ignore", str(program), str(folder)]
    done = subprocess.run(command, env=together.environment(), cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return "\n".join(sorted(done.stdout.splitlines()))  # those of two processes come in any order


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize(("name", "lines"), [("ddp_tutorial", 16), ("by_hand", 6)])
def test_a_program_of_pytorchs_tutorials_prints_the_same(tmp_path, name, lines):
    """mp.spawn starts the processes of one, mp.Process those of the other."""
    original, swapped = TUTORIALS / f"{name}.py", tmp_path / "swapped.py"
    swapped.write_text(programs.swapped(original.read_text(encoding="utf-8")), encoding="utf-8")
    ours, theirs = printed(swapped, tmp_path), printed(original, tmp_path)
    number = re.compile(r"\d+\.\d+")
    assert len(theirs.splitlines()) >= lines
    assert number.split(ours) == number.split(theirs)
    values = [[float(each) for each in number.findall(text)] for text in (ours, theirs)]
    np.testing.assert_allclose(*values, rtol=2e-6, atol=1.1e-6)  # six decimals are printed

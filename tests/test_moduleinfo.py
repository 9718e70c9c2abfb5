"""Every layer of PyTorch's own database of layers, on its samples, in both libraries (tests/moduleinfo.py)."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")

import moduleinfo


@pytest.mark.parametrize("name", moduleinfo.MODULES)
def test_layers_agree_with_pytorchs(name):
    tried, found = moduleinfo.disagreements(name)
    assert tried
    assert not found, "\n".join(found)

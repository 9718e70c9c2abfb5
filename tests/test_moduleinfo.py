"""Every layer of PyTorch's own database of layers, on a share of its samples, in both libraries.

`python tests/moduleinfo.py` compares four times as many.
"""

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")

import moduleinfo


@pytest.mark.parametrize("name", moduleinfo.MODULES)
def test_layers_agree_with_pytorchs(name):
    tried, found = moduleinfo.disagreements(name, most=24)
    assert tried
    assert not found, "\n".join(found)

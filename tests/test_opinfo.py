"""Every operator on PyTorch's own samples (tests/opinfo.py): a choice of them here, all of them with --long."""

import re

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's OpInfo database needs it: pip install expecttest")

from opinfo import REPORT, check  # noqa: E402
from opinfo_names import NAMES, REASONS  # noqa: E402


def faults(name, everything, request):
    calls = request.config.getoption("--backend") != "numpy"  # how an op is called does not depend on the kernels
    tally = check(name, everything, calls)
    assert sum(tally.tried.values()), "no sample was tried"
    samples = name, sum(tally.agreed.values()), sum(tally.tried.values())
    request.node.user_properties.append(("samples", samples))  # for the table in the summary
    return [f"{column} {what}\n    {difference}" for column, what, difference in tally.faults]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REASONS])
def test_agrees_with_pytorch(name, request):
    found = faults(name, False, request)
    assert not found, "\n".join(found[:20])


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in NAMES if name not in REASONS])
def test_agrees_with_pytorch_on_every_sample(name, request):
    found = faults(name, True, request)
    assert not found, "\n".join(found[:20])


def test_the_committed_report_has_every_operator_and_its_reason():
    """What the table shows below 100 % is what REASONS explains, and nothing else."""
    rows = dict(re.findall(r"^\| `(.+?)` \| (.*) \|$", REPORT.read_text(encoding="utf-8"), re.MULTILINE))
    assert list(rows) == NAMES
    for name, row in rows.items():
        cells = re.findall(r"(\d+)/(\d+)", row.rpartition("|")[0])
        assert cells, name
        whole = all(agreed == tried for agreed, tried in cells)
        assert whole != (name in REASONS), f"{name}: {row}"
        assert REASONS.get(name, "") in row

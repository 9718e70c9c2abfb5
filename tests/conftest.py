"""What every test runs under.

    pytest --backend numpy|numba|auto   which kernels; MINIGRAD_BACKEND says the same, and the option wins
    pytest --long                       the long tests too

Warnings are errors and the order is random (pyproject.toml). Tests against PyTorch run where it is installed; the
header says whether they do.
"""

import importlib.util
import os
import textwrap

import hypothesis
import pytest

BACKENDS = ("numpy", "numba", "auto")

# A slow machine is not a failing test; in CI the same examples run each time, so a red run can be had again.
hypothesis.settings.register_profile("here", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", parent=hypothesis.settings.get_profile("here"), derandomize=True)


def pytest_addoption(parser):
    parser.addoption(
        "--backend",
        choices=BACKENDS,
        default=os.environ.get("MINIGRAD_BACKEND", "auto"),
        help="run with the numba kernels, their NumPy twins, or the automatic choice",
    )
    parser.addoption("--long", action="store_true", help="run the tests marked 'long' too")


def pytest_configure(config):
    hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")
    os.environ["MINIGRAD_BACKEND"] = config.getoption("--backend")  # for the programs that tests start


def pytest_report_header(config):
    if importlib.util.find_spec("torch"):
        from importlib.metadata import version

        parity = f"tests against PyTorch run ({version('torch')})"
    else:
        parity = "tests against PyTorch are left out: it is not installed (pip install torch)"
    return f"minigrad: --backend {config.getoption('--backend')}; {parity}"


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        kept = [item for item in items if not item.get_closest_marker("long")]
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_terminal_summary(terminalreporter):
    """For each operator, how many of PyTorch's samples agree (tests/test_opinfo.py)."""
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == "samples"
    ]
    if rows:
        terminalreporter.section("operators against PyTorch: samples that agree / tried")
        cells = [f"{name} {agreed}/{tried}" for name, agreed, tried in sorted(rows)]
        terminalreporter.write_line(textwrap.fill(" · ".join(cells), 118, break_long_words=False))
        terminalreporter.write_line(f"all: {sum(row[1] for row in rows):,}/{sum(row[2] for row in rows):,}")


@pytest.fixture(autouse=True)
def as_found(request):
    """Every test starts from one seed and the chosen backend, and has to leave the global switches as it found them."""
    import minigrad
    from minigrad.kernels.dispatch import get_backend, set_backend

    chosen = request.config.getoption("--backend")
    set_backend(chosen)
    minigrad.manual_seed(0)
    yield
    left = {
        "backend": get_backend(),
        "grad enabled": minigrad.is_grad_enabled(),
        "inference mode": minigrad.is_inference_mode_enabled(),
        "default dtype": minigrad.get_default_dtype(),
    }
    set_backend(chosen)
    minigrad.set_grad_enabled(True)
    minigrad.set_default_dtype(minigrad.float32)
    assert left == {
        "backend": chosen,
        "grad enabled": True,
        "inference mode": False,
        "default dtype": minigrad.float32,
    }, "the test changed a global switch and did not restore it"

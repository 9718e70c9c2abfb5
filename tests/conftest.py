"""What every test runs under.

    pytest --backend numpy|numba|auto   which kernels; MINIGRAD_BACKEND says the same, and the option wins
    pytest --long                       the long tests too
    pytest --kernels-only               not the files of ONCE, which do not depend on the kernels: `make test` runs
                                        them once, and all others with each backend

Warnings are errors and the order is random (pyproject.toml). Tests against PyTorch run where it is installed; the
header says whether they do.
"""

import importlib.util
import os
import sys
import textwrap

import hypothesis
import pytest
from browser import browser_page, chromium, free_tabs  # noqa: F401 - fixtures for all

BACKENDS = ("numpy", "numba", "auto")
ONCE = """
    test_add_op test_bench test_checkpoint test_cli test_data test_data_workers test_datasets test_datasets_download
    test_datasets_files test_distributions test_distributions_kl test_distributions_transforms test_docs
    test_docs_site test_dtypes test_engine_torch test_errors test_errors_nn test_exchange test_function_torch
    test_generated_code test_harmless test_indexing_fuzz test_kernels_cache test_kernels_dispatch test_layers
    test_lr_scheduler test_lr_waves test_misuse test_names test_nn_attributes test_nn_containers test_nn_hooks
    test_nn_lazy test_nn_machinery test_nn_module test_nn_state test_onnx test_packaging test_parametrize test_places
    test_printing test_program_imports test_promotion test_random_streams test_ranges test_samplers test_saved_torch
    test_serialization test_serialization_damage test_serialization_torch test_sparse test_splits test_stubs
    test_testing test_text test_threads test_train test_train_resume test_transforms test_values_creation
    test_values_join test_values_layout test_values_numpy test_values_printing test_values_protocol test_values_random
    test_values_shape test_values_tensor test_views_torch test_ddp test_futures test_bench_distributed
""".split()
ONCE_ALL = ("test_course", "test_scalar", "test_viz")  # how the names of whole families begin

# Whether programs say on stderr that they compile is a matter of what the cache holds; tests of these lines unset it.
os.environ["MINIGRAD_QUIET"] = "1"

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
    parser.addoption("--kernels-only", action="store_true", help="leave out the files that do not depend on kernels")


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
    def is_left_out(item):
        if item.get_closest_marker("long") and not config.getoption("--long"):
            return True
        once = item.path.stem in ONCE or item.path.stem.startswith(ONCE_ALL)
        return config.getoption("--kernels-only") and once

    left_out = [item for item in items if is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not is_left_out(item)]


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
    if "torch" in sys.modules:  # its threads wait in loops: on a busy machine two are up to fifty times slower than one
        sys.modules["torch"].set_num_threads(1)
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

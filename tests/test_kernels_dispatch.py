"""dispatch: who answers a kernel call, and what numba is given."""

import contextlib
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from minigrad.kernels import dispatch
from minigrad.kernels.dispatch import (
    KERNELS,
    Kernel,
    backend,
    get_backend,
    jit,
    kernel,
    on_change,
    set_backend,
)


@pytest.fixture(autouse=True)
def _restored():
    """Backend and registry as they were: the kernels declared by these tests are not the package's."""
    known, watchers, former = dict(KERNELS), list(dispatch._watchers), get_backend()
    dispatch._watchers.clear()
    yield
    KERNELS.clear()
    KERNELS.update(known)
    dispatch._watchers[:] = watchers
    set_backend(former)


def make(when=None, **options):
    """A kernel whose twins can be told apart: the NumPy one gives x + 1, the numba one x + 2."""

    @kernel
    def shifted(x, by=1):
        return x + by

    @shifted.numba(when=when, **options)
    def shifted(x, by=1):
        return x + by + 1

    return shifted


# --------------------------------------------------------------------------------------------------------------------
# Who answers


def test_the_backend_decides_who_answers():
    shifted = make()
    assert isinstance(shifted, Kernel)
    for name, expected in (("numpy", 11), ("numba", 12), ("auto", 12), ("numpy", 11), ("numba", 12)):
        set_backend(name)
        assert get_backend() == name
        assert shifted(10) == shifted(10, 1) == shifted(10, by=1) == shifted(x=10) == expected


def test_a_kernel_without_numba_twin_is_its_numpy_twin():
    @kernel
    def lonely(x):
        return x * 3

    for name in dispatch.BACKENDS:
        with backend(name):
            assert lonely(2) == 6
    assert lonely.compiled is None


def test_when_is_asked_in_auto_only():
    asked = []

    def when(x, by=1):
        asked.append(x)
        return x > 5

    shifted = make(when)
    with backend("numba"):
        assert shifted(1) == 3
    with backend("numpy"):
        assert shifted(9) == 10
    assert asked == []
    with backend("auto"):
        assert [shifted(9), shifted(1), shifted(9, by=2), shifted(x=1)] == [11, 2, 12, 2]
    assert asked == [9, 1, 9, 1]


def test_a_kernel_that_chooses_takes_plain_parameters():
    def spread(*numbers):
        return numbers

    chosen = Kernel(spread)
    chosen.numba(spread, when=lambda *numbers: True, python=True)
    with backend("auto"), pytest.raises(TypeError, match="spread: expected one parameter at least, and none with st"):
        chosen(1)


def test_backend_is_restored_after_an_error_and_nests():
    set_backend("numpy")
    with contextlib.suppress(ZeroDivisionError), backend("numba"):
        with backend("auto"):
            assert get_backend() == "auto"
        assert get_backend() == "numba"
        1 / 0  # noqa: B018
    assert get_backend() == "numpy"


def test_backend_decorates_functions():
    @backend("numba")
    def inside():
        return get_backend()

    set_backend("numpy")
    assert inside() == "numba"
    assert get_backend() == "numpy"


def test_unknown_backend():
    with pytest.raises(ValueError, match="expected name to be one of 'numpy', 'numba', 'auto', but got 'cuda'"):
        set_backend("cuda")
    with pytest.raises(ValueError, match="cuda"), backend("cuda"):
        pass


def test_on_change_is_called_after_each_change():
    seen = []

    @on_change
    def note():
        seen.append(get_backend())

    set_backend("numpy")
    with backend("numba"):
        pass
    assert seen == ["numpy", "numba", "numpy"]


def test_kernels_are_registered_with_their_samples():
    def samples(size):
        return (np.ones(size),)

    @kernel(samples=samples)
    def sampled(x):
        """Sampled."""
        return x.sum()

    assert KERNELS["sampled"] is sampled
    assert sampled.samples is samples
    assert sampled.name == sampled.__name__ == "sampled"
    assert sampled.__doc__ == "Sampled."
    assert sampled.twin(np.ones(3)) == sampled(*sampled.samples(3)) == 3


def test_two_kernels_of_one_name_in_different_places():
    make()
    with pytest.raises(ValueError, match=r"kernel 'shifted' of .* is already defined in"):

        @kernel
        def shifted(x):
            return x


def twin(x, y=2):
    return x


def named(function, name):
    function.__name__ = name
    return function


@pytest.mark.parametrize(
    "other",
    [
        named(lambda x, y=2: x, "another"),
        named(lambda x: x, "twin"),
        named(lambda x, y: x, "twin"),
        named(lambda x, y=3: x, "twin"),
        named(lambda y, x=2: x, "twin"),
        named(lambda x, *, y=2: x, "twin"),
    ],
    ids=["name", "fewer", "default missing", "another default", "other names", "other kind"],
)
def test_twins_must_have_the_same_name_and_signature(other):
    with pytest.raises(TypeError, match=r"must be declared as twin\(x, y=2\), but got"):
        kernel(twin).numba(other)


def test_a_python_twin_calls_loops():
    @jit
    def fill(out, value):
        for i in range(out.size):
            out[i] = value

    @kernel
    def filled(size, value):
        return np.full(size, value)

    @filled.numba(python=True)
    def filled(size, value):
        out = np.empty(size)
        fill(out, value)
        return out

    for name in dispatch.BACKENDS:
        with backend(name):
            np.testing.assert_array_equal(filled(3, 2.5), [2.5, 2.5, 2.5])
    assert not hasattr(filled.compiled, "dispatcher")


@kernel
def global_kernel(x):
    return x


def test_kernels_and_helpers_pickle_as_globals():
    assert pickle.loads(pickle.dumps(global_kernel)) is global_kernel
    assert pickle.loads(pickle.dumps(later)) is later


def test_changing_the_backend_while_others_call():
    shifted = make()
    shifted(1)
    wrong, stop = [], threading.Event()

    def work():
        while not stop.is_set():
            if shifted(10) not in (11, 12):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(300):
        set_backend(dispatch.BACKENDS[turn % 3])
    set_backend("numpy")
    assert shifted(10) == 11
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


# --------------------------------------------------------------------------------------------------------------------
# What numba is given


@jit
def uses_later(x):
    return later(x) + 1


@jit
def later(x):
    return x * FACTOR


FACTOR = 5


def test_helpers_may_be_defined_later_and_are_compiled_lazily():
    assert uses_later(2) == 11
    assert uses_later(0.5) == 3.5


def test_a_helper_may_call_itself():
    assert factorial(5) == 120


@jit
def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


@jit
def even(n):
    return n == 0 or odd(n - 1)


@jit
def odd(n):
    return n != 0 and even(n - 1)


def test_helpers_in_a_circle_are_refused_and_stay_so():
    for _ in range(2):
        with pytest.raises(TypeError, match="may not call one another in a circle"):
            even(4)


def test_closures_are_resolved():
    def power(n):
        @jit
        def inner(x):
            return later(x) ** n

        return inner

    assert power(2)(2) == 100
    assert power(3)(2) == 1000


@pytest.mark.parametrize(("constants", "versions"), [(True, 3), (False, 1)])
def test_helpers_called_with_constants_may_share_one_version(constants, versions):
    from numba.core.types import float64, int64, literal

    @jit(constants=constants)
    def scaled(x, factor):
        return x * factor

    for factor in (literal(2), literal(3), int64):  # what a compiled caller asks for: `scaled(x, 2)` and so on
        scaled.inner.get_call_template((float64, factor), {})
    assert len(scaled.inner.signatures) == versions

    @jit
    def total(x, factor):
        return scaled(x, 2) + scaled(x, 3) + scaled(x, factor)

    assert total(1.5, 4) == 13.5


def test_a_numba_twin_may_call_another_kernel():
    shifted = make()

    @kernel
    def double_shift(x):
        return shifted(x) * 2

    @double_shift.numba
    def double_shift(x):
        return shifted(x) * 2

    with backend("numba"):
        assert double_shift(10) == 24


def test_a_numba_twin_may_not_call_a_kernel_that_is_not_compiled():
    @kernel
    def plain(x):
        return x

    @jit
    def caller(x):
        return plain(x)

    with pytest.raises(TypeError, match="only if that has a compiled numba twin"):
        caller(1)


def test_division_and_special_values_are_numpys():
    @jit(fastmath=True)
    def ratio(x, y):
        return x / y

    assert ratio(1.0, 0.0) == np.inf
    assert np.isnan(ratio(0.0, 0.0))


def test_flags_that_assume_nan_away_are_refused():
    for flags in ("fast", ["nnan"], ["contract", "ninf"]):
        with pytest.raises(ValueError, match="expected a subset of"):
            jit(fastmath=flags)(lambda x: x)


def run(code, folder, **environment):
    """A fresh interpreter in `folder`; its standard output."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), **environment}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_numba_is_not_imported_before_it_is_needed(tmp_path):
    code = """
        import sys
        from minigrad.kernels import dispatch, pointwise, vecmath
        @dispatch.kernel
        def one(x): return x
        @one.numba
        def one(x): return x
        with dispatch.backend("numpy"):
            one(1)
        print("numba" in sys.modules)
    """
    assert run(code, tmp_path) == ["False"]


def test_the_environment_sets_the_backend(tmp_path):
    code = "from minigrad.kernels import dispatch; print(dispatch.get_backend())"
    assert run(code, tmp_path, MINIGRAD_BACKEND="numpy") == ["numpy"]
    with pytest.raises(AssertionError, match="MINIGRAD_BACKEND: expected 'numpy', 'numba' or 'auto', but got 'x'"):
        run(code, tmp_path, MINIGRAD_BACKEND="x")

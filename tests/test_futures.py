"""`minigrad.futures`: as torch.futures, where PyTorch is installed; and what has to be asked whether it is there."""

import threading

import pytest

from minigrad import futures


def story(lib):
    """What a program sees."""
    seen = []
    first = lib.Future()
    second = first.then(lambda future: future.value() + 1)
    third = second.then(lambda future: future.value() / 0)
    first.add_done_callback(lambda future: seen.append(future.value()))
    seen += [first.done(), second.done()]
    first.set_result(1)
    seen += [first.done(), second.wait(), second.value(), first.then(lambda future: 7).wait()]
    with pytest.raises((ZeroDivisionError, RuntimeError)):
        third.wait()
    with pytest.raises((ZeroDivisionError, RuntimeError)):
        lib.wait_all([first, third])
    with pytest.raises(RuntimeError):
        first.set_result(2)
    both = lib.collect_all([first, second]).wait()
    seen += [[each.value() for each in both], lib.wait_all([first, second])]
    failed = lib.Future()
    failed.set_exception(ValueError("no"))
    try:
        failed.wait()
    except ValueError as error:
        seen.append(str(error))
    return seen


def test_story():
    assert story(futures) == [False, False, 1, True, 2, 2, 7, [1, 2], [1, 2], "no"]


def test_story_is_pytorchs():
    assert story(futures) == story(pytest.importorskip("torch").futures)


def test_errors():
    future = futures.Future()
    with pytest.raises(RuntimeError, match="not completed; call wait"):
        future.value()
    with pytest.raises(AssertionError, match="not an Exception"):
        future.set_exception("no")


def test_what_is_asked_is_moved_on_by_asking():
    """Messages of MPI have no thread: `done` and `wait` do the work, for what hangs on them too."""
    asked = []

    def is_done():
        asked.append(True)
        return len(asked) == 3

    future = futures.Future.following(is_done, lambda: 5)
    more = future.then(lambda it: it.value() * 2)
    assert [more.done() for _ in range(3)] == [False, False, True]
    assert more.value() == 10
    waited = (
        futures.Future.following(lambda: False, lambda: 3).then(lambda it: it.value() + 1).then(lambda it: it.value())
    )
    assert waited.wait() == 4

    def fails():
        raise OSError("cut")

    broken = futures.Future.following(lambda: False, fails)
    with pytest.raises(OSError, match="cut"):
        futures.wait_all([futures.Future.following(lambda: True, lambda: 1), broken])


def test_another_thread_may_complete_it():
    future = futures.Future()
    thread = threading.Timer(0.05, future.set_result, [4])
    thread.start()
    assert future.wait() == 4
    thread.join()

"""`Join`: a context in which processes may have unequal numbers of batches. (PyTorch: torch.distributed.algorithms)

    rank 0   step  step  step  step   post_hook
    rank 1   step  step  main  main   post_hook      main: a hook's `main_hook`, in place of a step

A step begins by telling that this process is still there (`Join.notify_join_context`); one that has left the block's
body asks how many are, and as long as there are any calls the main hooks, which take part in the others' collectives.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import minigrad.distributed as dist
from minigrad.dtypes import device
from minigrad.tensor import Tensor

__all__ = ["Join", "JoinHook", "Joinable"]


class JoinHook:
    """What a process does that has no more data; override both. (PyTorch: torch.distributed.algorithms.JoinHook)"""

    def main_hook(self) -> None:
        """Take part in the collectives of a step of the others."""

    def post_hook(self, is_last_joiner: bool) -> None:
        """Called when all are through. is_last_joiner: whether this process was among the last."""


class _Config(NamedTuple):
    """What the context has told an object that takes part."""

    enable: bool = False
    throw_on_early_termination: bool = False
    is_first_joinable: bool = False


class Joinable:
    """Base class of what can take part in `Join`. (PyTorch: torch.distributed.algorithms.Joinable)"""

    def __init__(self) -> None:
        self._join_config = _Config()

    def join_hook(self, **kwargs) -> JoinHook:
        """The hook for a context; `kwargs` are the context's own, the same for all that take part."""
        raise NotImplementedError(f"{type(self).__name__} must define join_hook(**kwargs)")

    @property
    def join_device(self) -> Any:
        """Where its tensors are: the CPU, the one device."""
        return device("cpu")

    @property
    def join_process_group(self) -> Any:
        """The processes that work together: those of ``self.process_group``, if there is such an attribute."""
        if "process_group" not in vars(self):
            raise NotImplementedError(f"{type(self).__name__} must define join_process_group")
        return vars(self)["process_group"]


class Join:
    """Within the block, a process may go through fewer batches than others.

    ::

        with Join([ddp, zero_optimizer]):
            for x, y in loader:              # longer on some ranks than on others
                optimizer.zero_grad()
                loss_fn(ddp(x), y).backward()
                optimizer.step()

    Args:
        joinables (list[Joinable]): what calls collectives in a step, in the order in which it does.
        enable (bool): False: the context does nothing.
        throw_on_early_termination (bool): raise RuntimeError on all ranks as soon as one is through.
        kwargs: passed on to each ``joinable.join_hook``.

    Raises:
        ValueError: no joinables, or such of different process groups.

    PyTorch: torch.distributed.algorithms.Join
    """

    def __init__(
        self, joinables: list[Joinable], enable: bool = True, throw_on_early_termination: bool = False, **kwargs
    ) -> None:
        if not joinables:
            raise ValueError("The join context manager requires at least one joinable")
        self._joinables, self._enable, self._throw = joinables, enable, throw_on_early_termination
        self._hooks = [joinable.join_hook(**kwargs) for joinable in joinables]
        for k, joinable in enumerate(joinables):
            joinable._join_config = _Config(enable, throw_on_early_termination, k == 0)
        self._group = joinables[0].join_process_group
        if any(joinable.join_process_group is not self._group for joinable in joinables):
            raise ValueError("Using join context manager with multiple process groups")

    def __enter__(self) -> None:
        """The context is no value of its own, as in PyTorch."""

    def __exit__(self, kind, value, traceback) -> None:
        try:
            if self._enable and kind is None:
                self._shadow()
        finally:
            for joinable in self._joinables:
                joinable._join_config = _Config()

    def _shadow(self):
        is_last = True
        while _sum(0, self._group):  # how many still have data
            if self._throw:
                _sum(1, self._group)
                raise RuntimeError(f"Rank {dist.get_rank(self._group)} exhausted all inputs.")
            for hook in self._hooks:
                hook.main_hook()
            is_last = False
        for hook in self._hooks:
            hook.post_hook(is_last)

    @staticmethod
    def notify_join_context(joinable: Joinable) -> int | None:
        """Tell that this process has data: to be called at the start of a step.

        Returns:
            how many processes have data; None outside of a context, and for all but its first joinable.

        Raises:
            RuntimeError: a process is through, and ``throw_on_early_termination=True``.
        """
        config = joinable._join_config
        if not (config.enable and config.is_first_joinable):
            return None
        group = joinable.join_process_group
        present = _sum(1, group)
        if config.throw_on_early_termination and _sum(0, group):
            raise RuntimeError("Detected at least one rank that exhausted inputs. Throwing across all ranks.")
        return present


def _sum(number, group):
    """The sum over all processes."""
    total = Tensor([number])
    dist.all_reduce(total, group=group)
    return int(total.item())

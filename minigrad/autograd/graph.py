"""The graph for those who look into it: hooks on what is saved, edges, and hooks on several gradients at once.

Names and meanings are those of torch.autograd.graph.  Nodes themselves (`next_functions`, `name()`, `metadata`,
`register_hook`, `register_prehook`, ``_saved_self``) are in `node.py`; how saved tensors pass through hooks is in
`watch.py`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from minigrad.autograd import watch
from minigrad.autograd.node import Node, bump, edge_of, node_of
from minigrad.autograd.running import will_run
from minigrad.registry import TENSORS
from minigrad.tensor import Tensor

__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


class saved_tensors_hooks:
    """Within the block, what operations save for backward is ``pack_hook(tensor)``; backward gets it back by
    ``unpack_hook(that)``, which has to return the tensor's values. The innermost block decides. A write to a tensor
    that a hook kept is not noticed. (PyTorch: torch.autograd.graph.saved_tensors_hooks)
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        self._tokens: list = []

    def __enter__(self):
        above = watch.hooks_in_force.get()
        if above and isinstance(above[-1], str):
            raise RuntimeError(above[-1])
        self._tokens.append(watch.hooks_in_force.set((*above, (self.pack_hook, self.unpack_hook))))
        watch.watch(+1)

    def __exit__(self, *exc):
        watch.watch(-1)
        watch.hooks_in_force.reset(self._tokens.pop())


class save_on_cpu(saved_tensors_hooks):
    """`saved_tensors_hooks` that keep what is saved in main memory. All tensors are there already: nothing is moved.
    (PyTorch: torch.autograd.graph.save_on_cpu)"""

    def __init__(self, pin_memory=False, device_type="cuda") -> None:
        super().__init__(lambda tensor: tensor, lambda tensor: tensor)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str):
    """Within the block, entering `saved_tensors_hooks` raises RuntimeError(error_message).
    (PyTorch: torch.autograd.graph.disable_saved_tensors_hooks)"""
    above = watch.hooks_in_force.get()
    if any(not isinstance(hooks, str) for hooks in above):
        raise RuntimeError(error_message)
    token = watch.hooks_in_force.set((*above, error_message))
    try:
        yield
    finally:
        watch.hooks_in_force.reset(token)


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """Within the block, tensors saved for backward may be written to: each is copied when it is saved. (PyTorch copies
    at the write, with the same outcome: torch.autograd.graph.allow_mutation_on_saved_tensors)"""
    with saved_tensors_hooks(TENSORS["clone"], lambda tensor: tensor) as nothing:
        yield nothing


class GradientEdge(NamedTuple):
    """Where a gradient flows: one output of a node. `autograd.grad` and `backward` take it in place of a tensor, which
    then need not be kept. (PyTorch: torch.autograd.graph.GradientEdge)"""

    node: Node
    output_nr: int
    ownership_token: Node | None = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge at which the gradient of `tensor` arrives. (PyTorch: torch.autograd.graph.get_gradient_edge)"""
    node = node_of(tensor)
    if node is None:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    owner, output = edge_of(node)
    return GradientEdge(owner, output, node)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Say that the memory of a tensor (or of several) was written to by means that autograd does not see.
    (PyTorch: torch.autograd.graph.increment_version)"""
    for each in [tensor] if isinstance(tensor, Tensor) else tensor:
        bump(each, "increment_version")


class _Handles:
    """Several handles as one."""

    def __init__(self, handles):
        self._handles = handles

    def remove(self) -> None:
        """Take all the hooks away."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Call ``fn(gradients)`` in each backward once the gradients of all `tensors` are there, in their order, None for
    those that this backward does not reach; with mode="any" ``fn(gradient)`` for the first that is there. Returns a
    handle with `remove()`. (PyTorch: torch.autograd.graph.register_multi_grad_hook)
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    tensors = list(tensors)
    lock = threading.Lock()
    seen: dict = {"walk": None}

    def arrived(k, gradient):
        with lock:
            walk, runs = will_run([node_of(tensor) for tensor in tensors])
            if seen["walk"] is not walk:
                seen.update(walk=walk, left=sum(runs), grads=[None] * len(tensors), called=False)
            seen["grads"][k] = gradient
            seen["left"] -= 1
            if mode == "any":
                now, seen["called"] = not seen["called"], True
            else:
                now = seen["left"] == 0
            grads = seen["grads"]
            if now and mode == "all":
                seen.update(walk=None)
        if now:
            fn(grads if mode == "all" else gradient)

    return _Handles([t.register_hook(lambda gradient, k=k: arrived(k, gradient)) for k, t in enumerate(tensors)])

"""Checkpointing: memory for time.  What a part of a model saves for backward is thrown away and computed again when
backward gets there.

Names and meanings are those of torch.utils.checkpoint.  There are two ways.

use_reentrant=False   The part runs as always, but within `saved_tensors_hooks` which keep, of each tensor to be saved,
                      only its number.  The first number that backward asks for makes the part run again, this time
                      keeping the tensors.  All that autograd can do works: `autograd.grad`, derivatives of derivatives,
                      one checkpoint in another, keyword arguments, parts that are not tensors.
use_reentrant=True    The part runs without recording inside a `Function`, whose backward runs it again with recording
                      and then a backward of its own.
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from types import SimpleNamespace
from typing import Any

from minigrad.autograd.derivatives import backward
from minigrad.autograd.function import Function
from minigrad.autograd.graph import saved_tensors_hooks
from minigrad.autograd.modes import enable_grad, is_grad_enabled
from minigrad.autograd.node import node_of, tick
from minigrad.autograd.rules import stale
from minigrad.autograd.running import asked_for_some
from minigrad.autograd.watch import Packed, pack
from minigrad.random import default_generator, fork_rng
from minigrad.tensor import Tensor, wrap

__all__ = [
    "CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn", "set_checkpoint_early_stop",
]  # fmt: skip

_early_stop = [True]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed part did not save what the first did."""


def noop_context_fn():
    """The default of context_fn: two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


class set_checkpoint_early_stop:
    """Within the block, whether the second run stops as soon as all that is needed is there (it does by default).
    (PyTorch: torch.utils.checkpoint.set_checkpoint_early_stop)"""

    def __init__(self, enable: bool) -> None:
        self.enable = enable

    def __enter__(self) -> None:
        self._before, _early_stop[-1] = _early_stop[-1], self.enable

    def __exit__(self, *exc: object) -> None:
        _early_stop[-1] = self._before


def checkpoint(
    function, *args, use_reentrant=None, context_fn=noop_context_fn, determinism_check="default", debug=False,
    early_stop=True, preserve_rng_state=True, **kwargs,
) -> Any:  # fmt: skip
    """``function(*args, **kwargs)``, whose intermediate results are not kept but computed again in backward.

    use_reentrant: which of the two ways (False is the better; PyTorch wants it given, and takes True with a warning if
    it is not). preserve_rng_state: the second run draws the same random numbers as the first. context_fn: gives the
    contexts of the two runs. determinism_check: "default" compares the shapes and dtypes saved in both runs, "none"
    does not. early_stop: the second run stops when nothing more is needed. Raises CheckpointError where the second run
    saves other tensors than the first. (PyTorch: torch.utils.checkpoint.checkpoint)
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Calling checkpoint "
            "without use_reentrant will raise an exception in a later version of PyTorch. use_reentrant=False is "
            "recommended, but if you need to preserve the current default behavior, you can pass use_reentrant=True.",
            stacklevel=2,
        )
        use_reentrant = True
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        if is_grad_enabled() and not any(isinstance(arg, Tensor) and arg.requires_grad for arg in args):
            warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
        return _Reentrant.apply(function, preserve_rng_state, *args)
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be 'default' or 'none', but got {determinism_check!r}")
    first, second = context_fn()
    if not is_grad_enabled():
        with first:
            return function(*args, **kwargs)
    part = _Part(function, args, kwargs, second, preserve_rng_state, determinism_check, early_stop and _early_stop[-1])
    with saved_tensors_hooks(part.pack, _unpack), first:
        return function(*args, **kwargs)


class _Ticket:
    """What stands for a saved tensor: which it is of those that its part saved."""

    __slots__ = ("__weakref__", "number", "part")

    def __init__(self, part, number):
        self.part, self.number = part, number


def _unpack(ticket):
    return ticket.part.tensor(ticket)


class _Enough(BaseException):
    """Stops a second run that has given all that is needed."""


class _Part:
    """One checkpointed call: how to run it again, and which of its saved tensors are still wanted (tickets alive)."""

    def __init__(self, function, args, kwargs, context, preserve_rng_state, check, early_stop):
        self.function, self.context, self.early_stop, self.check = function, context, early_stop, check == "default"
        # The arguments go through the hooks around this call: one checkpoint in another keeps nothing alive.
        self.args = [_kept(arg) for arg in args]
        self.kwargs = {name: _kept(arg) for name, arg in kwargs.items()}
        self.state = default_generator.get_state() if preserve_rng_state else None
        self.tickets: list[weakref.ref] = []
        self.notes: list[tuple] = []
        self.again: dict[int, Tensor] = {}

    def pack(self, tensor):
        """In the first run: a ticket."""
        ticket = _Ticket(self, len(self.tickets))
        self.tickets.append(weakref.ref(ticket))
        self.notes.append((tensor._shape, tensor.array.dtype))
        return ticket

    def tensor(self, ticket):
        """In backward: the tensor of a ticket, from a second run that serves all tickets alive."""
        if ticket.number not in self.again:
            self._run_again()
        return self.again.pop(ticket.number)

    def _run_again(self):
        count = 0

        def keep(tensor):
            nonlocal count
            number, count = count, count + 1
            if number < len(self.tickets):
                if self.check and self.notes[number] != (tensor._shape, tensor.array.dtype):
                    raise CheckpointError(
                        "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata "
                        f"than during the forward pass.\ntensor at position {number}:\nsaved metadata: "
                        f"{self.notes[number]}\nrecomputed metadata: {(tensor._shape, tensor.array.dtype)}"
                    )
                if self.tickets[number]() is not None:
                    self.again[number] = wrap(tensor.array)
                if self.early_stop and count == len(self.tickets):
                    raise _Enough
            return tensor

        with contextlib.ExitStack() as around:
            if self.state is not None:
                around.enter_context(fork_rng())
                default_generator.set_state(self.state)
            around.enter_context(contextlib.suppress(_Enough))
            around.enter_context(enable_grad())
            args = [arg.tensor() if isinstance(arg, _Kept) else arg for arg in self.args]
            kwargs = {name: arg.tensor() if isinstance(arg, _Kept) else arg for name, arg in self.kwargs.items()}
            around.enter_context(saved_tensors_hooks(keep, lambda tensor: tensor))
            around.enter_context(self.context)
            self.function(*args, **kwargs)
        if count != len(self.tickets):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.tickets)}\nNumber of tensors saved "
                f"during recomputation: {count}."
            )


class _Kept:
    """A tensor argument for the second run: its values as the hooks around the call keep them, and its history."""

    op = SimpleNamespace(name="checkpoint")  # what an error says, if the argument is written to meanwhile

    def __init__(self, tensor):
        self.node, self.seq = node_of(tensor), tick()
        packed = pack(tensor)
        self.value = packed if isinstance(packed, Packed) else tensor

    def tensor(self):
        if not isinstance(self.value, Packed):
            version = self.value.vc
            if version is not None and version.time > self.seq:
                stale(self, version, "an argument")
            return self.value
        tensor = wrap(self.value.tensor().array)
        tensor.node = self.node
        return tensor


def _kept(arg):
    return _Kept(arg) if isinstance(arg, Tensor) else arg


class _Reentrant(Function):
    """A part that runs without recording, and again with recording inside its backward."""

    @staticmethod
    def forward(ctx, function, preserve_rng_state, *args):
        ctx.function = function
        ctx.state = default_generator.get_state() if preserve_rng_state else None
        ctx.args = [None if isinstance(arg, Tensor) else arg for arg in args]
        ctx.places = [k for k, arg in enumerate(args) if isinstance(arg, Tensor)]
        ctx.save_for_backward(*[args[k] for k in ctx.places])
        return function(*args)

    @staticmethod
    def backward(ctx, *grads):
        if asked_for_some():
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call "
                ".backward() without passing the `inputs` argument."
            )
        args = list(ctx.args)
        for k, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
            args[k] = tensor.detach().requires_grad_(ctx.needs_input_grad[k + 2])
        with contextlib.ExitStack() as around:
            if ctx.state is not None:
                around.enter_context(fork_rng())
                default_generator.set_state(ctx.state)
            around.enter_context(enable_grad())
            outputs = ctx.function(*args)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if isinstance(o, Tensor) and o.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        backward([o for o, _ in pairs], [g for _, g in pairs])
        return (None, None, *[arg.grad if isinstance(arg, Tensor) else None for arg in args])


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """A `Sequential` (or list of functions) run in `segments` parts, each but the last under `checkpoint`.
    (PyTorch: torch.utils.checkpoint.checkpoint_sequential)"""
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. "
            "use_reentrant=False is recommended, but if you need to preserve the current default behavior, you can "
            "pass use_reentrant=True.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def run(start, end):
        def part(input):
            for function in functions[start:end]:
                input = function(input)
            return input

        return part

    size, start = len(functions) // segments, 0
    for start in range(0, size * (segments - 1), size):
        part = run(start, start + size)
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return run(size * (segments - 1), len(functions))(input)

"""What the methods of `prune` share: pruning a parameter by a mask and a hook, several times over."""

from __future__ import annotations

from abc import ABC, abstractmethod

import minigrad
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["BasePruningMethod", "PruningContainer"]


class BasePruningMethod(ABC):
    """A way to choose what is pruned. A subclass says it in `compute_mask`, and in `PRUNING_TYPE` what it is to be
    shown of a parameter that is pruned already:

    - ``"unstructured"``: the numbers that are left, as a vector;
    - ``"structured"``: the channels along ``self.dim`` that are left, those with a number that is not masked;
    - ``"global"``: all of it.

    ``Method.apply(module, name, ...)`` prunes; the arguments after the name are those of ``Method(...)``.

    Example:
        >>> from minigrad import nn
        >>> from minigrad.nn.utils import prune
        >>> class EverySecond(prune.BasePruningMethod):
        ...     PRUNING_TYPE = "unstructured"
        ...     def compute_mask(self, t, default_mask):
        ...         mask = default_mask.clone()
        ...         mask.view(-1)[::2] = 0
        ...         return mask
        >>> layer = nn.Linear(2, 3)
        >>> hook = EverySecond.apply(layer, "bias")
        >>> layer.bias_mask
        tensor([0., 1., 0.])

    PyTorch: torch.nn.utils.prune.BasePruningMethod
    """

    PRUNING_TYPE: str
    _tensor_name: str

    def __call__(self, module: Module, inputs) -> None:
        """The forward pre-hook: compute the pruned tensor from the parameter as it is now. `inputs` is not used."""
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask: of t's shape, 0 or False where a number is pruned.

        Args:
            t (Tensor): the scores by which to choose; if none were given, the tensor that is pruned.
            default_mask (Tensor): of t's shape, what earlier methods kept; ones at the first. What is 0 in it should be
                0 in the result.
        """

    def apply_mask(self, module: Module) -> Tensor:
        """``weight_orig · weight_mask`` of the module, differentiable. AttributeError if this method has pruned
        nothing."""
        name = self._pruned_name()
        orig = getattr(module, name + "_orig")
        return getattr(module, name + "_mask").to(dtype=orig.dtype) * orig

    @classmethod
    def apply(cls, module: Module, name: str, *args, importance_scores: Tensor | None = None, **kwargs):
        """Prune a parameter, and keep it pruned by a forward pre-hook. If that fails, the module stays as it was.

        Args:
            module (Module): what has the parameter.
            name (str): the parameter's name.
            importance_scores (Tensor, optional): of its shape: what `compute_mask` chooses by, in place of the
                parameter itself.
            args, kwargs: for the method.

        Returns:
            the hook: the method, or of a parameter that was pruned before the `PruningContainer` with it.

        Raises:
            AttributeError: if the module has nothing of this name.
            TypeError: if it is no parameter, or the scores are no tensor.
            AssertionError: if the scores have another shape, or if there is more than one hook for the parameter.
        """
        method = cls(*args, **kwargs)
        method._tensor_name = name
        keys = [key for key, hook in module._forward_pre_hooks.items() if prunes(hook, name)]
        if len(keys) > 1:
            raise AssertionError(
                f"{cls.__name__}.apply: {len(keys)} pruning hooks act on '{name}', expected one; "
                "methods that follow one another belong into one PruningContainer"
            )
        tensor = tensor_of(f"{cls.__name__}.apply", module, name)
        if not keys and not isinstance(tensor, Parameter):
            raise TypeError(
                f"{cls.__name__}.apply: '{name}' of {module._get_name()} is {kind_of(tensor)}, which is no parameter; "
                f"{_expected(module)}"
            )
        scores = tensor if importance_scores is None else importance_scores
        check_scores(f"{cls.__name__}.apply", scores, tensor, f"'{name}' of {module._get_name()}")
        hook: BasePruningMethod = method
        if keys:
            mask = narrowed(method, scores, getattr(module, name + "_mask").detach())
            earlier = module._forward_pre_hooks.pop(keys[0])
            hook = earlier if isinstance(earlier, PruningContainer) else PruningContainer(earlier)
            hook.add_pruning_method(method)
        else:
            mask = method.compute_mask(scores, minigrad.ones_like(tensor))
            _check_mask(method, mask, tensor)
            module.register_parameter(name + "_orig", tensor)
            del module._parameters[name]
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, hook.apply_mask(module))
        module.register_forward_pre_hook(hook)
        return hook

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """``t · mask``, without a module.

        Args:
            t (Tensor): what is pruned.
            default_mask (Tensor, optional): of its shape, what earlier methods kept. Default: ones.
            importance_scores (Tensor, optional): of its shape, what is chosen by. Default: t itself.

        Raises:
            AssertionError: if the scores have another shape.
        """
        scores = t if importance_scores is None else importance_scores
        check_scores(f"{type(self).__name__}.prune", scores, t, "t")
        return t * self.compute_mask(scores, minigrad.ones_like(t) if default_mask is None else default_mask)

    def remove(self, module: Module) -> None:
        """Make the pruned tensor the parameter, the same object as before pruning; `weight_orig` and `weight_mask` are
        gone, the hook is not (the function `remove` takes it away as well). AttributeError if this method has pruned
        nothing."""
        name = self._pruned_name()
        pruned, orig = self.apply_mask(module).detach(), module._parameters[name + "_orig"]
        orig.data = pruned
        del module._parameters[name + "_orig"]
        del module._buffers[name + "_mask"]
        setattr(module, name, orig)

    def _pruned_name(self):
        name = getattr(self, "_tensor_name", None)
        if name is None:
            raise AttributeError(
                f"this {type(self).__name__} has pruned nothing: {type(self).__name__}.apply(module, name, ...) does, "
                "and returns the method that knows the name"
            )
        return name


class PruningContainer(BasePruningMethod):
    """Pruning methods of one parameter, one after the other: what `BasePruningMethod.apply` makes of the second.

    It is a sequence: ``len(container)``, ``container[0]``, ``list(container)``.

    Args:
        args (BasePruningMethod): the methods, which have to act on parameters of one name.

    PyTorch: torch.nn.utils.prune.PruningContainer
    """

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Put a method behind the others; the first one says what the parameter's name is.

        Raises:
            TypeError: if it is no pruning method.
            AttributeError: if it does not know its parameter's name, and the container does not either.
            ValueError: if its parameter has another name.
        """
        if not isinstance(method, BasePruningMethod):
            raise TypeError(
                f"PruningContainer.add_pruning_method: {kind_of(method)} is not a BasePruningMethod; expected what "
                "L1Unstructured(amount) and the like make"
            )
        name = method._pruned_name()
        if getattr(self, "_tensor_name", name) != name:
            raise ValueError(
                f"PruningContainer.add_pruning_method: the container is for the parameter '{self._tensor_name}', the "
                f"{type(method).__name__} for '{name}'; make a container for each parameter"
            )
        self._tensor_name = name
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, idx):
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """`default_mask` narrowed by the last method: of t's shape and dtype. What the method sees of `t` follows from
        its `PRUNING_TYPE`, see `BasePruningMethod`. IndexError if the container is empty."""
        return narrowed(self._pruning_methods[-1], t, default_mask)


def prunes(hook, name):
    return isinstance(hook, BasePruningMethod) and hook._tensor_name == name


def kind_of(value):
    return "None" if value is None else f"of type {type(value).__name__}"


def narrowed(method, t, mask):
    """The mask, with what the method prunes of the part of `t` that it is shown."""
    if method.PRUNING_TYPE == "unstructured":
        seen = mask == 1
    elif method.PRUNING_TYPE == "structured":
        dim = dim_of(method, t)
        kept = (mask != 0).transpose(0, dim).reshape(t.shape[dim], -1).any(dim=1)
        seen = (*[slice(None)] * dim, kept)
    elif method.PRUNING_TYPE == "global":
        seen = (slice(None),) * t.dim()
    else:
        raise ValueError(
            f"{type(method).__name__}.PRUNING_TYPE is {method.PRUNING_TYPE!r}, expected 'unstructured', 'structured' "
            "or 'global'"
        )
    narrowed = mask.to(dtype=t.dtype, copy=True)
    narrowed[seen] = method.compute_mask(t[seen], mask[seen]).to(dtype=t.dtype)
    return narrowed


def dim_of(method, t):
    if not hasattr(method, "dim"):
        raise AttributeError(
            f"{type(method).__name__} has no attribute 'dim', which says along which dimension the channels lie of a "
            "method whose PRUNING_TYPE is 'structured'; set self.dim in its __init__"
        )
    if not -t.dim() <= method.dim < t.dim():
        raise IndexError(
            f"{type(method).__name__}: dim={method.dim} of a tensor of shape {tuple(t.shape)}, expected one from "
            f"{-t.dim()} to {t.dim() - 1}"
        )
    return method.dim % t.dim()


def tensor_of(function, module, name):
    if not hasattr(module, name):
        raise AttributeError(f"{function}: {module._get_name()} has no '{name}'; {_expected(module)}")
    return getattr(module, name)


def _expected(module):
    own = [repr(name) for name, _ in module.named_parameters(recurse=False)]
    if not own:
        return "it has no parameters itself: give the layer within it that has, such as model.fc"
    return f"expected one of its parameters, {', '.join(own)}"


def check_scores(function, scores, tensor, what):
    if not isinstance(scores, Tensor):
        raise TypeError(f"{function}: importance_scores for {what} are {kind_of(scores)}, expected a Tensor")
    if scores.shape != tensor.shape:
        raise AssertionError(
            f"{function}: importance_scores of shape {tuple(scores.shape)} for {what}, whose shape is "
            f"{tuple(tensor.shape)}; expected the same shape"
        )


def _check_mask(method, mask, tensor):
    if not isinstance(mask, Tensor):
        raise TypeError(f"{type(method).__name__}.compute_mask returned what is {kind_of(mask)}, expected a Tensor")
    sizes = zip(reversed(mask.shape), reversed(tensor.shape), strict=False)
    if mask.dim() > tensor.dim() or any(m not in (1, n) for m, n in sizes):
        raise RuntimeError(
            f"{type(method).__name__}.compute_mask returned a mask of shape {tuple(mask.shape)} for a tensor of shape "
            f"{tuple(tensor.shape)}; expected the same shape"
        )

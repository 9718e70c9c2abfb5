"""Lazy modules: layers that learn their input's size from the first input, such as `LazyLinear`.

Their parameters have no shape (`UninitializedParameter`) until then. The layers themselves stand with those that they
become: `linear.py`, `conv.py`, `batchnorm.py`, `instancenorm.py`.
"""

from __future__ import annotations

from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin(Module):
    """Makes a module lazy; stands before it among the base classes. A subclass defines `initialize_parameters`.

    ::

        class LazyScale(LazyModuleMixin, nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = nn.UninitializedParameter()

            def initialize_parameters(self, input):
                self.scale.materialize(input.shape[-1:])
                nn.init.ones_(self.scale)

            def forward(self, input):
                return input * self.scale

    `state_dict` works before and after; a state with shapes may be loaded into a module without. Optimizers keep the
    parameters, which stay the same objects. Shapes are known after the first call only: until then nothing may compute
    with the parameters.

    Attributes:
        cls_to_become (type, optional): the class of the module after the first call; None: it stays what it is.

    PyTorch: torch.nn.modules.lazy.LazyModuleMixin
    """

    cls_to_become: type | None = None

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args, **kwargs) -> None:
        """Give every parameter without a shape one (`materialize`) and its values. Called with `forward`'s arguments,
        before the first call."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or a buffer of this module (not of those below) has no shape yet."""
        return any([is_lazy(member) for member in (*self._parameters.values(), *self._buffers.values())])

    def _infer_parameters(self, module, args, kwargs):
        """The hook before the first call."""
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        del module._initialize_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars or is_lazy(tensor) else tensor.detach()

    def _load_tensor(self, name, tensor, key, given, assign):
        if is_lazy(tensor):
            if is_lazy(given):
                if assign:
                    setattr(self, name, given)
                return None
            tensor.materialize(given.shape)
        return super()._load_tensor(name, tensor, key, given, assign)

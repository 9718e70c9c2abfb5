"""`state_dict` and `load_state_dict`: a module's parameters and persistent buffers as a flat dict of names.

Third part of `Module`.  Names are the path of attributes, ``"features.0.weight"``.  Each module writes and reads only
its own part (`_save_to_state_dict`, `_load_from_state_dict`), so a subclass can override just that.  ``_metadata`` on
the dict notes each module's `_version`, which lets a later version of a class read what an earlier one saved.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from minigrad.autograd import no_grad
from minigrad.nn.modules.hooks import Hookable
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["IncompatibleKeys", "Stateful"]

EXTRA_STATE = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` returns: the names that did not fit."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    def __str__(self):
        return repr(self)


class Stateful(Hookable):
    """The state side of `Module`."""

    _version: int = 1

    def get_extra_state(self):
        """Override (with `set_extra_state`) to put more than tensors into the `state_dict`, under ``_extra_state``."""
        raise RuntimeError(
            f"{type(self).__name__}.get_extra_state(): not overridden. Override get_extra_state and set_extra_state "
            "together to keep extra state in the state_dict."
        )

    def set_extra_state(self, state) -> None:
        """Receives on loading what `get_extra_state` returned."""
        raise RuntimeError(
            f"{type(self).__name__}.set_extra_state(): not overridden. Override get_extra_state and set_extra_state "
            "together to keep extra state in the state_dict."
        )

    def state_dict(self, *args, destination=None, prefix: str = "", keep_vars: bool = False) -> dict:
        """The parameters and persistent buffers of this module and its submodules, by name.

        The tensors share memory with the module's. `copy.deepcopy` the dict for a snapshot.

        Args:
            destination (dict, optional): write into this dict instead of a new `OrderedDict`.
            prefix (str): put before every name.
            keep_vars (bool): return the parameters themselves instead of detached tensors.

        All arguments are to be given by name; in this order by position is deprecated.

        PyTorch: torch.nn.Module.state_dict
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead: "
                "state_dict(destination=..., prefix=..., keep_vars=...)",
                FutureWarning,
                stacklevel=2,
            )
            given: tuple = (destination, prefix, keep_vars)
            destination, prefix, keep_vars = args + given[len(args) :]
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._hooks.get("state_dict_pre", {}).values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks.get("state_dict", {}).values():
            if hook(self, destination, prefix, local_metadata) is not None:
                raise RuntimeError("state_dict post-hook must return None")
        for hook in self._hooks.get("state_dict_replace", {}).values():
            replaced = hook(self, destination, prefix, local_metadata)
            destination = destination if replaced is None else replaced
        return destination

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Write this module's own part. Override for a format of your own."""
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _own_state(self):
        tables = (self._parameter_names, self._buffer_names)
        members = {name: self.__dict__[name] for table in tables for name, persistent in table.items() if persistent}
        return {name: tensor for name, tensor in members.items() if tensor is not None}

    def load_state_dict(self, state_dict: Mapping, strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy the tensors of `state_dict` into the parameters and buffers of the same names.

        Args:
            state_dict (dict): as made by `state_dict`.
            strict (bool): raise unless the names are exactly this module's. With False, what fits is loaded.
            assign (bool): put the given tensors in place of the module's instead of copying values, which keeps their
                dtype. Make the optimizer afterwards.

        Returns:
            a named tuple ``(missing_keys, unexpected_keys)``.

        Raises:
            RuntimeError: one text with all that is wrong: missing and unexpected names (if strict), shapes that differ.
                What did fit has been loaded.

        PyTorch: torch.nn.Module.load_state_dict
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)  # modules may change it while loading
        if metadata is not None:
            state_dict._metadata = metadata  # type: ignore[attr-defined]
        problems = Problems([], [], [])
        load(self, state_dict, "", metadata or {}, assign, problems)
        texts = problems.texts
        if strict:
            if problems.unexpected:
                texts.insert(0, f"Unexpected key(s) in state_dict: {quoted(problems.unexpected)}. ")
            if problems.missing:
                texts.insert(0, f"Missing key(s) in state_dict: {quoted(problems.missing)}. ")
        if texts:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(texts))
        return IncompatibleKeys(problems.missing, problems.unexpected)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Read this module's own part (the names that start with `prefix`), noting what is wrong in the three lists.

        Override to read formats of other versions: change `state_dict` in place, then call this.
        """
        for hook in self._hooks.get("load_pre", {}).values():
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own = self._own_state()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                problem = self._load_tensor(name, tensor, key, state_dict[key], assign)
                if problem:
                    error_msgs.append(problem)
            elif strict:
                missing_keys.append(key)
        extra_key = prefix + EXTRA_STATE
        if type(self).set_extra_state is not Stateful.set_extra_state:
            if extra_key in state_dict:
                self.set_extra_state(state_dict[extra_key])
            elif strict:
                missing_keys.append(extra_key)
        elif strict and extra_key in state_dict:
            unexpected_keys.append(extra_key)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra_key:
                    name, dot, _ = key[len(prefix) :].partition(".")
                    if name not in (self._module_names if dot else own):
                        unexpected_keys.append(key)

    def _load_tensor(self, name, tensor, key, given, assign):
        """Load one parameter or buffer; returns what is wrong, or None."""
        if not isinstance(given, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                f"checkpoint but received {type(given)}"
            )
        if tensor.dim() == 0 and tuple(given.shape) == (1,):
            given = given[0]
        if given.shape != tensor.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "
                f"the shape in current model is {tensor.shape}."
            )
        try:
            with no_grad():
                if not assign:
                    tensor.copy_(given)
                elif not isinstance(tensor, Parameter):
                    setattr(self, name, given)
                elif isinstance(given, Parameter):
                    setattr(self, name, given.requires_grad_(tensor.requires_grad))
                else:
                    setattr(self, name, Parameter(given, requires_grad=tensor.requires_grad))
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are {tensor.size()} and '
                f"whose dimensions in the checkpoint are {given.size()}, an exception occurred : {error.args}."
            )
        return None


class Problems(NamedTuple):
    """What `load` has found wrong: names, and texts for the error."""

    missing: list[str]
    unexpected: list[str]
    texts: list[str]


def load(module, state_dict, prefix, metadata, assign, problems):
    """Load `module` and its submodules from the names that start with `prefix`."""
    local_metadata = metadata.get(prefix[:-1], {})
    if assign:
        local_metadata = {**local_metadata, "assign_to_params_buffers": True}
    module._load_from_state_dict(state_dict, prefix, local_metadata, True, *problems)
    for name, child in module._modules.items():
        if child is not None:
            below = f"{prefix}{name}."
            part = {key: value for key, value in state_dict.items() if key.startswith(below)}
            load(child, part, below, metadata, assign, problems)
    for hook in module._hooks.get("load_post", {}).values():
        if hook(module, IncompatibleKeys(problems.missing, problems.unexpected)) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, "
                "if incompatible_keys need to be modified, it should be done inplace."
            )


def quoted(names):
    """The names as messages list them."""
    return ", ".join(f'"{name}"' for name in names)

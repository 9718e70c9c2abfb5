"""`RNNBase`, on which RNN, LSTM and GRU (`rnn.py`) stand."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

import minigrad
from minigrad.nn import init
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.nn.utils.rnn import PackedSequence
from minigrad.tensor import Tensor

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


LISTS = ("_flat_weights", "_flat_weights_names")


def init_recurrent(module):
    """PyTorch's start of recurrent layers: all parameters uniform in ±√(1/hidden_size)."""
    bound = 1 / math.sqrt(module.hidden_size) if module.hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


class RNNBase(Module):
    """What RNN, LSTM and GRU share: parameters, checks, packed sequences, and the way through the layers.

    Args:
        mode (str): "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        The others as for `LSTM`.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0: the parameters of the first layer, l1, ... of
            the next ones, with ``_reverse`` at the end those of the other direction.

    PyTorch: torch.nn.RNNBase
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_settings(dropout)
        if mode not in GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        rows, width = GATES[mode] * hidden_size, proj_size or hidden_size
        directions = ["", "_reverse"] if bidirectional else [""]
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            features = width * len(directions) if layer else input_size
            for direction in directions:
                shapes: dict[str, Any] = {"weight_ih": (rows, features), "weight_hh": (rows, width)}
                if bias:
                    shapes |= {"bias_ih": rows, "bias_hh": rows}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                self._all_weights.append([f"{name}_l{layer}{direction}" for name in shapes])
                for name, shape in zip(self._all_weights[-1], shapes.values(), strict=True):
                    setattr(self, name, Parameter(minigrad.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _check_settings(self, dropout):
        """PyTorch's conditions on the arguments of the constructor."""
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= self.dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed, "
                f"but got {dropout!r}"
            )
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        for name, kind in (("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
            if kind is int and value <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    def reset_parameters(self) -> None:
        """Draw the parameters anew: all uniform in ±√(1/hidden_size)."""
        init_recurrent(self)

    # ---- the parameters by layer

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [getattr(self, name) for name in self._flat_weights_names]

    def __getstate__(self):
        # PyTorch's layout, like all of a module's state: there the parameters stand in a list as well.
        return {**super().__getstate__(), **{name: getattr(self, name) for name in LISTS}}

    def __setstate__(self, state):
        super().__setstate__({name: value for name, value in state.items() if name not in LISTS})

    def flatten_parameters(self) -> None:
        """Nothing; in PyTorch it arranges the parameters for cuDNN."""

    # ---- the states

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise ValueError for another dtype than the weights', RuntimeError for a wrong shape."""
        dtype = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype != dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert input: "
                f"input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        expected = 3 if batch_sizes is None else 2
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of the hidden state for this (batched) input."""
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0) if self.batch_first else input.size(1)
        return self.num_layers * (2 if self.bidirectional else 1), batch, self.proj_size or self.hidden_size

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise RuntimeError if the state has another shape."""
        if hx.size() != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise what `check_input` and `check_hidden_size` do."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The state with its sequences in another order."""
        return hx if permutation is None else hx.index_select(1, permutation)

    def _zero_state(self, input, batch_sizes) -> Any:
        return minigrad.zeros(self.get_expected_hidden_size(input, batch_sizes), dtype=input.dtype)

    def _check_state_dims(self, hx, batched):
        if hx.dim() != 2 + batched:
            raise RuntimeError(
                f"For {'batched 3-D' if batched else 'unbatched 2-D'} input, hx should also be {2 + batched}-D but got "
                f"{hx.dim()}-D tensor"
            )

    def _each_state(self, function, hx) -> Any:
        """``function`` of the state, or of each of the two."""
        return function(hx)

    # ---- the way through

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        if isinstance(input, PackedSequence):
            data, batch_sizes, order, original = input
            if hx is None:
                self.check_input(data, batch_sizes)
                hx = self._zero_state(data, batch_sizes)
            else:
                hx = self.permute_hidden(hx, order)
                self.check_forward_args(data, hx, batch_sizes)
            output, hidden = self._run(data, hx, batch_sizes)
            return PackedSequence(output, batch_sizes, order, original), self.permute_hidden(hidden, original)
        if input.dim() not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D tensor instead")
        batched, batch_dim = input.dim() == 3, 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_dim)
        if hx is None:
            self.check_input(input, None)
            hx = self._zero_state(input, None)
        else:
            self._check_state_dims(hx, batched)
            if not batched:
                hx = self._each_state(lambda state: state.unsqueeze(1), hx)
            self.check_forward_args(input, hx, None)
        output, hidden = self._run(input, hx, None)
        if not batched:
            output, hidden = output.squeeze(batch_dim), self._each_state(lambda state: state.squeeze(1), hidden)
        return output, hidden

    def _run(self, data, hx, batch_sizes):
        function = getattr(minigrad, self.mode.lower())
        settings = self.bias, self.num_layers, self.dropout, self.training, self.bidirectional
        if batch_sizes is None:
            output, *states = function(data, hx, self._flat_weights, *settings, self.batch_first)
        else:
            output, *states = function(data, batch_sizes, hx, self._flat_weights, *settings)
        return output, tuple(states) if self.mode == "LSTM" else states[0]

    def extra_repr(self) -> str:
        shown = [f"{self.input_size}, {self.hidden_size}"]
        defaults = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False,
        }  # fmt: skip
        shown += [f"{name}={getattr(self, name)}" for name, usual in defaults.items() if getattr(self, name) != usual]
        return ", ".join(shown)

"""Recurrent layers: RNN, LSTM, GRU, and the cells RNNCell, LSTMCell, GRUCell. What the layers share is in
`rnn_base.py`."""

from __future__ import annotations

from typing import Any

import minigrad
from minigrad.nn.modules.module import Module
from minigrad.nn.modules.rnn_base import RNNBase, init_recurrent
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]


def only_lstm(proj_size):
    """Refuse a projection."""
    if proj_size is not None:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """Elman's recurrent layers: ``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``.

    Input, state and output as for `GRU`.

    Args:
        nonlinearity (str): "tanh" or "relu".
        The others as for `GRU`.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ...: ``(hidden_size, ...)``; see `GRU`.

    PyTorch: torch.nn.RNN
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device=None,
        dtype=None,
        *,
        proj_size: int | None = None,
    ) -> None:
        only_lstm(proj_size)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        mode = "RNN_" + nonlinearity.upper()
        settings = num_layers, bias, batch_first, dropout, bidirectional
        super().__init__(mode, input_size, hidden_size, *settings, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Layers with long short-term memory: a cell state that gates let in, forget and show.

    ::

        i, f, g, o = the four parts of  W_ih x_t + b_ih + W_hh h_{t-1} + b_hh
        c_t = σ(f) c_{t-1} + σ(i) tanh(g)
        h_t = σ(o) tanh(c_t)                     with a projection, W_hr of that

    With L steps, N sequences, D directions and P = proj_size or hidden_size: input ``(L, N, input_size)`` and states
    ``(h_0, c_0)`` of ``(num_layers * D, N, P)`` and ``(num_layers * D, N, hidden_size)``, zeros if not given; output
    ``(L, N, D * P)``, the h_t of the last layer, and ``(h_n, c_n)``. With batch_first, input and output are
    ``(N, L, *)``. A single sequence has no N anywhere. A `PackedSequence` gives one.

    Args:
        input_size (int): features of an input.
        hidden_size (int): features of a state.
        num_layers (int): each layer takes the outputs of the one before.
        bias (bool): whether there are biases.
        batch_first (bool): the order of the dimensions of input and output.
        dropout (float): probability of an output of a layer, but the last, being zeroed while training.
        bidirectional (bool): a second direction goes from the end to the beginning; outputs stand side by side.
        proj_size (int): features that h is projected to; 0 for none.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        weight_ih_l0: ``(4 * hidden_size, input_size)``; of later layers ``(4 * hidden_size, D * P)``. The parts are
            i, f, g, o.
        weight_hh_l0: ``(4 * hidden_size, P)``.
        bias_ih_l0, bias_hh_l0: ``(4 * hidden_size,)``.
        weight_hr_l0: ``(proj_size, hidden_size)``, with a projection.
        weight_ih_l0_reverse, ...: those of the other direction.

    All start uniform in ±√(1/hidden_size).

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory (1997). PyTorch: torch.nn.LSTM
    """

    def __init__(
        self,
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
        settings = num_layers, bias, batch_first, dropout, bidirectional, proj_size
        super().__init__("LSTM", input_size, hidden_size, *settings, device, dtype)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of the cell state for this (batched) input."""
        return *self.get_expected_hidden_size(input, batch_sizes)[:2], self.hidden_size

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """As `RNNBase.check_forward_args`, of both states."""
        self.check_input(input, batch_sizes)
        hidden_size = self.get_expected_hidden_size(input, batch_sizes)
        self.check_hidden_size(hidden[0], hidden_size, "Expected hidden[0] size {}, got {}")
        cell_size = self.get_expected_cell_size(input, batch_sizes)
        self.check_hidden_size(hidden[1], cell_size, "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Both states with their sequences in another order."""
        if permutation is None:
            return hx
        return hx[0].index_select(1, permutation), hx[1].index_select(1, permutation)

    def _zero_state(self, input, batch_sizes):
        hidden = super()._zero_state(input, batch_sizes)
        if not self.proj_size:
            return hidden, hidden
        return hidden, minigrad.zeros(self.get_expected_cell_size(input, batch_sizes), dtype=input.dtype)

    def _check_state_dims(self, hx, batched):
        if hx[0].dim() != 2 + batched or hx[1].dim() != 2 + batched:
            raise RuntimeError(
                f"For {'batched 3-D' if batched else 'unbatched 2-D'} input, hx and cx should also be {2 + batched}-D "
                f"but got ({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )

    def _each_state(self, function, hx):
        return function(hx[0]), function(hx[1])


class GRU(RNNBase):
    """Gated recurrent units: a reset gate r and an update gate z.

    ::

        r, z, n = the three parts of  W_ih x_t + b_ih;   r', z', n' those of  W_hh h_{t-1} + b_hh
        h_t = (1 - σ(z + z')) tanh(n + σ(r + r') n') + σ(z + z') h_{t-1}

    With L steps, N sequences and D directions: input ``(L, N, input_size)`` and state ``(num_layers * D, N,
    hidden_size)``, zeros if not given; output ``(L, N, D * hidden_size)``, the h_t of the last layer, and the last
    states. With batch_first, input and output are ``(N, L, *)``. A single sequence has no N anywhere. A
    `PackedSequence` gives one.

    Args:
        input_size (int): features of an input.
        hidden_size (int): features of a state.
        num_layers (int): each layer takes the outputs of the one before.
        bias (bool): whether there are biases.
        batch_first (bool): the order of the dimensions of input and output.
        dropout (float): probability of an output of a layer, but the last, being zeroed while training.
        bidirectional (bool): a second direction goes from the end to the beginning; outputs stand side by side.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.
        proj_size: refused; only `LSTM` has projections.

    Attributes:
        weight_ih_l0: ``(3 * hidden_size, input_size)``; of later layers ``(3 * hidden_size, D * hidden_size)``. The
            parts are r, z, n.
        weight_hh_l0: ``(3 * hidden_size, hidden_size)``.
        bias_ih_l0, bias_hh_l0: ``(3 * hidden_size,)``.
        weight_ih_l0_reverse, ...: those of the other direction.

    All start uniform in ±√(1/hidden_size).

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder (2014). PyTorch: torch.nn.GRU
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device=None,
        dtype=None,
        *,
        proj_size: int | None = None,
    ) -> None:
        only_lstm(proj_size)
        settings = num_layers, bias, batch_first, dropout, bidirectional
        super().__init__("GRU", input_size, hidden_size, *settings, device=device, dtype=dtype)


class RNNCellBase(Module):
    """What the cells share: their parameters.

    Args:
        num_chunks (int): how many gates there are.
        The others as for `GRUCell`.

    PyTorch: torch.nn.RNNCellBase
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device=None, dtype=None) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows, factory = num_chunks * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(minigrad.empty((rows, input_size), **factory))
        self.weight_hh = Parameter(minigrad.empty((rows, hidden_size), **factory))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(minigrad.empty(rows, **factory)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew: all uniform in ±√(1/hidden_size)."""
        init_recurrent(self)

    def _step(self, function, input, hx):
        """``function`` of input and state, made batches if they are single ones."""
        self._check_dims(input, "input")
        if hx is not None:
            self._check_dims(hx, "hidden")
        batch = input if input.dim() == 2 else input.unsqueeze(0)
        if hx is None:
            hx = minigrad.zeros(batch.size(0), self.hidden_size, dtype=batch.dtype)
        elif input.dim() == 1:
            hx = hx.unsqueeze(0)
        out = function(batch, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return out if input.dim() == 2 else out.squeeze(0)

    def _check_dims(self, given, what):
        if given.dim() not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected {what} to be 1D or 2D, got {given.dim()}D instead")

    def extra_repr(self) -> str:
        shown = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            shown += f", bias={self.bias}"
        return shown


class RNNCell(RNNCellBase):
    """One step of `RNN`: ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``.

    Input, state and parameters as for `GRUCell`, but for the number of gates, which is one.

    Args:
        nonlinearity (str): "tanh" or "relu".
        The others as for `GRUCell`.

    PyTorch: torch.nn.RNNCell
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device=None, dtype=None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        functions = {"tanh": minigrad.rnn_tanh_cell, "relu": minigrad.rnn_relu_cell}
        if self.nonlinearity not in functions:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(functions[self.nonlinearity], input, hx)

    def extra_repr(self) -> str:
        shown = super().extra_repr()
        return shown if self.nonlinearity == "tanh" else f"{shown}, nonlinearity={self.nonlinearity}"


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: from x and (h, c) to the next (h, c).

    Input ``(N, input_size)`` and two states ``(N, hidden_size)``, or without N; zeros if not given.

    Args and Attributes: as for `GRUCell`, with four gates i, f, g, o.

    PyTorch: torch.nn.LSTMCell
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        self._check_dims(input, "input")
        for k, state in enumerate(() if hx is None else hx):
            self._check_dims(state, f"hx[{k}]")
        batch = input if input.dim() == 2 else input.unsqueeze(0)
        if hx is None:
            zeros = minigrad.zeros(batch.size(0), self.hidden_size, dtype=batch.dtype)
            hx = (zeros, zeros)
        elif input.dim() == 1:
            hx = (hx[0].unsqueeze(0), hx[1].unsqueeze(0))
        hidden, cell = minigrad.lstm_cell(batch, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return (hidden, cell) if input.dim() == 2 else (hidden.squeeze(0), cell.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of `GRU`: from x and h to the next h.

    Input ``(N, input_size)`` and state ``(N, hidden_size)``, or without N; the state is zeros if not given.

    Args:
        input_size (int): features of an input.
        hidden_size (int): features of a state.
        bias (bool): whether there are biases.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        weight_ih, weight_hh: ``(3 * hidden_size, input_size)``, ``(3 * hidden_size, hidden_size)``; the parts are
            r, z, n.
        bias_ih, bias_hh: ``(3 * hidden_size,)``, or None.

    PyTorch: torch.nn.GRUCell
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(minigrad.gru_cell, input, hx)

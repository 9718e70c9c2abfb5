"""Recurrent layers: LSTM, GRU and the plain RNN, and their cells.

One direction of one layer is one op. Its forward and backward run over the whole sequence in kernels
(`kernels/recurrent.py`, which also says how the rows of the time steps lie). Where the backward is itself to be
differentiated, the equations below, written with plain ops step by step, take the kernels' place.
"""

# The names in composites and rules are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import recurrent as kernels
from minigrad.registry import FUNCTION, Op, composite, helper, on_every_path
from minigrad.samples import S

on_every_path("recurrent_steps")(lambda sizes, reverse: kernels.steps(sizes, reverse).tolist())

# ---- the equations


@helper
def gates_of(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh):
    """The sums of input and state that a cell starts from."""
    return linear(input, weight_ih, bias_ih) + linear(hidden, weight_hh, bias_hh)


@helper
def lstm_equations(input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr):
    """A step of an LSTM: the new (hidden, cell). (Hochreiter & Schmidhuber 1997; Gers et al. 2000)"""
    i, f, g, o = chunk(gates_of(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh), 4, 1)
    cell = sigmoid(f) * cell + sigmoid(i) * tanh(g)
    hidden = sigmoid(o) * tanh(cell)
    return hidden if weight_hr is None else linear(hidden, weight_hr), cell


@helper
def gru_equations(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh):
    """A step of a GRU: the new (hidden,). (Cho et al. 2014, arXiv:1406.1078)"""
    r, z, n = chunk(linear(input, weight_ih, bias_ih), 3, 1)
    by_r, by_z, by_n = chunk(linear(hidden, weight_hh, bias_hh), 3, 1)
    z = sigmoid(z + by_z)
    return ((1 - z) * tanh(n + sigmoid(r + by_r) * by_n) + z * hidden,)


@helper
def rnn_equations(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, relu_):
    """A step of a plain RNN: the new (hidden,). (Elman 1990)"""
    total = gates_of(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh)
    return (relu(total) if relu_ else tanh(total),)


@helper
def step_by_step(equations, input, state, weights, sizes, reverse):
    """The equations applied to all steps: the states of all rows, then the last of each of `state`'s tensors."""
    shape, shapes, parts = input.shape[:-1], [each.shape for each in state], []
    input, state = flatten(input, 0, -2), [flatten(each, 0, -2) for each in state]
    for start, count in recurrent_steps(sizes, reverse):
        now = equations(narrow(input, 0, start, count), *[narrow(s, 0, 0, count) for s in state], *weights)
        state = [
            cat([new, narrow(old, 0, count, old.shape[0] - count)]) if count < old.shape[0] else new
            for new, old in zip(now, state, strict=True)
        ]
        parts.append(now[0])
    states = cat(parts[::-1] if reverse else parts)
    last = [reshape(each, known) for each, known in zip(state, shapes, strict=True)]
    return (reshape(states, (*shape, states.shape[1])), *last)


@helper
def lstm_step_by_step(input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, sizes, reverse):
    weights = weight_ih, weight_hh, bias_ih, bias_hh, weight_hr
    return step_by_step(lstm_equations, input, (hidden, cell), weights, sizes, reverse)


@helper
def gru_step_by_step(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse):
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    return step_by_step(gru_equations, input, (hidden,), weights, sizes, reverse)


@helper
def rnn_step_by_step(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, relu, sizes, reverse):
    weights = weight_ih, weight_hh, bias_ih, bias_hh, relu
    return step_by_step(rnn_equations, input, (hidden,), weights, sizes, reverse)


# ---- one direction of a layer

BIASES = ("bias_ih", "bias_hh")


def rows_of(*arrays):
    """Arrays (..., width) as matrices of rows; None stays None."""
    return [a if a is None or a.ndim == 2 else a.reshape(math.prod(a.shape[:-1]), a.shape[-1]) for a in arrays]


def like(first, states, results):
    """Results in rows, the first of which goes with `first` and the next ones with `states`, in the shapes of these."""
    shapes = [first.shape[:-1] if first.ndim > 2 else None, *[s.shape[:-1] if s.ndim > 2 else None for s in states]]
    shaped = [r if s is None or r is None else r.reshape(*s, r.shape[-1]) for r, s in zip(results, shapes)]
    return (*shaped, *results[len(shapes) :])


class lstm_layer(Op):
    """One direction of a layer of `lstm`: rows (..., I) and states (..., P), (..., H) to rows (..., P) and the last
    states."""

    public, fresh, optional, result = (), True, (*BIASES, "weight_hr"), "lstm_layer"
    pieces = ("states", "last_hidden", "last_cell", "gates", "cells")

    def forward(input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, /, sizes, reverse, through):
        rows = rows_of(input, hidden, cell)
        results = kernels.lstm_forward(*rows, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, sizes, reverse)
        return like(input, (hidden, cell), results)

    def vjp(g, input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, states, gates, cells, sizes,
            reverse, through):  # fmt: skip
        inputs = input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr
        return gradients_through(lstm_step_by_step, inputs, (sizes, reverse), g[:3])

    def fused(g, input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, states, gates, cells, sizes,
              reverse, through):  # fmt: skip
        weights = weight_ih, weight_hh, weight_hr
        known = *rows_of(input, hidden, cell), *weights, *rows_of(states, gates, cells, *g[:3])
        return like(input, (hidden, cell), kernels.lstm_backward(*known, sizes, reverse, through))


class gru_layer(Op):
    """One direction of a layer of `gru`: rows (..., I) and states (..., H) to rows (..., H) and the last states."""

    public, fresh, optional, result = (), True, BIASES, "gru_layer"
    pieces = ("states", "last_hidden", "gates")

    def forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, /, sizes, reverse, through):
        rows = rows_of(input, hidden)
        results = kernels.gru_forward(*rows, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse)
        return like(input, (hidden,), results)

    def vjp(g, input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, states, gates, sizes, reverse, through):
        inputs = input, hidden, weight_ih, weight_hh, bias_ih, bias_hh
        return gradients_through(gru_step_by_step, inputs, (sizes, reverse), g[:2])

    def fused(g, input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, states, gates, sizes, reverse, through):
        known = *rows_of(input, hidden), weight_ih, weight_hh, *rows_of(states, gates, *g[:2])
        return like(input, (hidden,), kernels.gru_backward(*known, sizes, reverse, through))


class rnn_layer(Op):
    """One direction of a layer of `rnn_tanh` or `rnn_relu`: rows (..., I) and states (..., H) to rows (..., H) and the
    last states."""

    public, fresh, optional, result = (), True, BIASES, "rnn_layer"
    pieces = ("states", "last_hidden")

    def forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, /, relu, sizes, reverse, through):
        rows = rows_of(input, hidden)
        results = kernels.rnn_forward(*rows, weight_ih, weight_hh, bias_ih, bias_hh, relu, sizes, reverse)
        return like(input, (hidden,), results)

    def vjp(g, input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, states, relu, sizes, reverse, through):
        inputs = input, hidden, weight_ih, weight_hh, bias_ih, bias_hh
        return gradients_through(rnn_step_by_step, inputs, (relu, sizes, reverse), g)

    def fused(g, input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, states, relu, sizes, reverse, through):
        known = *rows_of(input, hidden), weight_ih, weight_hh, *rows_of(states, *g)
        return like(input, (hidden,), kernels.rnn_backward(*known, relu, sizes, reverse, through))


# ---- all layers and directions


@on_every_path("recurrent_arguments")
def recurrent_arguments(name, arguments):
    """PyTorch's two orders: of a tensor (input, hx, params, ..., batch_first), of a packed sequence (data, batch_sizes,
    hx, params, ...). Returns the arguments in the first order, with the batch sizes, or None, at the end."""
    first, second, third, fourth, *rest = arguments
    if not isinstance(fourth, tuple | list):
        return (*arguments, None)
    sizes = getattr(second, "array", second)
    if sizes.ndim != 1 or not sizes.size:
        raise RuntimeError(f"{name}(): expected batch_sizes (steps,), but got {shape_text(sizes.shape)}")
    if sizes[-1] < 0 or (np.diff(sizes) > 0).any() or sizes.sum() != first.shape[0]:
        raise RuntimeError(
            f"{name}(): expected batch_sizes that fall and sum to {first.shape[0]}, the rows of data, but got "
            f"{sizes.tolist()}"
        )
    return first, third, fourth, *rest, False, tuple([int(n) for n in sizes])


@on_every_path("recurrent_weights")
def recurrent_weights(name, params, has_biases, projected, count):
    """The parameters of each layer and direction: weight_ih, weight_hh, bias_ih, bias_hh, weight_hr."""
    each = 2 + 2 * bool(has_biases) + projected
    if len(params) != each * count:
        raise RuntimeError(f"{name}(): expected {each} parameters for each of {count} directions, got {len(params)}")
    groups = [list(params[k : k + each]) for k in range(0, len(params), each)]
    if has_biases:
        return groups
    return [[*group[:2], None, None, *group[2:]] for group in groups]


@on_every_path("check_recurrent")
def check_recurrent(name, input, states, packed):
    """PyTorch's conditions on the dimensions of a recurrent layer's input and states."""
    if input.ndim != (2 if packed else 3):
        raise RuntimeError(
            f"{name}(): expected input of {2 if packed else 3} dimensions, but got shape {shape_text(input.shape)}"
        )
    if not packed and not input.shape[0]:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    for state in states:
        if state.ndim != 3:
            raise RuntimeError(f"{name}(): expected hx of 3 dimensions, but got shape {shape_text(state.shape)}")


def outline(x):
    """The shape of a tensor or an array, and its NumPy dtype."""
    shape = getattr(x, "_shape", None)
    return x.shape if shape is None else shape, getattr(x, "array", x).dtype


@on_every_path("check_direction")
def check_direction(name, gates, input, batch, states, weights):
    """The kernels rely on this: everything has the shape that goes with input (..., I), and its dtype."""
    (*_, features), dtype = outline(input)
    (*leading, out), hidden = outline(states[0])[0], outline(states[-1])[0][-1]
    leading = *(1,) * (len(leading) - 1), batch
    shapes = (
        (gates * hidden, features), (gates * hidden, out), (gates * hidden,), (gates * hidden,), (out, hidden)
    )  # fmt: skip
    parameters = zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"), shapes, weights)
    sizes = zip(("hidden state", "cell state"), ((*leading, out), (*leading, hidden)), states)
    for what, shape, given in (*parameters, *sizes):
        if given is None:
            continue
        found, kind = outline(given)
        if found != shape:
            raise RuntimeError(
                f"{name}(): expected {what} of shape {shape_text(shape)} for {features} features of input and "
                f"{hidden} of state, but got {shape_text(found)}"
            )
        if kind != dtype:
            raise RuntimeError(f"{name}(): expected {what} of the input's dtype {input.dtype}, but got {given.dtype}")


@helper
def all_layers(name, layer, gates, input, states, params, has_biases, num_layers, dropout_p, train, bidirectional,
               batch_first, sizes, attributes):  # fmt: skip
    """`layer` for each direction of each layer: the last one's outputs, and the last states of all."""
    if batch_first:
        input = transpose(input, 0, 1)
    check_recurrent(name, input, states, sizes is not None)
    directions = 2 if bidirectional else 1
    projected = len(states) == 2 and states[0].shape[2] != states[1].shape[2]
    weights = recurrent_weights(name, params, has_biases, projected, num_layers * directions)
    if sizes is None:
        sizes = (input.shape[1],) * input.shape[0]
    last = []
    for k in range(num_layers):
        outputs = []
        for direction in range(directions):
            at = k * directions + direction
            group = [*weights[at], None][:5] if len(states) == 2 else weights[at]
            start = states if len(weights) == 1 else [narrow(state, 0, at, 1) for state in states]
            check_direction(name, gates, input, sizes[0], start, group)
            out = layer(input, *start, *group, *attributes, sizes, direction == 1, wants_gradient(input))
            outputs.append(out[0])
            last.append(out[1 : 1 + len(states)])
        input = cat(outputs, -1) if bidirectional else outputs[0]
        if dropout_p and train and k < num_layers - 1:
            input = dropout(input, dropout_p)
    if batch_first:
        input = transpose(input, 0, 1)
    return input, *[each[0] if len(each) == 1 else cat(each) for each in zip(*last)]


def layer_samples(parts, two_states):
    """A batch; two layers, both directions, without biases; packed; and for an LSTM, projected."""

    def samples(make):
        def small(*shape):
            return make(*shape, low=-1.0, high=1.0)

        def weights(inputs, hidden, biases, out=None):
            out = out or hidden
            found = [small(parts * hidden, inputs), small(parts * hidden, out)]
            found += [small(parts * hidden), small(parts * hidden)] if biases else []
            return found + ([small(out, hidden)] if out != hidden else [])

        def state(*shape, out=None):
            if not two_states:
                return small(*shape)
            return small(*shape[:-1], out or shape[-1]), small(*shape)

        yield S(small(2, 2, 2), state(1, 2, 2), weights(2, 2, True), True, 1, 0.0, True, False, False)
        several = [w for size in (1, 1, 2, 2) for w in weights(size, 1, False)]
        yield S(small(1, 2, 1), state(4, 1, 1), several, False, 2, 0.0, False, True, True)
        both = weights(1, 1, True) + weights(1, 1, True)
        yield S(small(3, 1), np.array([2, 1]), state(2, 2, 1), both, True, 1, 0.0, True, True)
        if two_states:
            yield S(small(2, 1, 1), state(1, 1, 2, out=1), weights(1, 2, True, 1), True, 1, 0.0, True, False, False)

    return samples


def cell_samples(parts, two_states):
    """A batch, with and without biases."""

    def samples(make):
        def state(*shape):
            return (make(*shape), make(*shape)) if two_states else make(*shape)

        yield S(make(2, 3), state(2, 2), make(2 * parts, 3), make(2 * parts, 2), make(2 * parts), make(2 * parts))
        yield S(make(3, 1), state(3, 2), make(2 * parts, 1), make(2 * parts, 2))

    return samples


@composite(samples=layer_samples(4, True), public=(FUNCTION,))
def lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    """lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) -> (output, h_n, c_n)
    lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional) -> (output, h_n, c_n)

    What nn.LSTM computes: with i, f, g, o the four parts of ``W_ih x + b_ih + W_hh h + b_hh``,
    ``c' = σ(f) c + σ(i) tanh(g)`` and ``h' = σ(o) tanh(c')``. input (L, N, I), hx = (h_0 (layers*directions, N, P),
    c_0 (layers*directions, N, H)), params the parameters of each layer and direction as nn.LSTM has them; output
    (L, N, directions*P). P is H unless there is a projection. (Hochreiter & Schmidhuber 1997; PyTorch: torch.lstm)
    """
    *arguments, sizes = recurrent_arguments(
        "lstm", (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    )
    input, hx, *rest = arguments
    if len(hx) != 2:
        raise RuntimeError("lstm expects two hidden states")
    return all_layers("lstm", lstm_layer, 4, input, hx, *rest, sizes, ())


@composite(samples=layer_samples(3, False), public=(FUNCTION,))
def gru(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    """gru(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) -> (output, h_n)
    gru(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional) -> (output, h_n)

    What nn.GRU computes: with r, z, n the parts of ``W_ih x + b_ih`` and r', z', n' those of ``W_hh h + b_hh``,
    ``h' = (1 - σ(z + z')) tanh(n + σ(r + r') n') + σ(z + z') h``. input (L, N, I), hx (layers*directions, N, H), params
    the parameters of each layer and direction as nn.GRU has them; output (L, N, directions*H).
    (Cho et al. 2014, arXiv:1406.1078; PyTorch: torch.gru)
    """
    *arguments, sizes = recurrent_arguments(
        "gru", (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    )
    input, hx, *rest = arguments
    return all_layers("gru", gru_layer, 3, input, (hx,), *rest, sizes, ())


@composite(samples=layer_samples(1, False), public=(FUNCTION,))
def rnn_tanh(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    """rnn_tanh(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) -> (output, h_n)
    rnn_tanh(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional) -> (output, h_n)

    What nn.RNN computes: ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``. Shapes as for `gru`. (PyTorch: torch.rnn_tanh)
    """
    *arguments, sizes = recurrent_arguments(
        "rnn_tanh", (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    )
    input, hx, *rest = arguments
    return all_layers("rnn_tanh", rnn_layer, 1, input, (hx,), *rest, sizes, (False,))


@composite(samples=layer_samples(1, False), public=(FUNCTION,))
def rnn_relu(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    """rnn_relu(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) -> (output, h_n)
    rnn_relu(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional) -> (output, h_n)

    `rnn_tanh` with relu in the place of tanh. (PyTorch: torch.rnn_relu)
    """
    *arguments, sizes = recurrent_arguments(
        "rnn_relu", (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    )
    input, hx, *rest = arguments
    return all_layers("rnn_relu", rnn_layer, 1, input, (hx,), *rest, sizes, (True,))


# ---- cells: layers of one step


@on_every_path("check_cell")
def check_cell(name, gates, input, states, weight_ih, weight_hh, bias_ih, bias_hh):
    """PyTorch's conditions on a cell's input and states."""
    shape, shapes = outline(input)[0], [outline(state)[0] for state in states]
    for given in (shape, *shapes):
        if len(given) != 2:
            raise RuntimeError(f"{name}(): expected input and states of 2 dimensions, got {shape_text(given)}")
    features, size = outline(weight_ih)[0][1], outline(weight_hh)[0][1]
    if shape[1] != features:
        raise RuntimeError(f"input has inconsistent input_size: got {shape[1]} expected {features}")
    for k, state in enumerate(shapes):
        if shape[0] != state[0]:
            raise RuntimeError(f"Input batch size {shape[0]} doesn't match hidden{k} batch size {state[0]}")
        if state[1] != size:
            raise RuntimeError(f"hidden{k} has inconsistent hidden_size: got {state[1]}, expected {size}")
    check_direction(name, gates, input, shape[0], states, (weight_ih, weight_hh, bias_ih, bias_hh))


@composite(samples=cell_samples(4, True), public=(FUNCTION,))
def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None) -> (h, c)

    One step of `lstm` from hx = (h, c): input (N, I), states (N, H), w_ih (4H, I), w_hh (4H, H), biases (4H).
    (PyTorch: torch.lstm_cell)
    """
    if not isinstance(hx, tuple | list):
        raise TypeError(f"lstm_cell(): argument 'hx' must be a tuple of two tensors, not {type(hx).__name__}")
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    check_cell("lstm_cell", 4, input, hx, w_ih, w_hh, b_ih, b_hh)
    return tuple(
        lstm_layer(input, *hx, w_ih, w_hh, b_ih, b_hh, None, (input.shape[0],), False, wants_gradient(input))[1:3]
    )


@composite(samples=cell_samples(3, False), public=(FUNCTION,))
def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None) -> Tensor

    One step of `gru`: input (N, I), state hx (N, H), w_ih (3H, I), w_hh (3H, H), biases (3H).
    (PyTorch: torch.gru_cell)
    """
    check_cell("gru_cell", 3, input, (hx,), w_ih, w_hh, b_ih, b_hh)
    return gru_layer(input, hx, w_ih, w_hh, b_ih, b_hh, (input.shape[0],), False, wants_gradient(input))[1]


@composite(samples=cell_samples(1, False), public=(FUNCTION,))
def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None) -> Tensor

    ``tanh(w_ih input + b_ih + w_hh hx + b_hh)``: input (N, I), state hx (N, H), w_ih (H, I), w_hh (H, H), biases (H).
    (PyTorch: torch.rnn_tanh_cell)
    """
    check_cell("rnn_tanh_cell", 1, input, (hx,), w_ih, w_hh, b_ih, b_hh)
    return rnn_layer(input, hx, w_ih, w_hh, b_ih, b_hh, False, (input.shape[0],), False, wants_gradient(input))[1]


@composite(samples=cell_samples(1, False), public=(FUNCTION,))
def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None) -> Tensor

    `rnn_tanh_cell` with relu in the place of tanh. (PyTorch: torch.rnn_relu_cell)
    """
    check_cell("rnn_relu_cell", 1, input, (hx,), w_ih, w_hh, b_ih, b_hh)
    return rnn_layer(input, hx, w_ih, w_hh, b_ih, b_hh, True, (input.shape[0],), False, wants_gradient(input))[1]

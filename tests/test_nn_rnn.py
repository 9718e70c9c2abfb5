"""Recurrent layers and cells against torch: same seed, same weights, same numbers forward and backward, same errors."""

import copy
import itertools
import pickle

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn.utils import rnn as our_sequences

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's
sequences = {torch: torch.nn.utils.rnn, minigrad: our_sequences}
KINDS = ("RNN", "LSTM", "GRU")
kinds = pytest.mark.parametrize("kind", KINDS)
WAYS = ("batch", "first", "single", "packed", "unsorted")  # how the input comes

SETTINGS = [
    {},
    {"bias": False, "bidirectional": True},
    {"num_layers": 2, "dropout": 0.4},
    {"num_layers": 3, "bidirectional": True, "dropout": 0.5, "bias": False},
]
CASES = [(kind, way, settings) for kind, way, settings in itertools.product(KINDS, WAYS, SETTINGS)]
CASES += [("RNN", way, {"nonlinearity": "relu", "bidirectional": True}) for way in WAYS]
CASES += [
    ("LSTM", way, {"proj_size": 2, **settings})
    for way, settings in itertools.product(WAYS, ({}, {"num_layers": 2, "bidirectional": True, "dropout": 0.3}))
]


def case_id(case):
    kind, way, settings = case
    return "-".join([kind, way, *(f"{k}={v}" for k, v in settings.items())])


every_case = pytest.mark.parametrize("case", CASES, ids=case_id)


def close(actual, expected, what):
    assert tuple(actual.shape) == tuple(expected.shape), what
    assert str(actual.dtype) == str(expected.dtype), what
    np.testing.assert_allclose(actual.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-5, err_msg=what)


def inputs_of(T, case, state_given):
    """The layer, made from one seed, its inputs and those of them that get gradients."""
    kind, way, settings = case
    rng = np.random.default_rng(3)
    steps, batch, count, hidden = 4, 3, settings.get("num_layers", 1) * (1 + settings.get("bidirectional", 0)), 4
    out = settings.get("proj_size", hidden)
    shape = {"first": (batch, steps), "single": (steps,)}.get(way, (steps, batch))
    middle = () if way == "single" else (batch,)
    arrays = [rng.standard_normal((*shape, 5)), rng.standard_normal((count, *middle, out))]
    arrays += [rng.standard_normal((count, *middle, hidden))] if kind == "LSTM" else []
    x, *states = [T.tensor(a.astype(np.float32), requires_grad=True) for a in arrays]
    T.manual_seed(1)
    layer = getattr(T.nn, kind)(5, hidden, batch_first=way == "first", **settings)
    given = x
    if way in ("packed", "unsorted"):
        lengths = [4, 2, 1] if way == "packed" else [2, 4, 3]
        given = sequences[T].pack_padded_sequence(x, lengths, enforce_sorted=way == "packed")
    if not state_given:
        return layer, [given], [x]
    return layer, [given, tuple(states) if kind == "LSTM" else states[0]], [x, *states]


def run(T, case, state_given, training=True):
    """Outputs, gradients and what else is to agree, by name."""
    layer, arguments, differentiable = inputs_of(T, case, state_given)
    layer.train(training)
    found = {f"initial {name}": p for name, p in layer.named_parameters()}
    output, states = layer(*arguments)
    if case[1] in ("packed", "unsorted"):
        found["batch_sizes"] = output.batch_sizes
        output, found["lengths"] = sequences[T].pad_packed_sequence(output)
    states = states if case[0] == "LSTM" else (states,)
    found |= {"output": output, **{f"last state {k}": state for k, state in enumerate(states)}}
    loss = sum([(y * T.arange(1.0, y.numel() + 1).reshape(y.shape).cos()).sum() for y in (output, *states)])
    loss.backward()
    found |= {f"gradient of input {k}": x.grad for k, x in enumerate(differentiable)}
    found |= {f"gradient of {name}": p.grad for name, p in layer.named_parameters()}
    found["the next random numbers"] = T.rand(3)
    return found, [repr(layer), output.stride(), list(layer.state_dict())]


@every_case
def test_layers_agree(case):
    for state_given, training in ((True, True), (False, True), (True, False)):
        theirs, plain = run(torch, case, state_given, training)
        mine, ours = run(minigrad, case, state_given, training)
        assert ours == plain
        assert list(mine) == list(theirs)
        for name, expected in theirs.items():
            close(mine[name], expected, name)


@kinds
def test_large_layers_agree(kind):
    """So large that products are made in panels, and the backward takes more than one stretch."""
    lengths = [13, 13, 12, *[11] * 20, *[7] * 8, 1]
    settings = {"bidirectional": True, "proj_size": 96} if kind == "LSTM" else {"bidirectional": True}
    results = []
    for T in (torch, minigrad):
        T.manual_seed(0)
        layer, x = getattr(T.nn, kind)(5, 128, dtype=T.float64, **settings), T.randn(13, 32, 5).double()
        x.requires_grad_()
        output, last = layer(sequences[T].pack_padded_sequence(x, lengths))
        last = last[0] if kind == "LSTM" else last
        (output.data.sin().sum() + last.cos().sum()).backward()
        results.append([output.data, last, x.grad, *[p.grad for p in layer.parameters()]])
    for mine, theirs in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-6, atol=1e-6)


@kinds
def test_a_part_of_the_outputs_is_enough(kind):
    """Gradients through the output alone, through one last state alone, through one step."""
    for use in (lambda y, h: y, lambda y, h: h[0] if kind == "LSTM" else h, lambda y, h: y[1], lambda y, h: y[:, 1:]):
        gradients = []
        for T in (torch, minigrad):
            layer, arguments, wanted = inputs_of(T, (kind, "batch", {"bidirectional": True}), True)
            use(*layer(*arguments)).cos().sum().backward()
            gradients.append([x.grad for x in (*wanted, *layer.parameters())])
        for mine, theirs in zip(gradients[1], gradients[0], strict=True):
            assert (mine is None) == (theirs is None)
            if mine is not None:
                close(mine, theirs, "gradient")


@kinds
def test_second_derivatives_agree(kind):
    results = []
    for T in (torch, minigrad):
        T.manual_seed(0)
        layer = getattr(T.nn, kind)(3, 4, 2, bidirectional=True, dtype=T.float64)
        x = T.linspace(-1, 1, 18, dtype=T.float64).reshape(3, 2, 3).requires_grad_()
        (first,) = T.autograd.grad(layer(x)[0].sin().sum(), x, create_graph=True)
        results.append([first, *T.autograd.grad(first.sin().sum(), [x, *layer.parameters()])])
    for mine, theirs in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-12)


@kinds
def test_transforms(kind):
    """Forward mode, vmap and functional_call find what the layer computes."""
    layer = getattr(nn, kind)(3, 4, dtype=minigrad.float64)
    x, t = minigrad.linspace(-1, 1, 18, dtype=minigrad.float64).reshape(3, 2, 3), minigrad.ones(3, 2, 3).double()

    def output(x):
        return layer(x)[0]

    slope = minigrad.func.jvp(output, (x,), (t,))[1]
    differences = (output(x + 1e-6 * t) - output(x - 1e-6 * t)) / 2e-6
    np.testing.assert_allclose(slope.detach().numpy(), differences.detach().numpy(), atol=1e-8)
    mapped = minigrad.func.vmap(output)(minigrad.stack([x, 2 * x]))
    np.testing.assert_allclose(mapped[1].detach().numpy(), output(2 * x).detach().numpy(), atol=1e-12)
    double = {name: p * 2 for name, p in layer.named_parameters()}
    called = minigrad.func.functional_call(layer, double, (x,))[0]
    layer.load_state_dict(double)
    np.testing.assert_array_equal(called.detach().numpy(), output(x).detach().numpy())


CELLS = [(f"{kind}Cell", settings) for kind in KINDS for settings in ({}, {"bias": False})]
CELLS.append(("RNNCell", {"nonlinearity": "relu"}))


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(("name", "settings"), CELLS, ids=str)
def test_cells_agree(name, settings, single):
    results = []
    for T in (torch, minigrad):
        T.manual_seed(0)
        cell = getattr(T.nn, name)(3, 5, **settings)
        x = T.linspace(-1, 1, 3 if single else 6).reshape((3,) if single else (2, 3)).requires_grad_()
        state = None
        for _ in range(3):
            state = cell(x, state)
        states = list(state) if name == "LSTMCell" else [state]
        sum([s.sin().sum() for s in states]).backward()
        results.append((repr(cell), list(cell.state_dict()), [*states, x.grad, *[p.grad for p in cell.parameters()]]))
    (shown, names, theirs), (ours, our_names, mine) = results
    assert ours == shown
    assert our_names == names
    for k, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        close(one, other, str(k))


@kinds
def test_a_cell_is_a_step_of_its_layer(kind):
    layer, cell, x = getattr(nn, kind)(3, 4), getattr(nn, kind + "Cell")(3, 4), minigrad.randn(6, 2, 3)
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
    state = None
    for step in x:
        state = cell(step, state)
    last = layer(x)[1]
    for one, other in zip(state if kind == "LSTM" else [state], last if kind == "LSTM" else [last], strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other[0].detach().numpy(), rtol=1e-5, atol=1e-6)


@kinds
def test_states_cross_both_ways(kind):
    settings = {"num_layers": 2, "bidirectional": True}
    theirs, mine = getattr(torch.nn, kind)(3, 4, **settings), getattr(nn, kind)(3, 4, **settings)
    x = np.linspace(-1, 1, 18, dtype=np.float32).reshape(3, 2, 3)
    mine.load_state_dict({name: minigrad.from_numpy(p.numpy().copy()) for name, p in theirs.state_dict().items()})
    close(mine(minigrad.from_numpy(x))[0], theirs(torch.from_numpy(x))[0], "torch to minigrad")
    mine.reset_parameters()
    theirs.load_state_dict({name: torch.from_numpy(p.numpy().copy()) for name, p in mine.state_dict().items()})
    close(mine(minigrad.from_numpy(x))[0], theirs(torch.from_numpy(x))[0], "minigrad to torch")


@kinds
def test_copies_and_replaced_weights(kind):
    layer, x = getattr(nn, kind)(3, 4, 2), minigrad.randn(2, 2, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other(x)[0].tolist() == layer(x)[0].tolist()
        other.weight_hh_l1 = nn.Parameter(minigrad.zeros_like(layer.weight_hh_l1))
        assert other.all_weights[1][1] is other.weight_hh_l1
        assert other(x)[0].tolist() != layer(x)[0].tolist()
        other.flatten_parameters()
    layer.double()
    assert layer(x.double())[0].dtype is minigrad.float64
    with pytest.raises(ValueError, match="Convert input"):
        layer(x)


@kinds
def test_half_and_empty_batches(kind):
    for T in (torch, minigrad):
        output, state = getattr(T.nn, kind)(3, 4, bidirectional=True)(T.zeros(2, 0, 3))
        assert tuple(output.shape) == (2, 0, 8)
        assert tuple((state[1] if kind == "LSTM" else state).shape) == (2, 0, 4)
    results = []
    for T in (torch, minigrad):
        T.manual_seed(0)
        results.append(getattr(T.nn, kind)(3, 4).half()(T.ones(2, 3, 3).half())[0])
    assert results[1].dtype is minigrad.float16
    # float16 has eleven bits, and the two round after different operations.
    np.testing.assert_allclose(results[1].detach().numpy(), results[0].detach().numpy(), atol=2e-3)


def test_a_written_output_is_noticed():
    for kind in KINDS:
        output, _ = getattr(nn, kind)(3, 4)(minigrad.randn(2, 2, 3))
        output.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            output.sum().backward()


def test_learning_to_add():
    """An LSTM learns to say the sum of the numbers it has read: what all of this is for."""
    minigrad.manual_seed(0)
    layer, head = nn.LSTM(1, 8), nn.Linear(8, 1)
    optimizer = minigrad.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    losses = []
    for _ in range(120):
        x = minigrad.rand(4, 16, 1)
        loss = nn.functional.mse_loss(head(layer(x)[0]), x.cumsum(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < sum(losses[:10]) / 10


LINES = """
nn.LSTM(3, 4)(T.zeros(0, 2, 3))
nn.LSTM(3, 4)(T.zeros(3))
nn.GRU(3, 4)(T.zeros(2, 3, 4, 3))
nn.RNN(3, 4)(T.zeros(2, 3, 5))
nn.LSTM(3, 4)(T.zeros(2, 3, 3).double())
nn.LSTM(3, 4)(T.zeros(2, 3, 3), (T.zeros(1, 3, 4), T.zeros(1, 3, 5)))
nn.LSTM(3, 4)(T.zeros(2, 3, 3), (T.zeros(1, 2, 4), T.zeros(1, 3, 4)))
nn.LSTM(3, 4)(T.zeros(2, 3, 3), (T.zeros(3, 4), T.zeros(3, 4)))
nn.LSTM(3, 4)(T.zeros(2, 3), (T.zeros(1, 3, 4), T.zeros(1, 3, 4)))
nn.GRU(3, 4)(T.zeros(2, 3, 3), T.zeros(1, 3, 5))
nn.GRU(3, 4)(T.zeros(2, 3, 3), T.zeros(3, 4))
nn.GRU(3, 4)(T.zeros(2, 3), T.zeros(1, 3, 4))
nn.GRU(3, 4)(T.zeros(2, 3, 3), T.zeros(1, 3, 4).double())
nn.GRU(3, 4, proj_size=2)
nn.RNN(3, 4, proj_size=2)
nn.RNN(3, 4, 1, 'sin')
nn.LSTM(3, 4, proj_size=4)
nn.LSTM(3, 4, proj_size=-1)
nn.LSTM(3, 4, num_layers=0)
nn.LSTM(3, 4, 2, dropout=1.5)
nn.LSTM(3, 4, 2, dropout=True)
nn.LSTM(3, 4, bias=1)
nn.LSTM(3, 4, batch_first=1)
nn.LSTM(3.0, 4)
nn.LSTM(3, 4.0)
nn.LSTM(0, 4)
nn.LSTM(3, 0)
nn.LSTM(3, 4, foo=1)
nn.LSTM(3)
nn.RNNBase('X', 3, 4)
nn.RNNCell(3, 4, nonlinearity='x')(T.ones(2, 3))
nn.LSTMCell(3, 4)(T.ones(2, 3), (T.ones(2, 4),))
nn.LSTMCell(3, 4)(T.ones(2, 2, 3))
nn.LSTMCell(3, 4)(T.ones(2, 2))
nn.LSTMCell(3, 4)(T.ones(2, 3), (T.ones(2, 5), T.ones(2, 4)))
nn.LSTMCell(3, 4)(T.ones(2, 3), (T.ones(3, 4), T.ones(2, 4)))
nn.GRUCell(3, 4)(T.ones(2, 3), T.ones(2, 2, 4))
nn.GRUCell(3, 4)(T.ones(2, 3), T.ones(2, 3))
nn.GRUCell(3, 4)(T.ones(2, 3), T.ones(3, 4))
nn.GRUCell(3, 4)(T.ones(2, 3), T.ones(2, 4).double())
T.gru_cell(T.ones(2, 3), T.ones(2, 4), T.ones(8, 3), T.ones(8, 4))
T.lstm(T.ones(2, 3, 3), (T.ones(1, 3, 4),), [T.ones(16, 3), T.ones(16, 4)], False, 1, 0.0, False, False, False)
"""


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_errors_are_torchs(line):
    with pytest.raises(Exception) as theirs:  # noqa: PT011  (the type is what is asked)
        eval(line, {"T": torch, "nn": torch.nn})
    with pytest.raises(theirs.type):
        eval(line, {"T": minigrad, "nn": nn})


def test_dropout_of_a_single_layer_is_a_warning():
    with pytest.warns(UserWarning, match="num_layers greater than 1") as caught:
        nn.GRU(3, 4, dropout=0.5)
    assert caught[0].filename == __file__


def test_wrong_weights_do_not_reach_the_kernels():
    """PyTorch reads beyond their ends here."""
    layer = nn.LSTM(3, 4)
    layer.weight_ih_l0 = nn.Parameter(minigrad.ones(16, 2))
    with pytest.raises(RuntimeError, match=r"expected weight_ih of shape \[16, 3\]"):
        layer(minigrad.ones(2, 3, 3))
    hx, params = (minigrad.ones(1, 3, 4),) * 2, [minigrad.ones(16, 3), minigrad.ones(16, 4)]
    with pytest.raises(RuntimeError, match="expected hidden state of shape"):
        minigrad.lstm(minigrad.ones(2, 3, 3), hx, params, False, 1, 0.0, False, False, True)
    for sizes in ([3, 1, 2], [3, 3, 3], [3, 4, -1]):
        with pytest.raises(RuntimeError, match="expected batch_sizes that fall and sum to 6"):
            minigrad.lstm(minigrad.ones(6, 3), minigrad.tensor(sizes), hx, params, False, 1, 0.0, False, False)


def test_gradients_pass_where_a_relu_is_nan():
    """A network that has blown up says so in its gradients too; zeros would hide it."""
    grads = []
    for lib in (torch, minigrad):
        lib.manual_seed(0)
        layer = lib.nn.RNN(3, 4, nonlinearity="relu")
        x = lib.full((2, 1, 3), float("nan"), requires_grad=True)
        layer(x)[0].sum().backward()
        grads.append([x.grad.numpy(), *[p.grad.numpy() for p in layer.parameters()]])
    for theirs, mine in zip(*grads, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)

"""What a module makes of what is assigned to it: parameters, buffers, submodules, and what goes wrong how."""

import pytest

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")


def network(m):
    """One of each kind: a module, a parameter, a buffer."""
    net = type("Net", (m.nn.Module,), {})()
    net.first = m.nn.Linear(2, 3)
    net.second = m.nn.Linear(3, 2)
    net.scale = m.nn.Parameter(m.ones(1))
    net.register_buffer("offset", m.zeros(2))
    net.register_buffer("cache", m.zeros(1), persistent=False)
    return net


def test_none_then_parameter():
    net = nn.Module()
    net.weight = None
    assert list(net.parameters()) == []
    net.weight = nn.Parameter(minigrad.ones(2))
    assert [name for name, _ in net.named_parameters()] == ["weight"]
    net.weight = None
    assert list(net.parameters()) == []
    assert net.weight is None


def test_none_buffer_then_tensor():
    net = nn.Module()
    net.register_buffer("mask", None)
    assert dict(net.named_buffers()) == {}
    net.mask = minigrad.ones(2)
    assert list(net.state_dict()) == ["mask"]


def test_kinds_may_change_on_assignment():
    net = nn.Module()
    net.x = nn.Linear(1, 1)
    net.x = nn.Parameter(minigrad.ones(1))
    assert [name for name, _ in net.named_parameters()] == ["x"]
    assert list(net.children()) == []
    del net.x
    net.register_buffer("x", minigrad.ones(1))
    net.x = nn.Parameter(minigrad.ones(1))
    assert dict(net.named_buffers()) == {}
    assert [name for name, _ in net.named_parameters()] == ["x"]


def test_buffer_object():
    net = nn.Module()
    net.a = nn.Buffer(minigrad.ones(2))
    net.b = nn.Buffer(minigrad.ones(2), persistent=False)
    assert [name for name, _ in net.named_buffers()] == ["a", "b"]
    assert list(net.state_dict()) == ["a"]
    assert repr(nn.Buffer(minigrad.ones(2))) == repr(torch.nn.Buffer(torch.ones(2)))


def test_deletion():
    net = network(minigrad)
    del net.first, net.scale, net.offset
    assert [name for name, _ in net.named_parameters()] == ["second.weight", "second.bias"]
    assert [name for name, _ in net.named_buffers()] == ["cache"]
    with pytest.raises(AttributeError):
        _ = net.first
    with pytest.raises(AttributeError):
        del net.nothing


def test_properties_and_own_getattr():
    class Wrapper(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.inner, name)

        @property
        def double(self):
            return self.inner.in_features * 2

        @double.setter
        def double(self, value):
            self.inner.in_features = value // 2

    wrapper = Wrapper(nn.Linear(3, 4))
    assert (wrapper.out_features, wrapper.double) == (4, 6)
    wrapper.double = 10
    assert wrapper.in_features == 5


def test_mixin_before_the_layer():
    class Bottle:
        def forward(self, x):
            return super().forward(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)

    class Linear(Bottle, nn.Linear):
        pass

    assert Linear(2, 3)(minigrad.ones(4, 5, 2)).shape == (4, 5, 3)


def test_dir_leaves_out_numbers():
    names = dir(nn.Sequential(nn.ReLU()))
    assert "0" not in names
    assert {"weight", "forward", "in_features"} <= set(dir(nn.Linear(1, 1)))


ERRORS = (
    lambda m, net: net.nothing,
    lambda m, net: setattr(net, "scale", m.ones(1)),
    lambda m, net: setattr(net, "scale", 3.0),
    lambda m, net: setattr(net, "scale", m.nn.ReLU()),
    lambda m, net: setattr(net, "first", m.ones(1)),
    lambda m, net: setattr(net, "first", "text"),
    lambda m, net: setattr(net, "offset", [1]),
    lambda m, net: net.register_parameter("a.b", None),
    lambda m, net: net.register_parameter("", None),
    lambda m, net: net.register_parameter(3, None),
    lambda m, net: net.register_parameter("forward", None),
    lambda m, net: net.register_parameter("new", m.ones(1)),
    lambda m, net: net.register_parameter("new", 3),
    lambda m, net: net.register_buffer("a.b", None),
    lambda m, net: net.register_buffer("", None),
    lambda m, net: net.register_buffer(3, None),
    lambda m, net: net.register_buffer("scale", None),
    lambda m, net: net.register_buffer("new", [1]),
    lambda m, net: net.add_module("a.b", None),
    lambda m, net: net.add_module("", None),
    lambda m, net: net.add_module(3, None),
    lambda m, net: net.add_module("offset", None),
    lambda m, net: net.register_module("new", 3),
    lambda m, net: net.train("yes"),
    lambda m, net: net.to(m.int64),
    lambda m, net: net.load_state_dict([1]),
    lambda m, net: m.nn.Module()(1),
)


@pytest.mark.parametrize("wrong", ERRORS)
def test_errors_begin_as_torchs(wrong):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        wrong(torch, network(torch))
    with pytest.raises(theirs.type) as mine:
        wrong(minigrad, network(minigrad))
    expected = (
        str(theirs.value).replace("TorchNet", "Net").replace("torch.nn.modules", "minigrad.nn.modules").strip("'\"")
    )
    assert str(mine.value).strip("'\"").startswith(expected)


def test_parameters_are_leaves():
    p = nn.Parameter(minigrad.ones(1))
    p.node = (p * 2).node
    with pytest.raises(ValueError, match="Cannot assign non-leaf Tensor to parameter 'w'"):
        nn.Module().register_parameter("w", p)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda m: m.nn.Parameter(m.ones(1)), "cannot assign parameters before Module.__init__() call"),
        (lambda m: m.nn.ReLU(), "cannot assign module before Module.__init__() call"),
    ],
)
def test_assigning_before_init(make, text):
    for m in (torch, minigrad):

        class Forgot(m.nn.Module):
            def __init__(self, value):
                self.x = value

        with pytest.raises(AttributeError) as error:
            Forgot(make(m))
        assert str(error.value).startswith(text)


def test_registering_before_init():
    class Forgot(nn.Module):
        def __init__(self, register):
            register(self)

    for register, kind in (
        (lambda net: net.register_buffer("x", None), "buffer"),
        (lambda net: net.register_parameter("x", None), "parameter"),
        (lambda net: setattr(net, "x", nn.Buffer(minigrad.ones(1))), "buffer"),
    ):
        with pytest.raises(AttributeError, match=rf"cannot assign {kind} before Module.__init__\(\) call"):
            Forgot(register)
    with pytest.raises(AttributeError, match=r"put super\(\).__init__\(\) first"):
        Forgot(lambda net: list(net.parameters()))

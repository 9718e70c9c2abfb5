"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict behave as torch's."""

from collections import OrderedDict

import pytest

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")


def same_in_both(ask):
    mine, theirs = ask(minigrad), ask(torch)
    assert mine == theirs
    return mine


def three(m, kind="Sequential"):
    modules = [m.nn.ReLU(), m.nn.Tanh(), m.nn.Sigmoid()]
    return m.nn.Sequential(*modules) if kind == "Sequential" else m.nn.ModuleList(modules)


def named(m):
    return m.nn.Sequential(OrderedDict(a=m.nn.ReLU(), b=m.nn.Tanh(), c=m.nn.Sigmoid()))


def after(change):
    """The repr of a container after `change(container, m)`."""

    def ask(make):
        def inner(m):
            box = make(m)
            result = change(box, m)
            return repr(result if result is not None else box), repr(box), [n for n, _ in box.named_children()]

        return inner

    return ask


CHANGES = [
    lambda box, m: box[1],
    lambda box, m: box[-1],
    lambda box, m: box[1:],
    lambda box, m: box[::2],
    lambda box, m: box[5:],
    lambda box, m: box.append(m.nn.GELU()),
    lambda box, m: box.extend([m.nn.GELU(), m.nn.SiLU()]),
    lambda box, m: box.pop(1),
    lambda box, m: box.__setitem__(1, m.nn.GELU()),
    lambda box, m: box.__setitem__(-1, m.nn.GELU()),
    lambda box, m: box.__delitem__(0),
    lambda box, m: box.__delitem__(-1),
    lambda box, m: box.__delitem__(slice(0, 2)),
]


@pytest.mark.parametrize("change", CHANGES)
def test_numbered_containers_change_as_torchs(change):
    for make in (three, lambda m: three(m, "ModuleList")):
        same_in_both(after(change)(make))


@pytest.mark.parametrize("change", [c for i, c in enumerate(CHANGES) if i not in (6, 7)])
def test_named_sequentials_change_as_torchs(change):
    same_in_both(after(change)(named))


def test_insertion():
    for index in (0, 1, 3):
        same_in_both(after(lambda box, m, index=index: box.insert(index, m.nn.GELU()))(three))
        same_in_both(
            after(lambda box, m, index=index: box.insert(index, m.nn.GELU()) and None)(lambda m: three(m, "ModuleList"))
        )


def test_adding_and_repeating():
    same_in_both(lambda m: repr(three(m) + named(m)))
    same_in_both(lambda m: repr(three(m) * 2))
    same_in_both(lambda m: repr(2 * three(m)))
    same_in_both(lambda m: repr(three(m, "ModuleList") + three(m, "ModuleList")))

    def in_place(m):
        a = b = three(m)
        a += named(m)
        c = d = three(m)
        c *= 2
        e = f = three(m, "ModuleList")
        e += [m.nn.GELU()]
        return a is b, c is d, e is f, repr(a), repr(c), repr(e)

    same_in_both(in_place)


def test_iteration_length_membership():
    for kind in ("Sequential", "ModuleList"):
        box = three(minigrad, kind)
        assert len(box) == 3
        assert list(box) == [box[0], box[1], box[2]]
        assert box[1] in box
        assert nn.Tanh() not in box
    assert len(nn.Sequential()) == 0


def test_sequential_runs_its_modules_in_order():
    net = nn.Sequential(nn.Linear(2, 2), nn.Threshold(0.0, 7.0))
    net[0].weight.data.copy_(minigrad.tensor([[1.0, 0.0], [0.0, -1.0]]))
    net[0].bias.data.zero_()
    assert net(minigrad.ones(1, 2)).tolist() == [[1.0, 7.0]]
    x = minigrad.ones(1)
    assert nn.Sequential()(x) is x


def test_module_lists_print_runs_of_equal_modules_once():
    def ask(m):
        blocks = [m.nn.Sequential(m.nn.Linear(1, 1), m.nn.ReLU()) for _ in range(3)]
        return repr(m.nn.ModuleList([*blocks, m.nn.Linear(1, 1), *blocks[:2]]))

    assert "(0-2): 3 x Sequential(" in same_in_both(ask)
    same_in_both(lambda m: repr(m.nn.ModuleList()))


def test_module_dict():
    def ask(m):
        box = m.nn.ModuleDict({"z": m.nn.ReLU(), "a": m.nn.Tanh()})
        log = [list(box), list(box.keys()), len(box), "a" in box, "b" in box, repr(box["a"])]
        box.update([("b", m.nn.GELU()), ("a", m.nn.SiLU())])
        box["c"] = m.nn.Mish()
        log += [repr(box), [k for k, _ in box.items()], [repr(v) for v in box.values()], repr(box.pop("z"))]
        del box["a"]
        log.append(repr(box))
        box.update(m.nn.ModuleDict({"q": m.nn.ReLU()}))
        log.append(repr(box))
        box.clear()
        return [*log, len(box), repr(box)]

    same_in_both(ask)


def test_parameter_list():
    def ask(m):
        box = m.nn.ParameterList([m.zeros(2, 3), m.nn.Parameter(m.ones(1))])
        box.append(m.zeros(()))
        box += [5]
        box[0] = m.ones(4)
        names = [name for name, _ in box.named_parameters()]
        values = [value if isinstance(value, int) else value.tolist() for value in box]
        one = repr(m.nn.ParameterList([m.zeros(2)]))
        return repr(box), names, values, len(box), repr(box[1:]), box[-1], one, repr(m.nn.ParameterList())

    same_in_both(ask)


def test_parameter_dict():
    def ask(m):
        box = m.nn.ParameterDict({"z": m.zeros(2), "a": m.nn.Parameter(m.ones(1, 2)), "n": 3})
        log = [repr(box), list(box.keys()), [n for n, _ in box.named_parameters()], "z" in box, len(box)]
        box.update(OrderedDict(y=m.zeros(1), b=m.zeros(1)))
        box["text"] = "value"
        log += [repr(box), box["text"], box.get("nothing"), box.get("n"), box.pop("n"), list(box)]
        log += [[k for k, _ in box.items()], box.setdefault("text", "other"), box.setdefault("new", "other")]
        del box["z"]
        log += [list(box), len(list(box.values())), isinstance(box["y"], m.nn.Parameter)]
        box.clear()
        return [*log, len(box), [n for n, _ in box.named_parameters()]]

    same_in_both(ask)


def test_containers_nest():
    def ask(m):
        net = m.nn.Module()
        net.l = m.nn.ParameterList([m.zeros(2)])
        net.d = m.nn.ModuleDict({"x": m.nn.ModuleList([m.nn.Linear(1, 1)])})
        net.p = m.nn.ParameterDict({"q": m.zeros(1)})
        return repr(net), list(net.state_dict()), [n for n, _ in net.named_modules()]

    same_in_both(ask)


ERRORS = (
    lambda m: m.nn.Sequential(3),
    lambda m: three(m)[3],
    lambda m: three(m)[-4],
    lambda m: three(m)["0"],
    lambda m: three(m).append(3),
    lambda m: three(m).insert(7, m.nn.ReLU()),
    lambda m: three(m) + three(m, "ModuleList"),
    lambda m: three(m) * 0,
    lambda m: m.nn.ModuleList(3),
    lambda m: m.nn.ModuleList([3]),
    lambda m: m.nn.ModuleList([])[0],
    lambda m: m.nn.ModuleList([m.nn.ReLU()])(1),
    lambda m: m.nn.ModuleDict({"type": m.nn.ReLU()}),
    lambda m: m.nn.ModuleDict({"keys": m.nn.ReLU()}),
    lambda m: m.nn.ModuleDict({"a.b": m.nn.ReLU()}),
    lambda m: m.nn.ModuleDict({"a": 3}),
    lambda m: m.nn.ModuleDict(3),
    lambda m: m.nn.ModuleDict([[1]]),
    lambda m: m.nn.ModuleDict({})["a"],
    lambda m: m.nn.ModuleDict({}).pop("a"),
    lambda m: m.nn.ParameterList(3),
    lambda m: m.nn.ParameterList([])[0],
    lambda m: m.nn.ParameterDict({})["a"],
    lambda m: m.nn.ParameterDict({"keys": m.zeros(1)}),
)


@pytest.mark.parametrize("wrong", ERRORS)
def test_errors_are_torchs(wrong):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        wrong(torch)
    with pytest.raises(theirs.type) as mine:
        wrong(minigrad)
    if theirs.type is not KeyError or "exists" in str(theirs.value):
        assert str(mine.value) == str(theirs.value).replace("torch.nn", "minigrad.nn")


def test_further_errors():
    with pytest.raises(TypeError, match="cannot be used as a key as it is not a string"):
        nn.ParameterDict({3: minigrad.zeros(1)})
    with pytest.raises(TypeError, match="sequence element #0 should be Iterable; is int"):
        nn.ModuleDict([3])
    with pytest.raises(TypeError, match="unsupported operand"):
        three(minigrad) * "a"
    net = three(minigrad)
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        net.insert(0, 3)
    assert len(net) == 3

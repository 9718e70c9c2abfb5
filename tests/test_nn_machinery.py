"""What programs do with `nn.Module` besides calling it, told as short stories: the same outcome in torch and here."""

import copy
import gc
import pickle
import warnings
import weakref
from collections import OrderedDict

import pytest

import minigrad

torch = pytest.importorskip("torch")


def outcome(story, library):
    """What the story returns, or the kind of its error; and the kinds of its warnings."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            result = story(library)
        except Exception as error:
            result = ("raises", type(error).__name__)
    return str(result).replace("minigrad.", "torch."), [warning.category.__name__ for warning in seen]


def check(story):
    assert outcome(story, minigrad) == outcome(story, torch)


def nothing(*args, **kwargs):
    """A hook that can be pickled."""


def net(T):
    nn = T.nn
    return nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()), nn.BatchNorm1d(2))


# ---- hooks -----------------------------------------------------------------------------------------------------------


def handles(T):
    module = T.nn.Sigmoid()
    one = module.register_forward_hook(nothing)
    other = module.register_forward_pre_hook(nothing, with_kwargs=True)
    before = (
        len(one.hooks_dict_ref()), one.id in module._forward_hooks, other.id in module._forward_pre_hooks_with_kwargs,
        one.id in module._forward_hooks_with_kwargs,
    )  # fmt: skip
    one.remove()
    other.remove()
    return before, len(one.hooks_dict_ref()), len(module._forward_hooks), len(module._forward_pre_hooks_with_kwargs)


def hooks_are_cleared_and_replaced(T):
    module, log = T.nn.ReLU(), []
    module.register_forward_hook(lambda *args: log.append("cleared"))
    module._forward_hooks.clear()
    module(T.ones(1))
    module.register_forward_hook(lambda *args: log.append("replaced"))
    module._forward_hooks = OrderedDict()
    module(T.ones(1))
    module.register_forward_hook(lambda *args: log.append("kept"))
    module(T.ones(1))
    del module._load_state_dict_post_hooks
    return log


def hooks_are_found_as_the_functions_they_are(T):
    module, log = T.nn.ReLU(), []
    for kind in ("forward_hook", "forward_pre_hook", "full_backward_hook", "full_backward_pre_hook"):
        getattr(module, f"register_{kind}")(nothing)
    kinds = [module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks]
    found = [[hook is nothing for hook in hooks.values()] for hooks in kinds]
    first = module.register_forward_pre_hook(lambda *args: log.append("pre"), prepend=True)
    order = [key == first.id for key in module._forward_pre_hooks], module._forward_pre_hooks[first.id] is nothing
    module(T.ones(1))
    for key, hook in list(module._forward_pre_hooks.items()):
        if hook is not nothing:
            del module._forward_pre_hooks[key]
    module._forward_hooks = OrderedDict({7: lambda *args: log.append("put")})
    module(T.ones(1))
    first.remove()
    return found, order, log, len(module._forward_pre_hooks), list(module._forward_hooks), 8 in module._forward_hooks


def hooks_are_copied_and_pickled(T):
    module = T.nn.Linear(3, 3)
    for kind in ("forward_hook", "forward_pre_hook", "full_backward_hook", "full_backward_pre_hook"):
        getattr(module, f"register_{kind}")(nothing)
    module.register_state_dict_pre_hook(nothing)
    module.register_load_state_dict_post_hook(nothing)
    module._register_load_state_dict_pre_hook(nothing)
    module._register_state_dict_hook(nothing)
    counts = []
    for twin in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        twin(T.ones(1, 3))
        twin.load_state_dict(twin.state_dict())
        counts.append((len(twin._forward_hooks), len(twin._backward_hooks), len(twin._backward_pre_hooks)))
    return counts


def a_hook_keeps_no_module_alive(T):
    gc.disable()
    try:
        module = T.nn.Linear(3, 3)
        module._register_load_state_dict_pre_hook(nothing, True)
        seen = weakref.ref(module)
        del module
        return seen() is None
    finally:
        gc.enable()


def load_hooks_with_and_without_the_module(T):
    log = []

    class Mine(T.nn.Linear):
        def before(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
            log.append((sorted(state_dict), prefix, strict))

        def before_with(self, module, state_dict, prefix, *rest):
            log.append((module is self, prefix, len(rest)))

    model = T.nn.Sequential(Mine(1, 1))
    model[0]._register_load_state_dict_pre_hook(model[0].before)
    model[0]._register_load_state_dict_pre_hook(model[0].before_with, with_module=True)
    model.load_state_dict(model.state_dict())
    return log


def a_state_dict_hook_replaces_that_of_the_root(T):
    model = T.nn.Sequential(T.nn.Linear(1, 1))
    model[0]._register_state_dict_hook(lambda module, state, prefix, metadata: {"ignored": 1})
    before = list(model.state_dict())
    model._register_state_dict_hook(lambda module, state, prefix, metadata: {"replaced": 1})
    return before, list(model.state_dict())


def a_public_state_dict_hook_returns_nothing(T):
    model = T.nn.Linear(1, 1)
    model.register_state_dict_post_hook(lambda *args: {})
    model.state_dict()


def registration_is_watched(T):
    module, log = T.nn.modules.module, []
    handles = [
        module.register_module_parameter_registration_hook(lambda m, name, value: log.append(("parameter", name))),
        module.register_module_buffer_registration_hook(lambda m, name, value: log.append(("buffer", name))),
        module.register_module_module_registration_hook(lambda m, name, value: log.append(("module", name))),
    ]
    model = T.nn.Sequential(T.nn.Linear(1, 1), T.nn.BatchNorm1d(1, affine=False))
    model[1].running_mean = T.zeros(1)
    model.extra = T.nn.ReLU()
    model.extra = None
    model[0].bias = None
    for handle in handles:
        handle.remove()
    T.nn.Linear(1, 1)
    return log


def registration_may_replace(T):
    register = T.nn.modules.module.register_module_module_registration_hook
    with register(lambda m, name, value: T.nn.Tanh() if isinstance(value, T.nn.ReLU) else None):
        return repr(T.nn.Sequential(T.nn.ReLU(), T.nn.GELU()))


# ---- construction ----------------------------------------------------------------------------------------------------


def mixins_before_and_after(T):
    class Mixin:
        def __init__(self, *args, note=None, **kwargs):
            super().__init__(*args, **kwargs)
            self.note = note

    class First(Mixin, T.nn.Linear):
        pass

    class Last(T.nn.Module, Mixin):
        call_super_init = True

    return First(2, 3, note="a").note, First(2, 3).weight.shape[0], Last(note="b").note


def keyword_arguments_of_module(T):
    T.nn.Module(foo=1)


def arguments_of_module(T):
    T.nn.Module(3)


def a_deprecated_container(T):
    return repr(T.nn.Container(a=T.nn.ReLU()))


def factory_kwargs(T):
    return sorted(T.nn.factory_kwargs({"device": None, "factory_kwargs": {"dtype": 1}})), T.nn.factory_kwargs(None)


def factory_kwargs_of_other_names(T):
    T.nn.factory_kwargs({"x": 1})


def factory_kwargs_given_twice(T):
    T.nn.factory_kwargs({"dtype": 1, "factory_kwargs": {"dtype": 1}})


def small_tools(T):
    u = T.nn.modules.utils
    return (
        u._single(1), u._pair(2), u._triple((1, 2, 3)), u._quadruple(1), u._pair([1, 2, 3]), u._pair("ab"),
        u._reverse_repeat_tuple((1, 2), 2), u._pair.__name__,
    )  # fmt: skip


# ---- conversion ------------------------------------------------------------------------------------------------------


def emptied(T):
    module = T.nn.BatchNorm1d(3).double().to_empty(device="cpu")
    return [(tuple(t.shape), str(t.dtype)) for t in module.state_dict().values()], module.weight.requires_grad


def to_a_memory_format(T):
    model = T.nn.Sequential(T.nn.Conv2d(1, 1, 1), T.nn.Linear(1, 1)).to(memory_format=T.channels_last)
    return model[0].weight.dtype, model[1].weight.dtype


def to_integers(T):
    T.nn.Linear(1, 1).to(T.int32)


def of_a_type(T):
    return [
        [str(t.dtype) for t in T.nn.BatchNorm1d(1).type(kind).state_dict().values()]
        for kind in (T.float64, "torch.DoubleTensor")
    ]


def halves(T):
    return [str(t.dtype) for t in T.nn.BatchNorm1d(1).half().state_dict().values()]


def tied_weights(T):
    a, b = T.nn.Linear(2, 2), T.nn.Linear(2, 2)
    b.weight = a.weight
    model = T.nn.Sequential(a, b, a)
    twin = copy.deepcopy(model)
    model.double()
    return (
        [name for name, _ in model.named_parameters()],
        [name for name, _ in model.named_parameters(remove_duplicate=False)],
        [name for name, _ in model.named_modules(remove_duplicate=False)],
        list(model.state_dict()), twin[0].weight is twin[1].weight, twin[0] is twin[2],
        model[0].weight is model[1].weight, model[1].weight.dtype, len(list(model.modules())),
        len(list(model.modules(remove_duplicate=False))),
    )  # fmt: skip


# ---- states ----------------------------------------------------------------------------------------------------------


def arguments_by_position(T):
    model, made = T.nn.Linear(1, 1), OrderedDict()
    model.state_dict(made, "p.")
    return list(made), model.state_dict(OrderedDict(), "q.", True)["q.weight"].requires_grad


def assigned(T):
    model = T.nn.Linear(2, 2)
    state = {name: value.double() for name, value in T.nn.Linear(2, 2).state_dict().items()}
    result = model.load_state_dict(state, assign=True)
    return repr(result), model.weight.dtype, model.weight.requires_grad, isinstance(model.weight, T.nn.Parameter)


def a_prefix_is_taken_off(T):
    wrapped = T.nn.Module()
    wrapped.module = net(T)
    state = wrapped.state_dict()
    T.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    return list(state), dict(state._metadata), repr(wrapped.module.load_state_dict(state))


def extra_state(T):
    class Extra(T.nn.Module):
        def get_extra_state(self):
            return {"a": 1}

        def set_extra_state(self, state):
            self.got = state

    model = T.nn.Sequential(Extra())
    state = model.state_dict()
    model.load_state_dict(state)
    plain = T.nn.Sequential(T.nn.ReLU())
    return model[0].got, repr(plain.load_state_dict(state, strict=False)), repr(model.load_state_dict({}, strict=False))


def the_class_of_the_result(T):
    return T.nn.modules.module._IncompatibleKeys(["a"], [])


def states_that_do_not_fit(T):
    states = [
        {}, 3, "x", {"a": 1}, {"0.weight": 3}, {"0.weight": T.ones(3)}, {"0.weight.x": T.ones(3)}, {"0.weight": None},
        {"0.weight": T.ones(2, 2), "2.num_batches_tracked": T.tensor([3])}, {"2.running_mean": T.ones(2).double()},
        {"2.x": T.ones(2)}, {"9.x": T.ones(2)},
    ]  # fmt: skip
    return [
        outcome(lambda T, state=state, strict=strict: repr(net(T).load_state_dict(state, strict)), T)
        for state in states
        for strict in (True, False)
    ]


# ---- the tree --------------------------------------------------------------------------------------------------------


def paths(T):
    places = ("", "0", "1.0", "9", "1.x", "1.0.training", "a.b", "1.", "0.weight", "2.running_mean", "2.eps")

    def get(method, path):
        return outcome(lambda T: type(getattr(net(T), method)(path)).__name__, T)

    def put(path, strict):
        model = net(T)
        return outcome(lambda T: model.set_submodule(path, T.nn.Tanh(), strict), T), repr(model)

    methods = ("get_submodule", "get_parameter", "get_buffer")
    return [get(m, path) for m in methods for path in places], [put(path, s) for path in places for s in (False, True)]


def plain_lists_and_lambdas_are_not_seen(T):
    module = T.nn.Module()
    module.function, module.layers = (lambda x: x), [T.nn.ReLU()]
    return list(module.state_dict()), len(list(module.children()))


def forward_of_an_instance(T):
    module = T.nn.ReLU()
    module.forward = lambda x: x * 0 + 5
    return module(T.ones(1)).item()


def buffers_stay_what_they_were(T):
    module = T.nn.Module()
    module.register_buffer("kept", T.ones(1))
    module.register_buffer("passing", T.ones(1), persistent=False)
    module.register_buffer("absent", None)
    module.passing = T.zeros(1)
    module.written = T.nn.Buffer(T.ones(1))
    return [n for n, _ in module.named_buffers()], list(module.state_dict()), sorted(module._non_persistent_buffers_set)


def a_buffer_over_an_attribute(T):
    module = T.nn.Module()
    module.name = 3
    module.name = T.nn.Buffer(T.ones(1))


def dictionaries_of_parameters(T):
    def number(value):
        return T.nn.Parameter(T.tensor(float(value)))

    first = T.nn.ParameterDict({"b": number(1), "a": number(2)})
    both = first | T.nn.ParameterDict([("z", number(3)), ("a", number(4))])
    both |= {"q": number(9)}
    twin = both.copy()
    last = both.popitem()
    keys = T.nn.ParameterDict().fromkeys(["x", "y"], number(5))
    return (
        [(k, v.item()) for k, v in both.items()], list(reversed(both)), last[0], last[1].item(), list(twin),
        twin["a"] is both["a"], [(k, v.item()) for k, v in keys.items()], list({"m": 1} | first),
        outcome(lambda T: T.nn.ParameterDict().popitem(), T), outcome(lambda T: first[1], T),
    )  # fmt: skip


STORIES = [
    handles, hooks_are_cleared_and_replaced, hooks_are_found_as_the_functions_they_are,
    hooks_are_copied_and_pickled, a_hook_keeps_no_module_alive,
    load_hooks_with_and_without_the_module, a_state_dict_hook_replaces_that_of_the_root,
    a_public_state_dict_hook_returns_nothing, registration_is_watched, registration_may_replace,
    mixins_before_and_after, keyword_arguments_of_module, arguments_of_module,
    a_deprecated_container, factory_kwargs, factory_kwargs_of_other_names, factory_kwargs_given_twice, small_tools,
    emptied, to_a_memory_format, to_integers, of_a_type, halves, tied_weights, arguments_by_position, assigned,
    a_prefix_is_taken_off, extra_state, the_class_of_the_result, states_that_do_not_fit, paths,
    plain_lists_and_lambdas_are_not_seen, forward_of_an_instance, buffers_stay_what_they_were,
    a_buffer_over_an_attribute, dictionaries_of_parameters,
]  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story(story):
    check(story)


def test_there_are_no_other_devices():
    for name in ("cuda", "xpu", "ipu", "mtia"):
        with pytest.raises(RuntimeError, match=rf"{name}\(\): minigrad runs on the CPU only"):
            getattr(minigrad.nn.Linear(1, 1), name)()


def test_there_is_no_bfloat16():
    with pytest.raises(NotImplementedError, match="use half"):
        minigrad.nn.Linear(1, 1).bfloat16()


def test_a_deprecated_backward_hook_for_all_modules():
    log = []
    register = minigrad.nn.modules.module.register_module_backward_hook
    with register(lambda module, into, out: log.append((len(into), len(out)))):
        minigrad.nn.Sigmoid()(minigrad.ones(2, requires_grad=True)).sum().backward()
    assert log == [(1, 1)]

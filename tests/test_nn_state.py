"""state_dict and load_state_dict: names, order, metadata, strictness, hooks, overriding: as torch has them."""

import copy
from collections import OrderedDict

import pytest

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")


def network(m):
    m.manual_seed(0)
    net = m.nn.Sequential(OrderedDict(a=m.nn.Linear(2, 3), b=m.nn.Sequential(m.nn.BatchNorm1d(3), m.nn.ReLU())))
    net.register_buffer("scratch", m.zeros(1), persistent=False)
    net.register_buffer("kept", m.zeros(1))
    net.register_parameter("none", None)
    return net


def same_in_both(ask):
    mine, theirs = ask(minigrad), ask(torch)
    assert mine == theirs
    return mine


def test_names_order_type_and_metadata():
    def ask(m):
        state = network(m).state_dict()
        return list(state), type(state), dict(state._metadata)

    assert same_in_both(ask)[0][0] == "kept"


def test_prefix_and_destination():
    def ask(m):
        destination = OrderedDict(other=1)
        state = network(m).state_dict(destination=destination, prefix="net.")
        return state is destination, list(state), hasattr(state, "_metadata")

    same_in_both(ask)


def test_tensors_share_memory_and_keep_vars_keeps_parameters():
    net = network(minigrad)
    state = net.state_dict()
    state["a.weight"].fill_(3)
    assert (net.a.weight == 3).all()
    assert not state["a.weight"].requires_grad
    assert type(state["a.weight"]) is minigrad.Tensor
    assert net.state_dict(keep_vars=True)["a.weight"] is net.a.weight


def test_deepcopied_state_is_a_snapshot():
    net = network(minigrad)
    snapshot = copy.deepcopy(net.state_dict())
    net.a.weight.data.zero_()
    assert not (snapshot["a.weight"] == 0).all()
    net.load_state_dict(snapshot)
    assert net.a.weight.tolist() == snapshot["a.weight"].tolist()


def test_loading_copies_in_place_and_keeps_dtype():
    net = network(minigrad)
    weight = net.a.weight
    result = net.load_state_dict(network(minigrad).double().state_dict())
    assert net.a.weight is weight
    assert weight.dtype == minigrad.float32
    assert repr(result) == str(result) == "<All keys matched successfully>"
    assert result == ([], [])


def test_loading_is_not_recorded():
    net = network(minigrad)
    net.load_state_dict(network(minigrad).state_dict(keep_vars=True))
    assert net.a.weight.is_leaf


def change(m, state):
    """Everything that can be wrong with a state, at once."""
    del state["a.bias"], state["b.0.running_mean"]
    state["surplus"] = m.zeros(1)
    state["a.deep.er"] = m.zeros(1)
    state["nobody.weight"] = m.zeros(1)
    state["none"] = m.zeros(1)
    state["a.weight"] = m.zeros(4, 4)
    state["b.0.weight"] = m.zeros(())
    state["scratch"] = m.zeros(1)
    return state


def test_strict_errors_are_torchs_word_for_word():
    def ask(m):
        net = network(m)
        with pytest.raises(RuntimeError) as error:
            net.load_state_dict(change(m, net.state_dict()))
        return str(error.value)

    text = same_in_both(ask)
    assert text.startswith("Error(s) in loading state_dict for Sequential:\n\tMissing key(s) in state_dict: ")
    assert "size mismatch for a.weight: copying a param with shape torch.Size([4, 4]) from checkpoint" in text


def test_not_strict_returns_what_did_not_fit():
    def ask(m):
        net = network(m)
        state = change(m, net.state_dict())
        del state["a.weight"], state["b.0.weight"]
        result = net.load_state_dict(state, strict=False)
        return result.missing_keys, result.unexpected_keys, repr(result)

    same_in_both(ask)


def test_wrong_shapes_are_errors_even_if_not_strict():
    net = network(minigrad)
    with pytest.raises(RuntimeError, match=r"size mismatch for a\.weight"):
        net.load_state_dict({"a.weight": minigrad.zeros(1)}, strict=False)


def test_what_fits_is_loaded_despite_errors():
    net = network(minigrad)
    with pytest.raises(RuntimeError, match="Missing key"):
        net.load_state_dict({"a.bias": minigrad.tensor([1.0, 2.0, 3.0])})
    assert net.a.bias.tolist() == [1.0, 2.0, 3.0]


def test_values_that_are_no_tensors():
    def ask(m):
        net = m.nn.Linear(1, 1)
        with pytest.raises(RuntimeError) as error:
            net.load_state_dict({"weight": [[1.0]], "bias": 3})
        return str(error.value)

    same_in_both(ask)


def test_not_a_dict():
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        network(minigrad).load_state_dict([])


def test_one_element_for_a_scalar():
    net = nn.Module()
    net.scale = nn.Parameter(minigrad.tensor(1.0))
    net.load_state_dict({"scale": minigrad.tensor([5.0])})
    assert net.scale.item() == 5.0


def test_assign_takes_the_tensors_themselves():
    net = network(minigrad)
    net.a.weight.requires_grad_(False)
    state = network(minigrad).double().state_dict()
    net.load_state_dict(state, assign=True)
    assert net.a.weight.dtype == minigrad.float64
    assert isinstance(net.a.weight, nn.Parameter)
    assert not net.a.weight.requires_grad
    assert net.a.bias.requires_grad
    assert net.kept is state["kept"]
    state["a.weight"].fill_(3)
    assert (net.a.weight == 3).all()
    given = nn.Parameter(minigrad.zeros(1, 1))
    layer = nn.Linear(1, 1, bias=False)
    layer.load_state_dict({"weight": given}, assign=True)
    assert layer.weight is given


def test_tied_weights_are_saved_under_both_names():
    def ask(m):
        net = m.nn.Sequential(m.nn.Linear(2, 2), m.nn.Linear(2, 2))
        net[1].weight = net[0].weight
        return list(net.state_dict()), len(list(net.parameters()))

    assert same_in_both(ask)[1] == 3


def test_extra_state():
    def story(m):
        class Counter(m.nn.Linear):
            count = 0

            def get_extra_state(self):
                return {"count": self.count}

            def set_extra_state(self, state):
                self.count = state["count"]

        source, target = m.nn.Sequential(Counter(1, 1)), m.nn.Sequential(Counter(1, 1))
        source[0].count = 7
        target.load_state_dict(source.state_dict())
        without = source.state_dict()
        del without["0._extra_state"]
        plain = m.nn.Sequential(m.nn.Linear(1, 1))
        return (
            list(source.state_dict()),
            target[0].count,
            target.load_state_dict(without, strict=False).missing_keys,
            plain.load_state_dict(source.state_dict(), strict=False).unexpected_keys,
        )

    assert same_in_both(story)[1] == 7
    with pytest.raises(RuntimeError, match="Override get_extra_state and set_extra_state"):
        nn.Linear(1, 1).get_extra_state()
    with pytest.raises(RuntimeError, match="Override get_extra_state and set_extra_state"):
        nn.Linear(1, 1).set_extra_state(None)


def test_a_subclass_reads_an_older_version():
    def story(m):
        class Renamed(m.nn.Linear):
            _version = 2

            def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
                if local_metadata.get("version", 1) < 2:
                    state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
                super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

        net = m.nn.Sequential(Renamed(1, 1))
        result = net.load_state_dict({"0.w": m.tensor([[4.0]]), "0.bias": m.tensor([5.0])})
        return repr(result), net[0].weight.tolist(), dict(net.state_dict()._metadata)

    assert same_in_both(story)[1] == [[4.0]]


def test_hooks_run_in_torchs_order():
    def story(m):
        log = []
        net = m.nn.Sequential(m.nn.Linear(1, 1))
        layer = net[0]
        layer.register_state_dict_pre_hook(lambda mod, prefix, keep: log.append(("pre", mod is layer, prefix, keep)))

        def post(mod, state, prefix, metadata):
            log.append(("post", list(state), prefix, metadata))
            state[prefix + "added"] = state.pop(prefix + "bias")

        layer.register_state_dict_post_hook(post)

        def load_pre(mod, state, prefix, metadata, strict, missing, unexpected, errors):
            log.append(("load pre", list(state), prefix, metadata, strict, missing, unexpected, errors))
            state[prefix + "bias"] = state.pop(prefix + "added")

        layer.register_load_state_dict_pre_hook(load_pre)

        def load_post(mod, keys):
            log.append(("load post", list(keys.missing_keys), list(keys.unexpected_keys)))
            keys.missing_keys.clear()

        handle = net.register_load_state_dict_post_hook(load_post)
        state = net.state_dict()
        log.append(list(state))
        log.append(repr(net.load_state_dict(state)))
        del state["0.weight"]
        log.append(repr(net.load_state_dict(state)))
        handle.remove()
        with pytest.raises(RuntimeError, match="Missing key"):
            net.load_state_dict(state)
        return log

    assert len(same_in_both(story)) > 8


def test_hooks_must_not_return_anything():
    net = nn.Linear(1, 1)
    net.register_load_state_dict_post_hook(lambda mod, keys: keys)
    with pytest.raises(AssertionError, match="not expected to return new values"):
        net.load_state_dict(net.state_dict())
    other = nn.Linear(1, 1)
    other.register_state_dict_post_hook(lambda mod, state, prefix, metadata: state)
    with pytest.raises(RuntimeError, match="post-hook must return None"):
        other.state_dict()


def test_failure_while_copying_is_reported():
    net = nn.Linear(1, 1, bias=False)

    def fail(other):
        raise ValueError("no room")

    net.weight.copy_ = fail
    with pytest.raises(RuntimeError, match=r"While copying the parameter named \"weight\", .*no room"):
        net.load_state_dict({"weight": minigrad.zeros(1, 1)})

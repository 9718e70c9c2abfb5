"""Hooks run when, in the order and with the arguments that torch's do."""

import copy
import gc
import pickle
import weakref

import pytest

import minigrad
from minigrad import nn
from minigrad.autograd.node import tick

torch = pytest.importorskip("torch")


def same_in_both(story):
    """`story(library, log)` writes plain values into `log`; both libraries must write the same. Returns the log."""
    logs = []
    for library in (torch, minigrad):
        log = []
        story(library, log)
        logs.append(log)
    assert logs[1] == logs[0]
    assert logs[1]
    return logs[1]


def plain(value):
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value.tolist()


def doubler(library):
    class Double(library.nn.Module):
        def forward(self, x, times=2):
            return x * times

    return Double()


class TestForward:
    def test_order_arguments_and_handles(self):
        def story(m, log):
            net = doubler(m)
            net.register_forward_pre_hook(lambda mod, args: log.append(("pre", mod is net, plain(args))))
            a = net.register_forward_hook(lambda mod, args, out: log.append(("a", plain(args), plain(out))))
            net.register_forward_hook(lambda mod, args, out: log.append(("b", plain(out))))
            net.register_forward_hook(lambda *_: log.append("first"), prepend=True)
            net.register_forward_pre_hook(lambda *_: log.append("first pre"), prepend=True)
            net(m.ones(2))
            a.remove()
            a.remove()
            net(m.ones(1), times=3)

        same_in_both(story)

    def test_replacing_arguments_and_output(self):
        def story(m, log):
            net = doubler(m)
            net.register_forward_pre_hook(lambda mod, args: args[0] + 1)
            net.register_forward_pre_hook(lambda mod, args: (args[0] * 10, 3))
            net.register_forward_hook(lambda mod, args, out: out - 1)
            net.register_forward_hook(lambda mod, args, out: log.append(plain(out)))
            log.append(plain(net(m.ones(2))))

        assert same_in_both(story)[-1] == [59.0, 59.0]

    def test_with_kwargs(self):
        def story(m, log):
            net = doubler(m)
            net.register_forward_pre_hook(
                lambda mod, args, kwargs: (args, {"times": kwargs["times"] + 1}), with_kwargs=True
            )
            net.register_forward_hook(
                lambda mod, args, kwargs, out: log.append((plain(args), plain(kwargs), plain(out))), with_kwargs=True
            )
            net(m.ones(1), times=5)

        same_in_both(story)

    def test_a_bad_result_of_a_pre_hook(self):
        def story(m, log):
            net = doubler(m)
            net.register_forward_pre_hook(lambda mod, args, kwargs: 3, with_kwargs=True)
            with pytest.raises(RuntimeError) as error:
                net(m.ones(1))
            log.append(str(error.value))

        same_in_both(story)

    def test_always_call(self):
        def story(m, log):
            class Broken(m.nn.Module):
                def forward(self, x):
                    raise ValueError("broken")

            net = Broken()
            net.register_forward_hook(lambda *_: log.append("never"))
            net.register_forward_hook(lambda mod, args, out: log.append(("always", out)), always_call=True)
            with pytest.raises(ValueError, match="broken"):
                net(m.ones(1))

        same_in_both(story)

    def test_an_always_called_hook_that_fails_too_is_reported(self):
        class Broken(nn.Module):
            def forward(self, x):
                raise ValueError("broken")

        def fail(*_):
            raise KeyError("hook")

        net = Broken()
        net.register_forward_hook(fail, always_call=True)
        with pytest.warns(UserWarning, match="silenced"), pytest.raises(ValueError, match="broken"):
            net(1)

    def test_hooks_as_context_managers_and_dicts(self):
        net, log = doubler(minigrad), []
        with net.register_forward_hook(lambda *_: log.append(1)):
            net(minigrad.ones(1))
        net(minigrad.ones(1))
        assert log == [1]
        net.register_forward_hook(lambda *_: log.append(2))
        net.register_forward_pre_hook(lambda *_: log.append(3))
        assert (len(net._forward_hooks), len(net._forward_pre_hooks), len(net._backward_hooks)) == (1, 1, 0)
        net._forward_hooks.clear()
        net(minigrad.ones(1))
        assert log == [1, 3]

    def test_hooks_of_all_modules(self):
        def story(m, log):
            everywhere = m.nn.modules.module
            net = m.nn.Sequential(doubler(m), doubler(m))
            net[1].register_forward_hook(lambda *_: log.append("own"))
            handles = [
                everywhere.register_module_forward_pre_hook(lambda mod, args: log.append(("pre", type(mod).__name__))),
                everywhere.register_module_forward_hook(lambda mod, args, out: log.append(("out", plain(out)))),
            ]
            net(m.ones(1))
            for handle in handles:
                handle.remove()
            net(m.ones(1))

        same_in_both(story)

    def test_without_hooks_the_way_to_forward_is_direct_again(self, monkeypatch):
        net = doubler(minigrad)
        handles = [
            net.register_forward_hook(lambda *_: None),
            net.register_full_backward_hook(lambda *_: None),
            nn.modules.module.register_module_forward_hook(lambda *_: None),
        ]
        for handle in (*handles, *handles):
            handle.remove()
        monkeypatch.setattr(nn.modules.module, "call_with_hooks", None)
        assert net(minigrad.ones(1)).tolist() == [2.0]

    def test_hooks_survive_pickling(self):
        net = nn.Sequential(nn.ReLU())
        net.register_forward_hook(replace_by_zero)
        assert pickle.loads(pickle.dumps(net))(minigrad.ones(1)).tolist() == [0.0]

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
    def test_a_handle_of_a_copy_removes_the_hook_of_the_copy(self, copied):
        net = nn.Sequential(nn.ReLU())
        net.handle = net.register_forward_hook(replace_by_zero)
        other = copied(net)
        other.register_forward_hook(lambda *_: None)
        other.handle.remove()
        assert (other(minigrad.ones(1)).item(), net(minigrad.ones(1)).item()) == (1.0, 0.0)
        assert len(other._forward_hooks) == 1

    def test_hooks_of_another_process_are_not_replaced(self):
        net = nn.Sequential(nn.ReLU())
        net.register_forward_hook(replace_by_zero)
        state = net.__getstate__()
        state["_forward_hooks"] = {tick() + 1: replace_by_zero}  # the id that this process gives next
        other = nn.Sequential()
        other.__setstate__(state)
        other.register_forward_hook(lambda *_: None)
        assert len(other._forward_hooks) == 2


def replace_by_zero(module, args, output):
    return output * 0


def two_in_two_out(m):
    class Cross(m.nn.Module):
        def forward(self, x, y, note="text"):
            return x * y, note, x + 3 * y

    return Cross()


class TestBackward:
    def test_gradients_of_inputs_and_outputs(self):
        def story(m, log):
            net = two_in_two_out(m)
            net.register_full_backward_hook(lambda mod, gi, go: log.append(("hook", plain(gi), plain(go))))
            net.register_full_backward_hook(lambda *_: log.append("prepended"), prepend=True)
            net.register_full_backward_pre_hook(lambda mod, go: log.append(("pre", plain(go))))
            x, y = m.tensor([2.0], requires_grad=True), m.tensor([5.0], requires_grad=True)
            a, _, b = net(x, y, "text")
            (a * 7 + b).sum().backward()
            log.append((plain(x.grad), plain(y.grad)))

        assert same_in_both(story)[-1] == ([36.0], [17.0])

    def test_tensors_that_need_no_gradient_get_zeros_and_outputs_not_used_none(self):
        def story(m, log):
            net = two_in_two_out(m)
            net.register_full_backward_hook(lambda mod, gi, go: log.append((plain(gi), plain(go))))
            a, _, _ = net(m.tensor([2.0], requires_grad=True), m.tensor([5.0]), 3)
            a.sum().backward()

        same_in_both(story)

    def test_replacing_gradients(self):
        def story(m, log):
            net = doubler(m)
            net.register_full_backward_pre_hook(lambda mod, go: (go[0] * 10,))
            net.register_full_backward_hook(lambda mod, gi, go: (gi[0] + 1,))
            net.register_full_backward_hook(lambda mod, gi, go: log.append((plain(gi), plain(go))))
            x = m.ones(2, requires_grad=True)
            net(x).sum().backward()
            log.append(plain(x.grad))

        assert same_in_both(story)[-1] == [21.0, 21.0]

    def test_wrong_numbers_of_gradients(self):
        def story(m, log):
            for register, bad in (
                ("register_full_backward_pre_hook", lambda mod, go: (go[0], go[0])),
                ("register_full_backward_hook", lambda mod, gi, go: (gi[0], gi[0])),
            ):
                net = doubler(m)
                getattr(net, register)(bad)
                with pytest.raises(RuntimeError) as error:
                    net(m.ones(2, requires_grad=True)).sum().backward()
                log.append(str(error.value))

        same_in_both(story)

    @pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")  # torch's
    def test_no_input_requires_grad(self):
        def story(m, log):
            net = m.nn.Linear(1, 1)
            net.weight.data.fill_(2.0)
            net.register_full_backward_hook(lambda mod, gi, go: log.append((plain(gi), plain(go))))
            net(m.ones(1, 1)).sum().backward()
            net.register_full_backward_hook(lambda mod, gi, go: (go[0],))
            with pytest.raises(RuntimeError) as error:
                net(m.ones(1, 1)).sum().backward()
            log.append(str(error.value))

        same_in_both(story)

    def test_no_gradient_wanted_at_all(self):
        net, log = doubler(minigrad), []
        net.register_full_backward_hook(lambda *_: log.append(1))
        with minigrad.no_grad():
            assert not net(minigrad.ones(1, requires_grad=True)).requires_grad
        net(minigrad.ones(1))
        assert log == []

    def test_a_gradient_that_reaches_the_input_past_the_output_runs_no_hook(self):
        def story(m, log):
            class Leak(m.nn.Module):
                def forward(self, x):
                    self.leaked = x * 1
                    return x * 2

            net = Leak()
            net.register_full_backward_hook(lambda *_: log.append("hook"))
            x = m.ones(1, requires_grad=True)
            net(x)
            net.leaked.sum().backward()
            log.append(plain(x.grad))

        same_in_both(story)

    def test_output_of_another_type_warns(self):
        class Dict(nn.Module):
            def forward(self, x):
                return {"y": x * 2}

        net = Dict()
        net.register_full_backward_hook(lambda *_: None)
        with pytest.warns(UserWarning, match="output should be a Tensor or a tuple of Tensors"):
            net(minigrad.ones(1, requires_grad=True))

    def test_order_through_a_network_and_twice(self):
        def story(m, log):
            net = m.nn.Sequential(m.nn.Linear(2, 3), m.nn.Tanh(), m.nn.Linear(3, 1))
            for name, module in net.named_modules():
                module.register_full_backward_hook(
                    lambda mod, gi, go, name=name: log.append((name, [g is not None for g in gi]))
                )
            loss = net(m.ones(1, 2, requires_grad=True)).sum()
            loss.backward(retain_graph=True)
            loss.backward()

        assert len(same_in_both(story)) == 8

    def test_second_derivatives_pass_the_hooks(self):
        def story(m, log):
            net = m.nn.Tanh()
            net.register_full_backward_hook(lambda mod, gi, go: (gi[0] * 2,))
            x = m.tensor([0.5], dtype=m.float64, requires_grad=True)
            (first,) = m.autograd.grad(net(x).sum(), x, create_graph=True)
            (second,) = m.autograd.grad(first.sum(), x)
            log.append((round(first.item(), 9), round(second.item(), 9)))

        same_in_both(story)

    def test_hooks_of_all_modules(self):
        def story(m, log):
            everywhere = m.nn.modules.module
            net = m.nn.Sequential(doubler(m))
            handles = [
                everywhere.register_module_full_backward_pre_hook(lambda mod, go: log.append(("pre", plain(go)))),
                everywhere.register_module_full_backward_hook(lambda mod, gi, go: log.append(plain(gi))),
            ]
            net(m.ones(1, requires_grad=True)).sum().backward()
            for handle in handles:
                handle.remove()
            net(m.ones(1, requires_grad=True)).sum().backward()

        assert len(same_in_both(story)) == 4

    def test_the_old_name(self):
        net, log = doubler(minigrad), []
        net.register_backward_hook(lambda mod, gi, go: log.append(plain(go)))
        net(minigrad.ones(1, requires_grad=True)).sum().backward()
        assert log == [[[1.0]]]

    def test_a_hooked_graph_is_freed_without_the_collector(self):
        gc.disable()
        try:
            net = doubler(minigrad)
            net.register_full_backward_hook(lambda *_: None)
            x = minigrad.ones(1000, requires_grad=True)
            y = net(x)
            watch = weakref.ref(y), weakref.ref(net)
            y.sum().backward()
            del y, net
            assert [w() for w in watch] == [None, None]
        finally:
            gc.enable()

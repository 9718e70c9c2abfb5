"""Names of hardware, compilers and services: what is accepted has no effect, what is asked is answered with no, what is
refused raises PyTorch's kind of error and says what to do."""

import importlib
import math
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")


def outcome(T, code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(code, {"T": T})
        except Exception as error:
            return type(error)


# The answers of a PyTorch without accelerators; each line is run in both.
SAME = """
    T.cuda.is_available()  T.cuda.device_count()  T.cuda.is_initialized()  T.cuda.is_bf16_supported()
    T.cuda.memory_allocated()  T.cuda.max_memory_allocated()  T.cuda.memory_reserved()  T.cuda.max_memory_reserved()
    T.cuda.empty_cache()  T.cuda.manual_seed(1)  T.cuda.manual_seed_all(1)  T.cuda.get_rng_state_all()
    T.cuda.get_arch_list()  T.cuda.current_device()  T.cuda.get_device_name()  T.cuda.get_device_properties(0)
    T.cuda.Stream()  T.cuda.Event(enable_timing=True)  T.cuda.no_such_thing
    T.accelerator.is_available()  T.accelerator.current_accelerator()  T.accelerator.device_count()
    T.accelerator.synchronize()  T.accelerator.memory_allocated()
    T.mps.is_available()  T.mps.device_count()  T.mps.current_allocated_memory()
    T.xpu.is_available()  T.xpu.device_count()  T.xpu.empty_cache()  T.xpu.current_device()
    T.cpu.is_available()  T.cpu.device_count()  T.cpu.current_device()  T.cpu.synchronize()
    T.backends.cudnn.version()  T.backends.cudnn.is_available()  T.backends.cudnn.enabled
    T.backends.cudnn.benchmark  T.backends.cudnn.deterministic  T.backends.cudnn.allow_tf32
    T.backends.mps.is_available()  T.backends.mps.is_built()  T.backends.cuda.is_built()
    T.backends.cuda.matmul.allow_tf32  T.backends.cuda.flash_sdp_enabled()  T.backends.opt_einsum.strategy
    T.is_autocast_enabled()  T.is_autocast_enabled("cpu")  T.is_autocast_enabled("x")  T.autocast(3)  T.autocast("x")
    T.autocast()  T.amp.GradScaler("cpu").get_scale()
    T.amp.GradScaler("cuda").get_scale()  T.amp.GradScaler("cuda").state_dict()  T.cuda.amp.GradScaler().is_enabled()
    T.amp.GradScaler("cpu",growth_factor=1.0)  T.amp.GradScaler("cpu",backoff_factor=2.0)
    T.amp.GradScaler("cpu").step(None)  T.amp.GradScaler("cpu").update()  T.amp.GradScaler("cpu").scale(3)
    T.get_float32_matmul_precision()  T.are_deterministic_algorithms_enabled()  T.get_deterministic_debug_mode()
    T.set_deterministic_debug_mode("x")  T.set_deterministic_debug_mode(7)  T.set_num_interop_threads(0)
    T.is_deterministic_algorithms_warn_only_enabled()  T.is_warn_always_enabled()
    T.compiler.is_compiling()  T.jit.is_scripting()  T.jit.is_tracing()
    T.version.cuda  T.version.hip  T.distributed.is_initialized()  T.profiler.ProfilerActivity.CPU.name
    T.ones(1).cuda()  T.ones(1).to("cuda")  T.ones(1,device="cuda:1")  T.ones(1).to("mps")  T.ones(1).to("banana")
    T.nn.Linear(1,1).cuda()  T.nn.Linear(1,1).to("cuda")
""".split()


@pytest.mark.parametrize("code", SAME)
def test_what_pytorch_without_accelerators_says(code):
    expected, actual = outcome(torch, code), outcome(minigrad, code)
    if isinstance(expected, type):
        assert issubclass(actual, expected), f"{actual} / {expected}"
    else:
        assert actual == expected


REFUSED = [
    ("distributed.TCPStore('localhost', 0)", "no store"),
    ("hub.load('pytorch/vision', 'resnet18')", "minigrad.load"),
    ("hub.tqdm", "tqdm"),
    ("utils.model_zoo.load_url('https://x')", "minigrad.load"),
    ("jit.save(None, 'x')", "minigrad.save"),
    ("profiler.profile(activities=[])", "viz.trace"),
    ("profiler.schedule(wait=1, warmup=1, active=1)", "cProfile"),
]


@pytest.mark.parametrize(("code", "text"), REFUSED, ids=[code for code, _ in REFUSED])
def test_what_is_refused_names_the_alternative(code, text):
    with pytest.raises(NotImplementedError) as error:
        eval(f"minigrad.{code}() if {code!r} == 'hub.tqdm' else minigrad.{code}", {"minigrad": minigrad})
    assert text in str(error.value)


ACCEPTED = """
    from minigrad.cuda.amp import GradScaler, autocast, custom_bwd, custom_fwd
    from minigrad.distributed import ReduceOp
    from minigrad.nn.parallel import DataParallel, DistributedDataParallel, data_parallel
    import minigrad.backends.cudnn as cudnn
    import minigrad.distributed as dist
    import minigrad.multiprocessing as mp
    import minigrad as torch

    cudnn.benchmark = True
    torch.backends.cudnn.deterministic = torch.backends.cuda.matmul.allow_tf32 = True
    assert (cudnn.benchmark, torch.backends.cudnn.benchmark, torch.backends.cuda.matmul.allow_tf32) == (True,) * 3
    torch.backends.cuda.enable_flash_sdp(False)
    assert not torch.backends.cuda.flash_sdp_enabled()
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled() and torch.get_deterministic_debug_mode() == 1
    torch.set_deterministic_debug_mode("error")
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_interop_threads(3)
    assert torch.get_num_interop_threads() == 3
    torch.set_warn_always(True)
    assert torch.is_warn_always_enabled() and torch.set_flush_denormal(True) is False
    torch.cuda.set_device(0)
    torch.cuda.synchronize()
    torch.accelerator.set_device_index(1)
    with torch.cuda.device(0), torch.cuda.stream(None), cudnn.flags(enabled=True), torch.cpu.stream(None):
        pass
    with torch.profiler.record_function("step"):
        pass
    rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
    assert rank == 0 and ReduceOp.SUM.name == "SUM" and not dist.is_nccl_available()
    assert torch.version.__version__ == torch.__version__
    assert "minigrad" in torch.__config__.show() and "threads" in torch.__config__.parallel_info()
"""


def test_switches_can_be_set_and_read():
    """In a process of its own, which keeps the settings."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(ACCEPTED)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_an_unknown_precision_is_a_warning():
    with pytest.warns(UserWarning, match="'highest', 'high', or 'medium'"):
        minigrad.set_float32_matmul_precision("low")
    assert minigrad.get_float32_matmul_precision() == "highest"


def test_compilers_return_what_they_get():
    model, x = nn.Linear(2, 2), minigrad.ones(1, 2)

    @minigrad.compile
    def plain(x):
        return x + 1

    @minigrad.compile(mode="max-autotune", fullgraph=True)
    def with_settings(x):
        return x + 2

    @minigrad.jit.script
    def scripted(x):
        return x + 3

    assert (plain(1), with_settings(1), scripted(1)) == (2, 3, 4)
    for same in (
        minigrad.compile(model),
        minigrad.jit.script(model),
        minigrad.jit.trace(model, x),
        minigrad.jit.freeze(model),
        minigrad.compiler.disable(model),
    ):
        assert same is model


def test_autocast_has_no_effect():
    x = minigrad.ones(2, 2)

    @minigrad.autocast("cpu", dtype=minigrad.bfloat16)
    def product(x):
        return x @ x

    with minigrad.autocast(device_type="cuda", dtype=minigrad.float16, enabled=True), minigrad.cuda.amp.autocast():
        assert (x @ x).dtype == minigrad.float32
        assert not minigrad.is_autocast_enabled()
    assert product(x).dtype == minigrad.float32
    assert product.__name__ == "product"


def test_functions_with_custom_fwd_and_bwd():
    class Double(minigrad.autograd.Function):
        @staticmethod
        @minigrad.amp.custom_fwd(device_type="cuda", cast_inputs=minigrad.float16)
        def forward(ctx, x):
            return x * 2

        @staticmethod
        @minigrad.cuda.amp.custom_bwd
        def backward(ctx, g):
            return g * 2

    x = minigrad.ones(2, requires_grad=True)
    Double.apply(x).sum().backward()
    assert x.grad.tolist() == [2, 2]


class TestGradScaler:
    def curves(self, lib, device, factors, clip=False):
        """Losses, scales and the state at the end; `factors` multiply the loss, so that inf makes a bad step."""
        lib.manual_seed(0)
        model = lib.nn.Linear(3, 1)
        optimizer = lib.optim.SGD(model.parameters(), lr=0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scaler = lib.amp.GradScaler(device, init_scale=1000.0, growth_interval=2)
        x, seen = lib.linspace(-1, 1, 12).reshape(4, 3), []
        for factor in factors:
            optimizer.zero_grad()
            loss = (model(x) - 1).square().mean()
            scaler.scale(loss * factor).backward()
            if clip:
                scaler.unscale_(optimizer)
                lib.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            scaler.step(optimizer)
            scaler.update()
            seen += [loss.item(), scaler.get_scale()]
        return seen, scaler.state_dict()

    @pytest.mark.parametrize("device", ["cpu", "cuda"])
    @pytest.mark.parametrize("clip", [False, True])
    def test_curves_are_pytorchs(self, device, clip):
        factors = [1, 1, math.inf, 1, 1, 1, math.inf, 1] if device == "cpu" else [1, 1, 1]
        (theirs, state), (mine, my_state) = (
            self.curves(lib, device, factors, clip and device == "cpu") for lib in (torch, minigrad)
        )
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
        assert my_state == state

    def test_states_cross(self):
        theirs = torch.amp.GradScaler("cpu", init_scale=8.0, growth_factor=3.0)
        mine = minigrad.amp.GradScaler("cpu")
        mine.load_state_dict(theirs.state_dict())
        assert mine.state_dict() == theirs.state_dict()
        theirs.load_state_dict(mine.state_dict())
        with pytest.raises(RuntimeError, match="source state dict is empty"):
            mine.load_state_dict({})

    def test_lists_of_losses_and_new_scales(self):
        scaler = minigrad.amp.GradScaler("cpu", init_scale=2.0)
        a, (b, c) = scaler.scale([minigrad.ones(1), (minigrad.ones(1), minigrad.ones(2))])
        assert (a.tolist(), b.tolist(), c.tolist()) == ([2], [2], [2, 2])
        half = scaler.scale(minigrad.tensor(40000.0, dtype=minigrad.float16))
        assert (half.dtype, half.item()) == (minigrad.float32, 80000.0)
        scaler.update(4.0)
        assert scaler.get_scale() == 4.0
        scaler.set_growth_factor(5.0)
        scaler.set_backoff_factor(0.1)
        scaler.set_growth_interval(7)
        settings = scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()
        assert settings == (5.0, 0.1, 7)

    def test_calls_in_the_wrong_order(self):
        scaler, p = minigrad.amp.GradScaler("cpu"), nn.Parameter(minigrad.ones(1))
        optimizer = minigrad.optim.SGD([p], lr=0.1)
        with pytest.raises(AssertionError, match="nothing was scaled"):
            scaler.step(optimizer)
        scaler.scale(p.sum()).backward()
        scaler.unscale_(optimizer)
        with pytest.raises(RuntimeError, match="already been called on this optimizer"):
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        with pytest.raises(RuntimeError, match="already been called since the last update"):
            scaler.step(optimizer)
        with pytest.raises(RuntimeError, match="after step"):
            scaler.unscale_(optimizer)
        scaler.update()
        with pytest.raises(RuntimeError, match="Closure"):
            scaler.step(optimizer, closure=lambda: None)
        p.data, p.grad = p.data.half(), None
        scaler.scale(p.sum()).backward()
        with pytest.raises(ValueError, match="FP16"):
            scaler.step(optimizer)


def test_data_parallel_wraps():
    results = []
    for lib in (torch.nn, nn):
        model = lib.DataParallel(lib.Sequential(lib.Linear(2, 3)), device_ids=[0, 1])
        results.append((repr(model), list(model.state_dict())))
    assert results[0] == results[1]
    x = minigrad.ones(1, 2)
    assert model(x).tolist() == model.module(x).tolist()
    assert nn.parallel.data_parallel(model, x).tolist() == nn.parallel.data_parallel(model, (x,)).tolist()


WORKER = """
    import sys
    import minigrad
    import minigrad.multiprocessing as mp

    def work(i, queue, x):
        queue.put((x + i).tolist())
        sys.exit(3 * i)

    if __name__ == "__main__":
        queue = mp.get_context("spawn").SimpleQueue()
        try:
            mp.spawn(work, args=(queue, minigrad.ones(2)), nprocs=2)
        except mp.ProcessRaisedException as error:
            print(error)
        print(queue.get())
"""


def test_processes(tmp_path):
    """Either may be first; the one that fails ends the other."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(WORKER))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120)
    said, got = done.stdout.splitlines()
    assert said == "process 1 terminated with exit code 3", done.stderr
    assert got in ("[1.0, 1.0]", "[2.0, 2.0]")


class TestSummaryWriter:
    def test_tensors_are_written(self, tmp_path):
        pytest.importorskip("tensorboardX")
        from minigrad.utils.tensorboard import SummaryWriter

        with SummaryWriter(log_dir=str(tmp_path)) as writer:
            writer.add_scalar("loss", minigrad.tensor(1.5, requires_grad=True), 3)
            writer.add_scalars("both", {"a": minigrad.tensor(1.0), "b": 2.0}, 3)
            writer.add_histogram("weights", minigrad.randn(20), 3)
            writer.add_image("image", minigrad.rand(3, 4, 4), 3)
            writer.add_text("note", "text", 3)
            with pytest.raises(NotImplementedError, match=r"viz\.draw"):
                writer.add_graph(None)
        written = b"".join(path.read_bytes() for path in tmp_path.glob("events*"))
        for name in (b"loss", b"weights", b"image", b"note", np.float32(1.5).tobytes()):
            assert name in written

    def test_without_the_package_the_error_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorboardX", None)
        monkeypatch.delitem(sys.modules, "minigrad.utils.tensorboard", raising=False)
        with pytest.raises(ImportError, match=r'pip install "minigrad\[tensorboard\]"'):
            importlib.import_module("minigrad.utils.tensorboard")

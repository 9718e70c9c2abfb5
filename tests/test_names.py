"""PyTorch's public names and signatures, place by place: what it has is here, or the list below says why not."""

import importlib
import inspect
import pkgutil
import re

import pytest

import minigrad

torch = pytest.importorskip("torch")

QUANTIZED = "numbers of 8 bits"
INSIDE = "not meant to be used from outside, though public by its name"
SEVERAL_GPUS = "the steps of DataParallel on several GPUs"

# {a file or folder of torch.nn that is not here: why not}
ABSENT_MODULES = {
    "nn.attention.bias": "a causal mask is written is_causal=True, or as a tensor",
    "nn.attention.experimental": "kernels of GPUs",
    "nn.attention.flex_attention": "made for torch.compile; a mask or a bias can be given as a tensor",
    "nn.attention.varlen": "kernels of GPUs",
    "nn.backends": INSIDE,
    "nn.cpp": INSIDE,
    "nn.grad": INSIDE,
    "nn.intrinsic": QUANTIZED,
    "nn.modules.linear_cross_entropy": "the loss stands with the others",
    "nn.modules.linear_cross_entropy_options": "the loss is not computed in chunks",
    "nn.parallel.comm": SEVERAL_GPUS,
    "nn.parallel.parallel_apply": SEVERAL_GPUS,
    "nn.parallel.replicate": SEVERAL_GPUS,
    "nn.parallel.scatter_gather": SEVERAL_GPUS,
    "nn.qat": QUANTIZED,
    "nn.quantizable": QUANTIZED,
    "nn.quantized": QUANTIZED,
}

# {place: {name: why it is not here}}
ABSENT = {
    "nn": {
        "intrinsic": QUANTIZED,
        "qat": QUANTIZED,
        "quantizable": QUANTIZED,
        "quantized": QUANTIZED,
        "grad": INSIDE,
        "LinearCrossEntropyOptions": "the loss is not computed in chunks",
    },
    "nn.init": {},
    "nn.attention": {
        "WARN_FOR_UNFUSED_KERNELS": INSIDE,
        **dict.fromkeys(
            [
                "activate_flash_attention_impl", "current_flash_attention_impl", "list_flash_attention_impls",
                "register_flash_attention_impl", "restore_flash_attention_impl",
            ],
            "kernels of GPUs",
        ),
    },
    "nn.modules": {"LinearCrossEntropyOptions": "the loss is not computed in chunks"},
    "nn.parallel": dict.fromkeys(["gather", "parallel_apply", "replicate", "scatter"], SEVERAL_GPUS),
    "nn.parameter": {},
    "nn.utils": {},
    "nn.utils.rnn": {},
    "nn.utils.stateless": {},
    "nn.utils.parametrize": {},
    "nn.utils.parametrizations": {},
    "nn.utils.prune": {},
    "optim": {"swap_in_optimizer_params_and_state": INSIDE},
    "optim.lr_scheduler": {},
    "optim.swa_utils": {},
    "utils.data": dict.fromkeys(
        [
            "DFIterDataPipe", "DataChunk", "IterDataPipe", "MapDataPipe", "argument_validation", "functional_datapipe",
            "guaranteed_datapipes_determinism", "non_deterministic", "runtime_validation",
            "runtime_validation_disabled",
        ],
        "data pipes, which PyTorch has given up",
    ),
    "distributions": {},
    "serialization": dict.fromkeys(
        [
            "SourceChangeWarning", "StorageType", "check_module_version_greater_or_equal", "get_default_mmap_options",
            "mkdtemp", "normalize_storage_type", "register_package", "set_default_mmap_options", "skip_data",
            "storage_to_tensor_type", "validate_cuda_device", "validate_hpu_device",
        ],
        INSIDE,
    ),
}  # fmt: skip

# {"place.name": why its signature is another}
DIFFERENT = {
    "nn.parallel.DistributedDataParallel": "what half precision, device meshes and tuned buckets need is left out",
    "nn.utils.stateless.functional_call": "it is func.functional_call, which PyTorch's deprecated one calls",
    "utils.data.random_split": "None stands for the default generator",
    "distributions.Distribution": "a plain tuple stands for an empty Size",
    "distributions.ExponentialFamily": "a plain tuple stands for an empty Size",
    "serialization.load": "widen_bfloat16 is ours",
    "serialization.save": "an option of PyTorch's own tests is left out",
}


def module(root, place):
    return importlib.import_module(f"{root}.{place}")


def of_pytorch(value):
    """Not what a module has only imported of Python's library."""
    home = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None) or "torch."
    return home.startswith("torch.")


def public(place):
    theirs = module("torch", place)
    names = getattr(theirs, "__all__", None) or [n for n, value in vars(theirs).items() if of_pytorch(value)]
    return sorted({name for name in names if name not in ABSENT[place] and not name.startswith("_")})


@pytest.mark.parametrize("place", ABSENT)
def test_every_public_name_is_here(place):
    ours = module("minigrad", place)
    assert [name for name in public(place) if not hasattr(ours, name)] == []
    assert [name for name in ABSENT[place] if hasattr(ours, name)] == []


def modules(name, path):
    """The public files and folders below a package of PyTorch's, without importing them."""
    for found in pkgutil.iter_modules(path):
        below = f"{name}.{found.name}"
        if found.name.startswith("_"):
            continue
        yield below
        if found.ispkg and below not in ABSENT_MODULES:
            yield from modules(below, [f"{path[0]}/{found.name}"])


def test_every_public_module_of_nn_is_here():
    theirs, ours = set(modules("nn", torch.nn.__path__)), set(modules("nn", minigrad.nn.__path__))
    assert theirs - ours == set(ABSENT_MODULES)


def parameters(thing):
    """{name: (kind, default)} of a call, or None where Python cannot tell."""
    try:
        found = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    return [(p.name, p.kind.name, plain(p.default)) for p in found]


def plain(default):
    """A default as text that is the same in both libraries."""
    if isinstance(default, type) or callable(default):
        return getattr(default, "__name__", str(default))
    return re.sub(" (object )?(at|from) .*>", ">", repr(default)).replace("minigrad.", "torch.")


ANYTHING = [("args", "VAR_POSITIONAL", "_empty"), ("kwargs", "VAR_KEYWORD", "_empty")]


def callables():
    for place in ABSENT:
        for name in public(place):
            theirs = getattr(module("torch", place), name)
            if callable(theirs) and (parameters(theirs) or ANYTHING) != ANYTHING:
                yield f"{place}.{name}"


@pytest.mark.parametrize("path", list(callables()))
def test_signatures_are_pytorchs(path):
    place, _, name = path.rpartition(".")
    ours, theirs = (parameters(getattr(module(root, place), name)) for root in ("minigrad", "torch"))
    if path in DIFFERENT:
        assert ours != theirs
    else:
        assert ours == theirs

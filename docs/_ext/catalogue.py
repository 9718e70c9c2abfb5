"""Which public names there are, and on which page of the reference each stands: read off the modules.

`pages()` gives them all; `undocumented()` names those that say nothing of themselves, which stops the build of the site
and fails tests/test_docs_site.py. Needs minigrad only, not Sphinx.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import re
import sys
import types

import minigrad
import minigrad.nn.functional
from minigrad.autograd.link import FUNCTIONALS, SPECIALS
from minigrad.registry import COMPOSITES, OPS

# The names of `minigrad` itself by the files they come from: (page, title, [(section, files)]).
FAMILIES = [
    (
        "making",
        "Making tensors",
        [
            ("From data", "creation exchange typed"),
            ("Ranges", "ranges"),
            ("Random numbers", "sampling random"),
            ("Reading and writing files", "serialization serialization.flat"),
        ],
    ),
    (
        "pointwise",
        "Number by number",
        [
            ("Arithmetic", "ops.pointwise ops.elementary"),
            ("Trigonometry", "ops.trig"),
            ("Rounding and remainders", "ops.rounding"),
            ("Bounds, and what lies between", "ops.limits"),
            ("Comparisons, and choosing by them", "ops.compare conversion"),
            ("Special functions", "ops.special"),
            ("Bits", "ops.bits"),
        ],
    ),
    (
        "reductions",
        "Sums, order and statistics",
        [
            ("Reductions", "ops.reduce ops.statistics ops.norm"),
            ("Running results", "ops.scan"),
            ("Order", "ops.order"),
            ("Counting", "ops.counting"),
            ("Distances", "ops.distance ops.similarity"),
        ],
    ),
    (
        "shapes",
        "Shapes and indices",
        [
            ("Shape", "ops.shape ops.strided ops.part ops.arrange"),
            ("Joining and taking apart", "ops.join ops.apart"),
            ("Diagonals and triangles", "ops.diagonal"),
            ("Reading and writing by index", "ops.gather ops.rows ops.masked ops.index"),
        ],
    ),
    (
        "matrices",
        "Matrices",
        [
            ("Products", "ops.linalg ops.products ops.einsum"),
            ("Solving and taking apart", "ops.solve ops.decomposition ops.lu ops.pseudo"),
        ],
    ),
    (
        "layers",
        "Functions of networks in minigrad itself",
        [
            ("Activations", "ops.activation ops.piecewise ops.softmax"),
            ("Convolution, pooling, windows", "ops.conv ops.pool ops.average ops.window ops.unpool ops.grid"),
            ("Recurrence and attention", "ops.recurrent ops.attention"),
            ("Normalization and dropout", "ops.normalization ops.dropout"),
            ("Losses and embeddings", "ops.loss ops.likelihood ops.margin ops.ctc ops.embedding ops.bag ops.classes"),
        ],
    ),
    (
        "settings",
        "Modes, dtypes and settings",
        [
            ("Recording", "autograd.modes autograd.anomaly_mode autograd.link"),
            ("dtypes and devices", "dtypes"),
            ("Asking", "inspection"),
            ("Kernels, threads, printing", "kernels.dispatch kernels.threads printing"),
            ("Transforms", "batching"),
            ("Storage", "storage"),
            ("Names that mean little on a CPU", "amp compiler switches sparse absent"),
        ],
    ),
]

# The sections of modules with many names: [(section, files)].
NETWORK_FAMILIES = [
    ("Convolution", "ops.conv nn.modules.conv nn.modules.fold"),
    ("Pooling", "ops.pool ops.average ops.fractional ops.unpool nn.modules.pooling"),
    ("Padding", "ops.pad nn.modules.padding"),
    ("Activations", "ops.activation ops.piecewise ops.softmax ops.pointwise nn.modules.activation nn.modules.softmax"),
    ("Normalization", "ops.normalization nn.modules.batchnorm nn.modules.instancenorm nn.modules.normalization"),
    ("Recurrence", "nn.modules.rnn nn.modules.rnn_base"),
    ("Attention and transformers", "ops.attention ops.multihead nn.modules.attention nn.modules.transformer"),
    ("Linear layers", "ops.linalg nn.modules.linear nn.modules.flatten"),
    ("Dropout", "ops.dropout nn.modules.dropout"),
    ("Embeddings", "ops.embedding ops.bag nn.modules.sparse"),
    ("Distances", "ops.similarity nn.modules.distance"),
    (
        "Losses",
        "ops.loss ops.likelihood ops.classes ops.margin ops.ctc nn.modules.adaptive "  # noqa: ISC004
        "nn.modules.loss_distance nn.modules.loss_likelihood nn.modules.loss_margin",
    ),
    (
        "Pictures",
        "ops.window ops.resample ops.grid nn.modules.pixelshuffle nn.modules.upsampling nn.modules.channelshuffle",
    ),
]
SECTIONS = {
    "nn": [("Modules and containers", "nn.modules.module nn.modules.container nn.parameter"), *NETWORK_FAMILIES],
    "nn.functional": NETWORK_FAMILIES,
}

# Every other page: (page, title, modules).
MODULES = [
    ("nn", "Layers and losses: nn", "nn"),
    ("functional", "Functions of networks: nn.functional", "nn.functional"),
    (
        "nn-utils",
        "Starting and holding parameters: nn.init, nn.utils, nn.parallel",
        "nn.init nn.utils nn.utils.parametrize nn.utils.parametrizations nn.utils.rnn nn.utils.stateless "  # noqa: ISC004
        "nn.parameter nn.attention nn.parallel",
    ),
    ("optim", "Optimizers and schedules: optim", "optim optim.lr_scheduler optim.swa_utils"),
    ("autograd", "Automatic differentiation: autograd", "autograd autograd.functional autograd.graph"),
    ("func", "Transforms of functions: func", "func"),
    ("linalg", "Linear algebra: linalg", "linalg"),
    ("special", "Special functions: special", "special"),
    ("fft", "Fourier transforms: fft", "fft"),
    ("random", "Random streams: random", "random"),
    (
        "distributions",
        "Distributions",
        "distributions distributions.kl distributions.constraints distributions.transforms",
    ),
    ("data", "Data sets and loaders: utils.data, datasets", "utils.data datasets"),
    ("transforms", "Pictures turned, cut and coloured: transforms", "transforms transforms.functional"),
    ("text", "Texts: text", "text"),
    ("train", "The training loop: train", "train"),
    ("viz", "Seeing it: viz", "viz viz.plots"),
    ("scalar", "One number at a time: scalar", "scalar scalar.nn scalar.moons"),
    ("serialization", "Files: serialization, onnx", "serialization onnx"),
    (
        "utils",
        "Helpers: utils, testing, types",
        "utils.checkpoint utils.benchmark utils.dlpack utils.tensorboard utils.hooks functional testing types",
    ),
    ("course", "What the course uses: course", "course"),
    (
        "distributed",
        "Several processes: distributed, futures",
        "distributed distributed.algorithms distributed.algorithms.ddp_comm_hooks.bucket "  # noqa: ISC004
        "distributed.algorithms.ddp_comm_hooks.default_hooks distributed.optim futures",
    ),
]

# Hardware, compilers and services of PyTorch's: their names stand in tables.
HARMLESS = (
    "__config__ accelerator amp backends backends.cpu backends.cuda backends.cudnn backends.mkl backends.mkldnn "
    "backends.mps backends.openmp backends.opt_einsum compiler cpu cuda cuda.amp hub jit mps multiprocessing profiler "
    "sparse utils.model_zoo version xpu"
)
# Public modules whose names are not Python's affair but the command's, or stand elsewhere.
ELSEWHERE = {
    "minigrad.cli": "the command `minigrad`",
    "minigrad.ops": "the op blocks: what is made of them stands everywhere",
    "minigrad.nn.modules": "the files of minigrad.nn",
    "minigrad.nn.common_types": "annotations of PyTorch's layers",
    "minigrad.scalar.engine": "micrograd's name for the module of Value",
    "minigrad.autograd.anomaly_mode": "its names are those of minigrad.autograd",
}

# What cannot say it itself: methods of Python's own objects.
TOLD = {
    "minigrad.is_grad_enabled": "is_grad_enabled() -> bool\n\nWhether operations are recorded: not so inside `no_grad` "
    "and `inference_mode`. (PyTorch: torch.is_grad_enabled)",
    "minigrad.is_inference_mode_enabled": "is_inference_mode_enabled() -> bool\n\nWhether this is inside "
    "`inference_mode`. (PyTorch: torch.is_inference_mode_enabled)",
}
for _short in ("is_grad_enabled", "is_inference_mode_enabled"):
    TOLD[f"minigrad.autograd.{_short}"] = TOLD[f"minigrad.{_short}"]
FEWEST = 9  # a docstring of fewer characters says nothing


@dataclasses.dataclass
class Name:
    """A public name: its path ("minigrad.nn.Linear"), the thing, and, if another path is the usual one, that."""

    path: str
    thing: object
    usual: str = ""

    @property
    def short(self):
        return self.path.rpartition(".")[2]

    @property
    def kind(self):
        """ "module", "class", "function" or "data"."""
        if inspect.ismodule(self.thing):
            return "module"
        if inspect.isclass(self.thing):
            return "class"
        return "function" if callable(self.thing) and hasattr(self.thing, "__name__") else "data"

    @property
    def own(self):
        """Whether it is minigrad's, not only passed on."""
        return self.kind == "data" or str(getattr(self.thing, "__module__", "minigrad")).startswith("minigrad")

    @property
    def text(self):
        """Its docstring; of a number or an object "", as theirs is that of their class."""
        told = TOLD.get(self.path)
        if told is not None or self.kind == "data":
            return told or ""
        return inspect.cleandoc(self.thing.__doc__ or "")


@dataclasses.dataclass
class Section:
    """Names under one heading; module: whose they are."""

    title: str
    module: str
    names: list


@dataclasses.dataclass
class Page:
    """A page of the reference."""

    slug: str
    title: str
    sections: list
    table: bool = False  # one line for each name


def module_named(name):
    """A module of minigrad, or None where this version has none of that name."""
    try:
        return importlib.import_module(f"minigrad.{name}")
    except ModuleNotFoundError as error:
        if error.name == f"minigrad.{name}":
            return None
        raise


def public_names(module):
    """The public names of a module, in order: its `__all__`, what its blocks offer, or what it defines."""
    if module is sys.modules["minigrad.nn.functional"]:
        return sorted(FUNCTIONALS)
    if module.__name__ == "minigrad.special":
        return sorted(SPECIALS)
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(dict.fromkeys(listed))
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]


def origin(name, thing):
    """The file of `minigrad` that a name comes from, "ops.trig" or the like."""
    base = name.removesuffix("_")
    if base in ("batch_norm", "layer_norm"):  # they stand beside softmax, whose kernels they share
        return "ops.normalization"
    for key in (name, base, getattr(thing, "__name__", "").removesuffix("_")):
        block = OPS.get(key) or COMPOSITES.get(key)
        if block is not None and getattr(thing, "__module__", "minigrad").startswith("minigrad"):
            return block.__module__.removeprefix("minigrad.")
    home = getattr(thing, "__module__", None)
    if not isinstance(home, str) or home in ("minigrad", "builtins"):
        home = TYPED_HOMES.get(name) or type(thing).__module__
    return home.removeprefix("minigrad.")


TYPED_HOMES = {
    **dict.fromkeys(["is_grad_enabled", "is_inference_mode_enabled"], "autograd.modes"),
    **dict.fromkeys(["e", "inf", "nan", "pi"], "ops.pointwise"),
    **dict.fromkeys([name for name in minigrad.__all__ if name.endswith("Tensor") and name != "Tensor"], "typed"),
}


def name_of(module, short):
    """A name in a module; where the thing is called otherwise, the usual path is noted."""
    thing = getattr(module, short)
    path, usual = f"{module.__name__}.{short}", ""
    own = getattr(thing, "__name__", short)
    if callable(thing) and own != short and getattr(module, own, None) is thing and own in public_names(module):
        usual = f"{module.__name__}.{own}"
    return Name(path, thing, usual)


def family_pages():
    """The pages of the names of `minigrad` itself, and the names that no family took."""
    left = {}
    for short in public_names(minigrad):
        if short != "Tensor" and not inspect.ismodule(getattr(minigrad, short)):
            left[short] = origin(short, getattr(minigrad, short))
    made = []
    for slug, title, sections in FAMILIES:
        page = Page(slug, title, [])
        for heading, files in sections:
            files = files.split()
            taken = sorted((name for name, home in left.items() if home in files), key=str.lower)
            for name in taken:
                del left[name]
            names = [name_of(minigrad, name) for name in taken]
            if slug == "layers":
                for name in names:
                    if hasattr(minigrad.nn.functional, name.short):
                        name.usual = f"minigrad.nn.functional.{name.short}"
            page.sections.append(Section(heading, "minigrad", names))
        made.append(page)
    return made, left


def module_pages():
    """The pages of the other modules; what MODULES does not know yet comes last."""
    known = {place for _, _, places in MODULES for place in places.split()}.union(HARMLESS.split())
    more = [name.removeprefix("minigrad.") for name in public_modules()]
    more = [place for place in more if not any(other == place or other.startswith(place + ".") for other in known)]
    for slug, title, places in [*MODULES, ("more", "More", " ".join(more))]:
        found = [(place, module_named(place)) for place in places.split()]
        sections = [part for place, module in found if module is not None for part in module_sections(place, module)]
        if sections:
            yield Page(slug, title, sections)


def module_sections(place, module):
    """The names of a module, all together or by SECTIONS."""
    whole = module_section(place, module)
    if place not in SECTIONS:
        return [whole]
    left, parts = {name.path: name for name in whole.names}, []
    for heading, files in SECTIONS[place]:
        taken = [name for name in left.values() if origin(name.short, name.thing) in files.split()]
        parts.append(Section(heading, whole.module, taken))
        for name in taken:
            del left[name.path]
    return [*parts, Section("Others", whole.module, list(left.values()))]


def module_section(place, module):
    """The names of a module, without its submodules, which have sections of their own."""
    names = [name_of(module, short) for short in sorted(public_names(module), key=str.lower)]
    names = [name for name in names if name.kind != "module"]
    return Section(f"minigrad.{place}", f"minigrad.{place}", names)


@functools.cache
def pages():
    """All pages of the reference, in order."""
    tensor = Page("tensor", "Tensor", [Section("", "minigrad", [Name("minigrad.Tensor", minigrad.Tensor)])])
    made, left = family_pages()
    if left:
        raise LookupError(f"docs/_ext/catalogue.py: FAMILIES has no place for {left}")
    harmless = [(place, module_named(place)) for place in HARMLESS.split()]
    harmless = [module_section(place, module) for place, module in harmless if module is not None]
    title = "Names of hardware, compilers and services"
    every = [tensor, *made, *module_pages(), Page("harmless", title, harmless, table=True)]
    note_classes_again(every)
    return every


def note_classes_again(every):
    """Note the usual path of each class that has several: the first, on the page of its kind."""
    first = {}
    for page in every:
        for section in page.sections:
            for name in section.names:
                if name.kind == "class" and name.own:
                    usual = first.setdefault(name.thing, name)
                    if usual is not name and not page.table:
                        name.usual = usual.path


@functools.cache
def every_path():
    """{path: Name} of all names on the pages."""
    return {name.path: name for page in pages() for section in page.sections for name in section.names}


def members(cls, path):
    """[(Name, kind)] of what a class offers: its own public methods and properties, and those of bases that have no
    place of their own; kind is "method", "classmethod", "staticmethod" or "property"."""
    listed = {name.thing for name in every_path().values() if name.kind == "class"}
    found = {}
    for base in cls.__mro__:
        if base is not cls and base in listed:
            break  # what it offers stands there
        if not base.__module__.startswith("minigrad"):
            continue
        for short, thing in vars(base).items():
            home = getattr(thing, "__module__", None) or "minigrad"
            if short[0] != "_" and short not in found and home.partition(".")[0] in ("minigrad", "builtins"):
                found[short] = thing
    kinds = {
        classmethod: "classmethod", staticmethod: "staticmethod", property: "property",
        functools.cached_property: "property", types.MemberDescriptorType: "property",
        types.GetSetDescriptorType: "property",
    }  # fmt: skip
    for short in sorted(found, key=str.lower):
        thing = found[short]
        kind = kinds.get(type(thing)) or ("method" if inspect.isroutine(thing) else "")
        if kind == "method" and not callable(thing):
            kind = "property"  # one of our own making, as lazy_property
        if kind:
            thing = thing.__func__ if isinstance(thing, (classmethod, staticmethod)) else thing
            yield Name(f"{path}.{short}", thing), kind


def same_function(owner, member):
    """The path of the function of `minigrad` that a method of `Tensor` is, or ""."""
    thing = getattr(minigrad, member.short, None)
    return f"minigrad.{member.short}" if owner.path == "minigrad.Tensor" and thing is member.thing else ""


def inherited(cls, short):
    """Whether a class from which `cls` inherits documents its member of that name."""
    return any(getattr(vars(base).get(short), "__doc__", None) for base in cls.__mro__[1:])


def told_by_class(name, member):
    """Whether a slot, which is no function and can have no docstring, stands in the docstring of its class."""
    slot = isinstance(member.thing, (types.MemberDescriptorType, types.GetSetDescriptorType))
    return slot and re.search(rf"\b{member.short}\b", name.text) is not None


def said(text):
    """Whether a docstring says something."""
    return len((text or "").strip()) >= FEWEST


def undocumented():
    """The paths of public names, and of methods of public classes, that have no docstring (of their own, or of what
    they override), and of public modules that no page has."""
    without = []
    for path, name in every_path().items():
        if name.kind == "data" or not name.own:
            continue
        own = name.thing.__dict__.get("__doc__") if name.kind == "class" else name.text
        if not said(own):
            without.append(path)
        if name.kind == "class":
            for member, _ in members(name.thing, path):
                told = said(member.thing.__doc__) or inherited(name.thing, member.short)
                if not told and not told_by_class(name, member):
                    without.append(member.path)
    silent = [name for name in public_modules() if not said(sys.modules[name].__doc__)]
    return without + silent


def public_modules():
    """The paths of the modules that `minigrad`, or a package of it, names in its `__all__`."""
    waiting, seen = [minigrad], set(ELSEWHERE)
    while waiting:
        module = waiting.pop()
        for short in getattr(module, "__all__", ()):
            thing = getattr(module, short)
            path = getattr(thing, "__name__", "")
            if inspect.ismodule(thing) and path.startswith("minigrad") and path not in seen and short[0] != "_":
                seen.add(path)
                waiting.append(thing)
    return sorted(seen - set(ELSEWHERE))

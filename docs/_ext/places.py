"""On which page and under which heading of the reference each part of minigrad stands; `catalogue.py` reads this."""

# The names of `minigrad` itself by the files they come from: (page, title, [(section, files)]).
FAMILIES = [
    (
        "making",
        "Making tensors",
        [
            ("From data", "creation exchange typed"),
            ("Ranges and windows", "ranges windows"),
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
        "ops.loss ops.likelihood ops.classes ops.margin ops.ctc nn.modules.adaptive "
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
        "nn.init nn.utils nn.utils.parametrize nn.utils.parametrizations nn.utils.rnn nn.utils.stateless "
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
        "distributed distributed.algorithms distributed.algorithms.ddp_comm_hooks.bucket "
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

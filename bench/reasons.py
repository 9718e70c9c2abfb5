"""Why a row of the issue's table misses its bound: found by a profile, not guessed. Kept by hand, read by `page.py`.

{row: reason}.  A reason for a row that keeps its bound is an error: it would outlive what it explains.
"""

PYTHON = "Python around the kernel: a recorded call costs about 2 µs here, the kernel itself a few hundred ns"
WALK = "Python: entering backward takes about 3 µs, each node about 1; the kernels are the smaller part"
TRAFFIC = "memory: a bare relu, forward and backward, takes about 0.74 of the time that torch needs for this row"
VECTORS = "torch's is vector code too; erf's two fits, or exp and a selection, do not fit into half of its time"

REASONS: dict[str, str] = {
    **{f"indexing/{name} small forward": PYTHON for name in ("gather dim 1", "gather dim 0", "gather one of each row")},
    **{f"indexing/{name} small forward": PYTHON for name in ("scatter_add", "index_select")},
    **{f"reduction/{name} 64x10 forward": PYTHON for name in ("sum all", "sum dim 0", "sum dim 1", "max all")},
    **{f"reduction/{name} 64x10 forward": PYTHON for name in ("max dim 0", "max dim 1", "var all", "var dim 0")},
    **{f"loss/{name} 64x10 forward+backward": WALK for name in ("softmax", "log_softmax", "cross_entropy")},
    "norm/layer_norm 64x10 forward+backward": WALK + "; its two loops take 9.7 µs of about 34",
    "norm/rms_norm 64x10 forward+backward": WALK,
    "norm/layer_norm 4096x1024 forward+backward": TRAFFIC,
    "norm/batch_norm 4096x1024 forward+backward": TRAFFIC,
    **{f"elementwise/{name} forward": VECTORS for name in ("gelu 1e5", "silu 1e5")},
    "conv/5x5 16x32x28x28 to 32 forward+backward": "at 82 % of the peak of products, as torch's is",
}

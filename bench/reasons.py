"""Why a row of the issue's table misses its bound: found by a profile, not guessed. Kept by hand, read by `page.py`.

{row: reason}.  A reason for a row that clearly keeps its bound is an error: it would outlive what it explains.
"""

PYTHON = "Python around the kernel: a recorded call costs about 2 µs here, the kernel itself a few hundred ns"
WALK = "Python: entering backward takes about 3 µs, each node about 1; the kernels are the smaller part"
LARGE_TRAFFIC = "memory: a bare relu, forward and backward, takes about 0.74 of the time that torch needs for this row"
TRAFFIC = "memory: a bare relu, forward and backward, takes 166 µs, 0.54 of the time that torch needs for this row"
VECTORS = "the loop takes 32 to 36 µs and torch's, vector code too, 37 to 41: there is nothing to halve"
WALKED = (
    "a bare relu's backward takes 70 µs, two fifths of torch's time for this row; the rest is exp and the fits of erf"
)
FRESH = "the loop takes 6.6 ms, a copy of as much memory 5.6; the other half of the time the system hands out 40 MB"
LINES = "where the numbers lie: NumPy's memory begins anywhere, torch's at a cache line"
LOOKED = "2 µs Python; the index is looked through before anything is read (0.15 ns a number), reading takes 0.6"
READ = "memory: the loop takes 0.58 ms, as NumPy's maximum of the same numbers does; torch's 0.60"

REASONS: dict[str, str] = {
    "overhead/chain of 100 (1,) forward+backward": "Python: 0.9 µs for a product, 1.5 for its way back",
    # elementwise
    "elementwise/relu 1e5 forward": f"{LINES}: between 1.01 and 1.13 from one set-up to the next",
    "elementwise/silu 1e3 forward": "the loop takes 0.6 µs, the call as long; torch's is 1.6 in all",
    **{f"elementwise/{name} 1e5 forward": VECTORS for name in ("gelu", "silu")},
    **{f"elementwise/{name} 1e5 backward": WALKED for name in ("gelu", "silu")},
    **{f"elementwise/{name} 1e7 forward": FRESH for name in ("gelu", "silu")},
    "elementwise/gelu 1e7 backward": "the loop takes 12.0 ms, reading two such arrays and writing one 9.3",
    "elementwise/gelu tanh 1e7 backward": "reading two such arrays and writing one takes 9.3 ms, fresh pages more",
    "elementwise/silu 1e7 backward": "the loop takes 7.9 ms, in which memory is read and written at full speed; "
    "the other half of the time the system hands out 40 MB",
    # losses and norms
    **{f"loss/{name} 64x10 forward+backward": WALK for name in ("softmax", "log_softmax", "cross_entropy")},
    "norm/layer_norm 64x10 forward+backward": WALK
    + ": its loops take 2.6 and 7.7 of 32 µs (rows of 10 are no vectors)",
    "norm/batch_norm 64x10 forward+backward": WALK + ": they take 7.3 and 13.8 of 41 µs",
    "norm/rms_norm 64x10 forward+backward": WALK + ": they take 4.1 and 9.7 of 29 µs",
    **{f"norm/{name} 256x1000 forward+backward": TRAFFIC for name in ("layer_norm", "batch_norm")},
    **{f"norm/{name} 4096x1024 forward+backward": LARGE_TRAFFIC for name in ("layer_norm", "batch_norm")},
    # reductions
    **{f"reduction/{name} 64x10 forward": PYTHON for name in ("sum all", "sum dim 0", "sum dim 1", "max all")},
    **{f"reduction/{name} 64x10 forward": PYTHON for name in ("max dim 0", "max dim 1", "var all", "var dim 0")},
    "reduction/sum all 256x1000 forward": "2 µs Python around a loop of 8.7 µs; torch's takes 9.5 in all",
    "reduction/sum dim 0 256x1000 forward": f"{LINES}: 11.8 µs for a matrix that does, else 15.8; torch's 13.5",
    "reduction/sum dim 1 256x1000 forward": "2 µs Python around a loop of 11.0 µs; torch's takes 10.1 in all",
    **{f"reduction/sum {name} 4096x1024 forward": READ for name in ("all", "dim 1")},
    # pooling and convolution
    "pool/max_pool2d 64x32x14x14 forward": "7 windows in a row fill no vector: 0.9 ns a number, 0.6 in rows of 28",
    "pool/max_pool2d 16x64x56x56 backward": "memory: 13 MB are zeroed (0.5 ms) and written here and there, as in "
    "torch: between 0.9 and 1.1 of its time from run to run",
    "conv/depthwise 3x3 16x256x14x14 forward+backward": "forward 1.4 ms (torch 3.2), gradients "
    "2.1 by input and 1.5 by weight: rows of 14 numbers leave a vector of 16 part empty, each tap reads them again",
    "conv/3x3 64x1x28x28 to 32 forward+backward": "memory: writing the output (6 MB) takes 0.46 ms of the forward's "
    "0.69, and its gradient is read twice",
    "conv/1x1 16x64x28x28 to 128 forward+backward": "as fast as torch's: 0.9 to 1.05 of its time from run to run",
    "conv/5x5 16x32x28x28 to 32 forward+backward": "at 82 % of the peak of products, as torch's is",
    # indexing
    **{f"indexing/{name} small forward": PYTHON for name in ("gather dim 1", "gather dim 0", "gather one of each row")},
    **{f"indexing/{name} small forward": PYTHON for name in ("scatter_add", "index_select")},
    **{f"indexing/{name} small forward+backward": WALK for name in ("scatter_add", "index_select")},
    **{f"indexing/gather dim {dim} medium forward": LOOKED for dim in (0, 1)},
    "indexing/gather dim 1 medium forward+backward": LOOKED,
    "indexing/gather one of each row medium forward": "2 µs Python around a kernel of 2.0; torch's takes 1.8 in all",
    "indexing/gather one of each row large forward": "2 µs Python around a kernel of 7.1; torch's takes 8.3 in all",
    "indexing/gather dim 1 large forward+backward": "memory: half of the time goes into adding at places (2.3 ms), in "
    "which each addition waits for what the one before has written",
    "indexing/scatter_add medium forward": "2 µs Python; additions at places of one row wait for one another",
    "indexing/index_select medium forward": "1.8 µs Python around a kernel of 3.3; torch's takes 3.5 in all",
    "indexing/index_select large forward+backward": "memory: the forward takes 0.31 ms, a copy of as much 0.29",
    # the rest
    "sequence/LSTM T50 B32 I64 H128 forward+backward": "products: at the machine's peak they would take 5.4 of 8.8 ms; "
    "the gates take 0.9",
    "optimizer/Adam 100 x 10k (torch fused)": "memory: copying two of its four arrays to the other two takes 0.61 ms",
    "optimizer/Adam 1 x 10M (torch fused)": "memory: copying two of its four arrays to the other two takes 11.1 ms",
    "startup/demo to its first step, CPU": "importing NumPy, numba and llvmlite alone takes 0.25 of 0.65 s",
    "linear/linear+gelu 64x784x256 forward": "the product takes 175 of 182 µs, in torch 178 of 194: "
    "it is level with MKL",
    "step/GPT 4 layers 128 wide 64 tokens B16 Adam": "linear layers, level with MKL, are three fifths of the "
    "step (viz.trace of one), GELU a tenth",
}

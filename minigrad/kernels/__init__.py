"""The ground floor: ndarrays in, ndarrays out. No Tensor and no graph is known here.

    cache.py       where compiled code is kept, and when it is no longer valid
    dispatch.py    `kernel` and `jit`: one operation, a NumPy twin and a numba twin, and who answers
    vecmath.py     exp, log, tanh, erf, ... written so that a loop over them becomes vector code
    pointwise.py   the formula of an op, compiled into a NumPy ufunc

The other files hold the kernels, one family each.
"""

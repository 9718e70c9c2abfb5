"""The state of a generator in PyTorch's layout: what `Generator.get_state` gives can be set in torch, and the reverse.

Before this: nothing. After it: `random.py`.
"""

import numpy as np

from minigrad.errors import describe

# A C struct of 5056 bytes. `left` words are left before the engine mixes anew, `next` is the place of the next one.
LAYOUT = np.dtype(
    [
        ("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("words", "<u8", 624),
        ("normal_x", "<f8"), ("normal_y", "<f8"), ("normal_rho", "<f8"), ("normal_is_valid", "<i4"), ("rest", "V12"),
    ]
)  # fmt: skip


def packed(seed, words, position, waiting):
    """The bytes, uint8 of shape (5056,), of an engine at `position` of its 624 `words`; `waiting` is the second normal
    of a pair, or None."""
    state = np.zeros(1, LAYOUT)
    # PyTorch's engine counts the words left before the next twist; just seeded, nothing has been twisted yet.
    fresh = position == 624 and words[0] == seed & 0xFFFFFFFF
    state["seed"], state["seeded"], state["words"] = seed, 1, words
    state["left"], state["next"] = 625 - position, 0 if fresh else position
    if waiting is not None:
        state["normal_is_valid"], state["normal_y"] = 1, waiting
    return state.view(np.uint8)


def unpacked(given):
    """(seed, words, position, waiting) of such bytes, a tensor or an array.

    TypeError if they are not of dtype uint8, RuntimeError if they do not have the size or content of a state.
    """
    state = np.ascontiguousarray(given)
    if state.dtype != np.uint8:
        raise TypeError(f"RNG state must be a torch.ByteTensor (dtype uint8), got {describe(given)}")
    if state.size != LAYOUT.itemsize:
        raise RuntimeError(f"set_state(): expected a state of {LAYOUT.itemsize} bytes, got {state.size}")
    (state,) = state.reshape(-1).view(LAYOUT)
    if not (state["seeded"] == 1 and 0 < state["left"] <= 624 and state["next"] <= 624):
        raise RuntimeError("set_state(): Invalid mt19937 state: these bytes do not come from get_state()")
    waiting = float(state["normal_y"]) if state["normal_is_valid"] else None
    return int(state["seed"]), state["words"].astype(np.uint32), 625 - int(state["left"]), waiting

"""Arrays between two pages of memory that nobody may touch: reading or writing past an end stops the process."""

import ctypes
import mmap

import numpy as np

NOTHING = 0  # mprotect: neither read nor write


def guarded(array, at="end"):
    """A C-contiguous copy of `array` that ends exactly where a forbidden page begins (`at="end"`), or begins exactly
    where one ends (`at="start"`)."""
    page = mmap.PAGESIZE
    inner = max(page, -(-array.nbytes // page) * page)
    memory = mmap.mmap(-1, inner + 2 * page)  # lives as long as the array that looks into it
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for forbidden in (start, start + page + inner):
        if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(forbidden), ctypes.c_size_t(page), NOTHING):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = page if at == "start" else page + inner - array.nbytes
    found = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
    found[...] = array
    return found

"""Runs the checks of modules in several processes: ``mpiexec -n N python harness.py MODULE ...``.

A check is a function ``check_...(rank, size)`` that all ranks call. After each, rank 0 prints ``passed MODULE.NAME``.
The first that fails ends the program, as ranks cannot be brought together again.
"""

import importlib
import sys
import traceback

import numpy as np

import minigrad
import minigrad.distributed as dist


def digest(*modules):
    """All parameters and buffers as bytes."""
    return b"".join(t.detach().numpy().tobytes() for m in modules for t in (*m.parameters(), *m.buffers()))


def same_everywhere(value):
    """Whether all ranks have the same value."""
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return all(each == values[0] for each in values)


def mean_over_ranks(tensor):
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()


def assert_close(a, b, rtol=2e-5, atol=1e-6):
    a, b = (x.detach().numpy() if isinstance(x, minigrad.Tensor) else x for x in (a, b))
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def main():
    dist.init_process_group("mpi")
    rank, size = dist.get_rank(), dist.get_world_size()
    for module in sys.argv[1:]:
        for name, check in vars(importlib.import_module(module)).items():
            if name.startswith("check_"):
                minigrad.manual_seed(0)
                check(rank, size)
                dist.barrier()
                if rank == 0:
                    print(f"passed {module}.{name}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        from mpi4py import MPI

        MPI.COMM_WORLD.Abort(1)

"""One rank does something wrong at its sixth step; run by mpiexec or `minigrad launch` with 2 processes or more."""

import os
import signal
import sys
import threading
import time

import minigrad
import minigrad.distributed as dist

how = sys.argv[1]
if os.environ.get("PMI_RANK") == "1":
    if how == "early":
        raise ValueError("before it began")
    if how == "late":
        time.sleep(100)
dist.init_process_group()
rank = dist.get_rank()
x = minigrad.ones(64)


def wrong():
    if how == "raise":
        raise ValueError("bad batch")
    if how == "thread":
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        time.sleep(100)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "leave":
        dist.destroy_process_group()
        time.sleep(100)
    if how == "exit":
        sys.exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if how == "hang":
        time.sleep(100)
    if how == "shape":
        dist.all_reduce(minigrad.ones(32))
    if how == "dtype":
        dist.all_reduce(minigrad.ones(64, dtype=minigrad.float64))
    if how == "op":
        dist.all_reduce(x, dist.ReduceOp.MAX)
    if how == "function":
        dist.broadcast(x, 0)
    if how == "recv":
        dist.recv(x, 0)
    if how == "group":
        dist.new_group([0, 1])


try:
    for step in range(8):
        if step == 5 and how == "everywhere":
            raise ValueError("the same on all")
        if step == 5 and rank == 1:
            wrong()  # "missing": it only leaves the collective out
        else:
            dist.all_reduce(x)
    dist.barrier()
finally:
    print(f"rank {rank} cleans up", flush=True)
print(f"rank {rank} is through", flush=True)

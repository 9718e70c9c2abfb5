"""A program as PyTorch's users start it without a launcher: mp.spawn begins the processes, which say who they are.

With an argument, one of them fails.
"""

import os
import sys

import minigrad as torch
import minigrad.distributed as dist
import minigrad.multiprocessing as mp
from minigrad import nn, optim
from minigrad.nn.parallel import DistributedDataParallel as DDP


def train(rank, world_size, complaint):
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT="29411")
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    model = DDP(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model(torch.randn(4, 6)).square().mean().backward()
    optimizer.step()
    if complaint and rank == 1:
        raise ValueError(*complaint)
    print(f"rank {rank} took a step")
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(train, args=(2, sys.argv[1:]), nprocs=2, join=True)

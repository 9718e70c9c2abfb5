"""Distributed data parallel, in the way of PyTorch's tutorials: steps, saving and loading, uneven inputs, ZeRO."""

import os
import socket
import sys
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn as nn
import torch.optim as optim
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


def net():
    return nn.Sequential(nn.Linear(10, 12), nn.ReLU(), nn.Linear(12, 5))


def report(name, loss):
    """The mean loss over all ranks, said by rank 0."""
    loss = loss.detach().clone()
    dist.all_reduce(loss, op=dist.ReduceOp.SUM)
    if dist.get_rank() == 0:
        print(f"{name} {loss.item() / dist.get_world_size():.6f}")


def steps(model, optimizer, name, count):
    """So many steps on numbers of this rank's own."""
    for _ in range(count):
        loss = nn.functional.mse_loss(model(torch.randn(20, 10)), torch.randn(20, 5))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report(name, loss)


def demo_basic(rank):
    torch.manual_seed(rank)
    model = DDP(net())
    steps(model, optim.SGD(model.parameters(), lr=0.05), "basic", 5)


def demo_checkpoint(rank, path):
    torch.manual_seed(10 + rank)
    model = DDP(net())
    if rank == 0:  # all ranks have the same weights: one writes them
        torch.save(model.state_dict(), path)
    dist.barrier()  # nobody reads what is not written yet
    model.load_state_dict(torch.load(path, map_location="cpu"))
    steps(model, optim.SGD(model.parameters(), lr=0.001, momentum=0.9), "checkpoint", 3)
    dist.barrier()
    if rank == 0:
        os.remove(path)


def demo_sampler(rank):
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(53, 10), torch.randint(0, 5, (53,)))
    sampler = DistributedSampler(data)
    loader = DataLoader(data, batch_size=8, sampler=sampler)
    ddp_model = DDP(net())
    optimizer = ZeroRedundancyOptimizer(ddp_model.parameters(), optimizer_class=optim.Adam, lr=0.01)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(ddp_model(x), y)
            loss.backward()
            optimizer.step()
            report(f"epoch {epoch}", loss)
        scheduler.step()


def demo_accumulate(rank):
    torch.manual_seed(1)
    ddp_model = DDP(net())
    optimizer = optim.SGD(ddp_model.parameters(), lr=0.1)
    torch.manual_seed(20 + rank)
    for _ in range(2):
        optimizer.zero_grad()
        with ddp_model.no_sync():
            for _ in range(2):
                ddp_model(torch.randn(4, 10)).square().mean().backward()
        loss = ddp_model(torch.randn(4, 10)).square().mean()
        loss.backward()
        optimizer.step()
        report("accumulated", loss)


def demo_uneven(rank):
    torch.manual_seed(2)
    ddp_model = DDP(net())
    optimizer = optim.SGD(ddp_model.parameters(), lr=0.1)
    inputs = [torch.full((3, 10), 0.1 * (k + 1)) for k in range(4 + rank)]
    with ddp_model.join():
        for x in inputs:
            optimizer.zero_grad()
            ddp_model(x).square().sum().backward()
            optimizer.step()
    report("uneven", sum(p.square().sum() for p in ddp_model.parameters()))


def main(rank, world_size, port, folder):
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT=port)
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    if rank == 0:
        print(f"{dist.get_world_size()} processes")
    demo_basic(rank)
    demo_checkpoint(rank, os.path.join(folder, "model.checkpoint"))
    demo_sampler(rank)
    demo_accumulate(rank)
    demo_uneven(rank)
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir()
    mp.spawn(main, args=(2, port, folder), nprocs=2, join=True)

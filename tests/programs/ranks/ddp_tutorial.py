"""Distributed data parallel, as PyTorch's tutorial has it: basic use, saving and loading, uneven inputs, ZeRO."""

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


def setup(rank, world_size, port):
    os.environ["MASTER_ADDR"] = "localhost"
    os.environ["MASTER_PORT"] = port
    dist.init_process_group("gloo", rank=rank, world_size=world_size)


def cleanup():
    dist.destroy_process_group()


class ToyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.net1 = nn.Linear(10, 10)
        self.relu = nn.ReLU()
        self.net2 = nn.Linear(10, 5)

    def forward(self, x):
        return self.net2(self.relu(self.net1(x)))


def report(name, loss):
    """The mean loss over all ranks, said by rank 0."""
    loss = loss.detach().clone()
    dist.all_reduce(loss, op=dist.ReduceOp.SUM)
    if dist.get_rank() == 0:
        print(f"{name} {loss.item() / dist.get_world_size():.6f}")


def demo_basic(rank):
    torch.manual_seed(rank)
    model = ToyModel()
    ddp_model = DDP(model)
    loss_fn = nn.MSELoss()
    optimizer = optim.SGD(ddp_model.parameters(), lr=0.05)
    for _ in range(5):
        optimizer.zero_grad()
        outputs = ddp_model(torch.randn(20, 10))
        labels = torch.randn(20, 5)
        loss = loss_fn(outputs, labels)
        loss.backward()
        optimizer.step()
        report("basic", loss)


def demo_checkpoint(rank, path):
    torch.manual_seed(10 + rank)
    model = ToyModel()
    ddp_model = DDP(model)
    if rank == 0:
        # All processes should see same parameters as they all start from same random parameters and gradients are
        # synchronized in backward passes. Therefore, saving it in one process is sufficient.
        torch.save(ddp_model.state_dict(), path)
    # Use a barrier() to make sure that process 1 loads the model after process 0 saves it.
    dist.barrier()
    ddp_model.load_state_dict(torch.load(path, map_location="cpu"))
    loss_fn = nn.MSELoss()
    optimizer = optim.SGD(ddp_model.parameters(), lr=0.001, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        loss = loss_fn(ddp_model(torch.randn(20, 10)), torch.randn(20, 5))
        loss.backward()
        optimizer.step()
        report("checkpoint", loss)
    dist.barrier()
    if rank == 0:
        os.remove(path)


def demo_sampler(rank):
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(53, 10), torch.randint(0, 5, (53,)))
    sampler = DistributedSampler(data)
    loader = DataLoader(data, batch_size=8, sampler=sampler)
    ddp_model = DDP(ToyModel())
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
    ddp_model = DDP(ToyModel())
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
    ddp_model = DDP(ToyModel())
    optimizer = optim.SGD(ddp_model.parameters(), lr=0.1)
    inputs = [torch.full((3, 10), 0.1 * (k + 1)) for k in range(4 + rank)]
    with ddp_model.join():
        for x in inputs:
            optimizer.zero_grad()
            ddp_model(x).square().sum().backward()
            optimizer.step()
    report("uneven", sum(p.square().sum() for p in ddp_model.parameters()))


def main(rank, world_size, port, folder):
    setup(rank, world_size, port)
    if rank == 0:
        print(f"{dist.get_world_size()} processes")
    demo_basic(rank)
    demo_checkpoint(rank, os.path.join(folder, "model.checkpoint"))
    demo_sampler(rank)
    demo_accumulate(rank)
    demo_uneven(rank)
    cleanup()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir()
    mp.spawn(main, args=(2, port, folder), nprocs=2, join=True)

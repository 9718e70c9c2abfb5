"""Data-parallel training from its parts, as it is taught before DistributedDataParallel: messages between two
ranks, a sum that goes around a ring, gradients averaged one parameter at a time. Started by mp.Process."""

import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Share:
    """Every `parts`-th sample, beginning with number `own`."""

    def __init__(self, samples, own, parts):
        self.samples, self.own, self.parts = samples, own, parts

    def __len__(self):
        return len(self.samples) // self.parts

    def __getitem__(self, index):
        return self.samples[self.own + index * self.parts]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(1, 4, kernel_size=3)
        self.head = nn.Linear(36, 5)

    def forward(self, x):
        return F.log_softmax(self.head(F.max_pool2d(F.relu(self.features(x)), 2).view(-1, 36)), dim=1)


def messages(rank):
    """One number to and fro: blocking there, non-blocking back."""
    number = torch.full((1,), 7.0 * (1 - rank))
    if rank == 0:
        dist.send(tensor=number, dst=1)
        request = dist.irecv(tensor=number, src=1)
    else:
        dist.recv(tensor=number, src=0)
        number += 0.5
        request = dist.isend(tensor=number, dst=0)
    request.wait()
    if rank == 0:
        print("back came", number[0], number)


def ring(mine, size, rank):
    """The sum over all ranks: what came from the left is added, and goes on to the right."""
    total, passing = mine.clone(), mine.clone()
    for _ in range(size - 1):
        sending = dist.isend(passing, (rank + 1) % size)
        coming = torch.empty_like(passing)
        dist.recv(coming, (rank - 1) % size)
        sending.wait()
        total[:] += coming[:]
        passing = coming
    return total


def average(model, size):
    for param in model.parameters():
        dist.all_reduce(param.grad.data, op=dist.ReduceOp.SUM)
        param.grad.data /= size


def train(rank, size):
    torch.manual_seed(1)
    images = torch.randn(64, 1, 8, 8)
    share = Share([(image, k % 5) for k, image in enumerate(images)], rank, size)
    loader = torch.utils.data.DataLoader(share, batch_size=32 // size, shuffle=False)
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    for epoch in range(4):
        seen = torch.zeros(())
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.nll_loss(model(x), y)
            loss.backward()
            average(model, size)
            optimizer.step()
            seen += loss.detach() / len(loader)
        dist.reduce(seen, dst=0)
        if rank == 0:
            print(f"epoch {epoch}: {seen.item() / size:.6f}")


def begin(rank, size, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    dist.init_process_group("gloo", rank=rank, world_size=size)
    messages(rank)
    total = ring(torch.arange(3.0) * (rank + 1), size, rank)
    ones = torch.ones(1)
    dist.all_reduce(ones, op=dist.ReduceOp.SUM, group=dist.new_group([0, 1]))
    if rank == 0:
        print("around the ring", total.tolist(), "ones", ones)
    train(rank, size)
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.set_start_method("spawn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [mp.Process(target=begin, args=(rank, 2, port)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

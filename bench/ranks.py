"""One process of `bench.distributed`: trains models alone or with others, in minigrad or PyTorch, and says how long.

    mpiexec -n 2 python -m bench.ranks minigrad 20          20 steps of each model and way, JSON from rank 0
    RANK=0 WORLD_SIZE=2 ... python -m bench.ranks torch 20  the same in PyTorch over gloo
    mpiexec -n 2 python -m bench.ranks messages 20          messages and sums of many sizes instead

The ways: "alone" without the wrapper, "overlapped" as `DistributedDataParallel` does it, "after" with the same buckets
sent when the backward is through (minigrad alone).
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
import types

import numpy as np

MB = 1 << 20
CAP = 1.0  # MB of the buckets: the models are small, and have several buckets so


def library(name: str):
    """The names of a library that the models use."""
    load = importlib.import_module
    parts = ("nn", "nn.functional", "optim", "distributed", "nn.parallel")
    found = {part.replace(".", "_"): load(f"{name}.{part}") for part in parts}
    lib = types.SimpleNamespace(T=load(name), F=found["nn_functional"], dist=found["distributed"], **found)
    lib.T.set_num_threads(1)
    return lib


def mlp(lib):
    nn = lib.nn
    layers = [nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)]
    return nn.Sequential(*layers), (lib.T.randn(128, 784), lib.T.randint(0, 10, (128,)))


def cnn(lib):
    nn = lib.nn

    def block(before, after):
        return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]

    layers = [*block(3, 32), *block(32, 64), *block(64, 128), nn.Flatten(), nn.Linear(128 * 16, 256), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(256, 10))
    return model, (lib.T.randn(16, 3, 32, 32), lib.T.randint(0, 10, (16,)))


def gpt(lib, width=128, context=64, vocabulary=65):
    nn, T = lib.nn, lib.T

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
            layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
            self.blocks = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
            self.head = nn.Linear(width, vocabulary)
            self.mask = nn.Transformer.generate_square_subsequent_mask(context)

        def forward(self, x):
            h = self.tokens(x) + self.places(T.arange(context))
            return self.head(self.blocks(h, mask=self.mask, is_causal=True)).flatten(0, 1)

    letters = T.randint(0, vocabulary, (8, context + 1))
    return GPT(), (letters[:, :-1], letters[:, 1:].flatten())


MODELS = {"MLP": mlp, "CNN": cnn, "GPT": gpt}


class Training:
    """One model in one way of training it."""

    def __init__(self, lib, model, batch, way):
        self.F, self.batch, self.way = lib.F, batch, way
        wrap = lib.nn_parallel.DistributedDataParallel
        self.model = model if way == "alone" else wrap(model, bucket_cap_mb=CAP, gradient_as_bucket_view=True)
        self.optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(self):
        x, y = self.batch
        self.optimizer.zero_grad()
        if self.way == "after":
            with self.model.no_sync():
                self.F.cross_entropy(self.model(x), y).backward()
            reducer = self.model.reducer
            reducer.prepare(())
            for i in reversed(range(len(reducer.params))):
                reducer.mark(i)
            reducer.finish()
        else:
            self.F.cross_entropy(self.model(x), y).backward()
        self.optimizer.step()


def timed(step) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def timeline(lib, make, steps: int) -> dict:
    """When each bucket of a model is full, in seconds from the start of a step: by a hook, in one process."""
    from minigrad.futures import Future

    model, batch = make(lib)
    seen: list = []

    def hook(state, bucket):
        seen.append((time.perf_counter() - began, bucket.buffer().nbytes))
        future = Future()
        future.set_result(bucket.buffer())
        return future

    training = Training(lib, model, batch, "overlapped")
    training.model.register_comm_hook(None, hook)
    rows, ends = [], []
    for _ in range(steps + 2):
        seen.clear()
        began = time.perf_counter()
        training.step()
        ends.append(time.perf_counter() - began)
        rows.append(list(seen))
    rows, ends = rows[2:], ends[2:]
    middle = [[statistics.median(row[k][0] for row in rows), rows[0][k][1]] for k in range(len(rows[0]))]
    return {"buckets": middle, "step": statistics.median(ends)}


def steps_of(lib, steps: int, alone: bool, chosen) -> dict:
    """{model: {way: seconds of each step}}; ways take turns of five steps."""
    ways = ["alone"] if alone else ["overlapped", "after"] if lib.T.__name__ == "minigrad" else ["overlapped"]
    found: dict = {}
    for name in chosen:
        lib.T.manual_seed(0)
        trainings = [Training(lib, *MODELS[name](lib), way) for way in ways]
        for training in trainings * 2:
            training.step()
        found[name] = {way: [] for way in ways}
        for _ in range(-(-steps // 5)):
            for training in trainings:
                found[name][training.way] += [timed(training.step) for _ in range(5)]
    return found


def messages(lib, rounds: int) -> dict:
    """By bytes: half the time of MPI's own message there and back, and the times of a sum over two ranks by MPI and by
    `all_reduce`. The fastest tenth of each: what else the machine does is not asked for here."""
    from mpi4py import MPI

    comm, found = MPI.COMM_WORLD, {"ping": {}, "mpi": {}, "sum": {}}
    for size in [8 * 4**k for k in range(11)]:  # to 8 MB
        array = np.zeros(size // 4, np.float32)
        tensor = lib.T.from_numpy(array)

        def there_and_back(array=array):
            for turn in (0, 1):
                comm.Send(array, 1 - turn) if comm.rank == turn else comm.Recv(array, turn)

        def by_mpi(array=array):
            comm.Allreduce(MPI.IN_PLACE, array)

        def by_minigrad(tensor=tensor):
            lib.dist.all_reduce(tensor)

        for name, call, share in (("ping", there_and_back, 2), ("mpi", by_mpi, 1), ("sum", by_minigrad, 1)):
            times = []
            for _ in range(rounds if size < MB else -(-rounds // 4)):
                comm.Barrier()
                times.append(timed(call) / share)
            found[name][size] = float(np.quantile(times, 0.1))
    return found


def optimizer_bytes(lib) -> dict:
    """Bytes of Adam's state in this process, for each model: whole, and shared out."""
    from minigrad.distributed.optim import ZeroRedundancyOptimizer

    found = {}
    for name, make in MODELS.items():
        sizes = []
        for optimizer in (lib.optim.Adam, lambda params: ZeroRedundancyOptimizer(params, lib.optim.Adam)):
            model, batch = make(lib)
            adam = optimizer(model.parameters())
            lib.F.cross_entropy(model(batch[0]), batch[1]).backward()
            adam.step()
            sizes.append(sum(part.nbytes for state in adam.state.values() for part in state.values()))
        everyone = [None] * lib.dist.get_world_size()
        lib.dist.all_gather_object(everyone, sizes[1])
        found[name] = [sizes[0], max(everyone)]
    return found


def main() -> None:
    """The command: LIBRARY (or "messages", "memory", "timeline"), STEPS, and models (default: all)."""
    what, steps, *chosen = sys.argv[1:]
    steps = int(steps)
    lib = library("torch" if what == "torch" else "minigrad")
    lib.dist.init_process_group("gloo")
    rank, size = lib.dist.get_rank(), lib.dist.get_world_size()
    if what == "messages":
        found = messages(lib, steps)
    elif what == "memory":
        found = optimizer_bytes(lib)
    elif what == "timeline":
        found = {name: timeline(lib, make, steps) for name, make in MODELS.items()}
    else:
        found = steps_of(lib, steps, size == 1, chosen or MODELS)
    if rank == 0:
        print(json.dumps(found))
    lib.dist.destroy_process_group()


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()

"""Trains with checkpoints, and notes the weights after every batch: to be killed at any moment and started again.

FOLDER gets run.pt (the checkpoint), curve.txt (rank 0: step and weights, of every attempt) and, for each rank, a file
with the process's number as soon as its training goes on.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

import minigrad
import minigrad.distributed as dist
from minigrad import nn, train

folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
dist.init_process_group()
rank = dist.get_rank()


class Note(train.Callback):
    def on_train_begin(self, trainer):
        (folder / f"process-{rank}").write_text(str(os.getpid()))

    def on_batch_end(self, trainer, logs):
        weights = b"".join(p.detach().numpy().tobytes() for p in trainer.model.parameters())
        if rank == 0:
            with (folder / "curve.txt").open("a") as file:
                file.write(f"{trainer.step} {hashlib.sha256(weights).hexdigest()}\n")
        time.sleep(0.005)


minigrad.manual_seed(5)
x = minigrad.randn(80, 6)
y = (x[:, 0] > x[:, 1] * x[:, 2]).long()
model = nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
trainer = train.Trainer(model, "Adam", "cross_entropy", lr=0.01, distributed=True)
checkpoint = folder / "run.pt"
trainer.fit(
    x, y, epochs=epochs, batch_size=4, verbose=0, callbacks=[Note(), train.ModelCheckpoint(checkpoint, every=3)],
    resume=checkpoint if checkpoint.exists() else None,
)  # fmt: skip

"""A training that is meant to be killed, and to be started again: ``killed.py FOLDER``.

Each process writes its number; at its end rank 0 writes the history and the weights.
"""

import json
import os
import sys
import time
from pathlib import Path

import minigrad
from minigrad import nn, train

folder = Path(sys.argv[1])


class Slow(train.Callback):
    """Says that training goes on, and takes its time."""

    def on_train_begin(self, trainer):
        (folder / f"process-{trainer.rank}").write_text(str(os.getpid()))

    def on_batch_end(self, trainer, logs):
        time.sleep(0.004)


minigrad.manual_seed(0)
x = minigrad.randn(160, 4)
y = (x[:, 0] * x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))
trainer = train.Trainer(model, "Adam", "cross_entropy", ["accuracy"], lr=0.01, distributed=True)
path = folder / "run.pt"
callbacks = [train.ModelCheckpoint(path, every=3), Slow()]
history = trainer.fit(
    x, y, epochs=12, batch_size=4, callbacks=callbacks, verbose=0, resume=path if path.exists() else None
)
if trainer.rank == 0:
    (folder / "end.json").write_text(json.dumps([history, [p.tolist() for p in model.parameters()]]))

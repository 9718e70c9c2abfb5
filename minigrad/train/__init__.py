"""`minigrad.train`: a training loop for those who would rather not write it again. (The manner is Keras's)

    trainer = train.Trainer(model, optimizer, nn.CrossEntropyLoss(), metrics=["accuracy"])
    history = trainer.fit(loader, epochs=10, validation_data=test, callbacks=[train.EarlyStopping(patience=3)])
    trainer.evaluate(x_test, y_test)        # {"loss": ..., "accuracy": ...}
    scores = trainer.predict(x_test)

In reading order: `trainer.py` (the loop), `metrics.py`, `callbacks.py`, `loggers.py`, `progress.py` (what is shown).
"""

from minigrad.train.callbacks import Callback, EarlyStopping, LRSchedule, ModelCheckpoint
from minigrad.train.loggers import CSVLogger, JSONLogger, TensorBoard
from minigrad.train.metrics import F1, R2, Accuracy, Mean, Metric, Precision, Recall
from minigrad.train.trainer import Trainer

__all__ = [
    "F1", "R2", "Accuracy", "CSVLogger", "Callback", "EarlyStopping", "JSONLogger", "LRSchedule", "Mean", "Metric",
    "ModelCheckpoint", "Precision", "Recall", "TensorBoard", "Trainer",
]  # fmt: skip

"""The training loop, one batch at a time, in a form that can be left and taken up again at any batch."""

from __future__ import annotations

from minigrad import Generator, Tensor, no_grad
from minigrad.demo.tasks import Task
from minigrad.nn.functional import cross_entropy
from minigrad.optim import AdamW
from minigrad.optim.lr_scheduler import StepLR
from minigrad.utils.data import DataLoader


class Training:
    """A network on its way: what a checkpoint has to hold is exactly what this object's attributes are.

    `history` has one dict per finished epoch; `seen`, `loss_sum` and `correct` are the sums of the epoch under way.
    """

    def __init__(self, task: Task, epochs: int, seed: int):
        self.task, self.epochs, self.seed = task, epochs, seed
        self.optimizer = AdamW(task.model.parameters(), lr=task.learning_rate)
        self.schedule = StepLR(self.optimizer, step_size=max(1, epochs * 2 // 3), gamma=0.2)
        self.shuffle = Generator().manual_seed(seed)
        self.loader = DataLoader(task.train, batch_size=task.batch_size, shuffle=True, generator=self.shuffle)
        self.history: list[dict] = []
        self.start_epoch()

    def start_epoch(self) -> None:
        self.batch = 0
        self.shuffle_at_start = self.shuffle.get_state()
        self.seen, self.loss_sum, self.correct = 0, 0.0, 0

    @property
    def epoch(self) -> int:
        """How many epochs are finished."""
        return len(self.history)

    @property
    def steps(self) -> int:
        """Batches done so far, and `total_steps` in all."""
        return self.epoch * len(self.loader) + self.batch

    @property
    def total_steps(self) -> int:
        return self.epochs * len(self.loader)

    @property
    def loss(self) -> float:
        """Mean training loss of the epoch under way."""
        return self.loss_sum / self.seen

    @property
    def accuracy(self) -> float:
        """Share of the batches of this epoch that was right when it was trained on."""
        return self.correct / self.seen

    def run(self):
        """Train to the end, handing over after each batch. Stopping between two batches loses nothing."""
        while self.epoch < self.epochs:
            self.task.model.train()
            for number, (x, y) in enumerate(self.loader):
                if number < self.batch:
                    continue  # done before the interruption
                self.step(x, y)
                self.batch = number + 1
                if self.batch == len(self.loader):
                    self.end_epoch()
                yield

    def step(self, x: Tensor, y: Tensor) -> None:
        logits = self.task.model(x)
        loss = cross_entropy(logits, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.loss_sum += loss.item() * len(y)
        self.correct += count_right(logits, y)
        self.seen += len(y)

    def end_epoch(self) -> None:
        self.schedule.step()
        test_loss, test_accuracy = measure(self.task)
        row = {"loss": self.loss, "accuracy": self.accuracy, "test_loss": test_loss, "test_accuracy": test_accuracy}
        self.history.append(row)
        self.start_epoch()


def count_right(logits: Tensor, y: Tensor) -> int:
    return int((logits.argmax(dim=1) == y).sum().item())


@no_grad()
def measure(task: Task) -> tuple[float, float]:
    """(mean loss, accuracy) on the test set."""
    logits, y = predict(task), task.test.tensors[1]
    return cross_entropy(logits, y).item(), count_right(logits, y) / len(y)


@no_grad()
def predict(task: Task) -> Tensor:
    """The network's scores for the test set, shape (examples, classes)."""
    task.model.eval()
    return task.model(task.test.tensors[0])

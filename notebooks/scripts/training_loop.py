"""The loop that a Keras user knows, on irises and on digits: compile, fit, evaluate, predict.

Each data set is cut in three: the model learns from the first part, early stopping looks at the second, and the number
told is of the third, which nothing has looked at before.
"""

from minigrad import manual_seed, nn, train
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits, load_iris
from minigrad.utils.data import train_test_split


def three_parts(x, y, seed):
    """(training, validation, test), each ``(x, y)``: 60, 20 and 20 %, the classes in the same proportions."""
    rest_x, test_x, rest_y, test_y = train_test_split(x, y, test_size=0.2, random_state=seed, stratify=y)
    parts = train_test_split(rest_x, rest_y, test_size=0.25, random_state=seed, stratify=rest_y)
    return (parts[0], parts[2]), (parts[1], parts[3]), (test_x, test_y)


def iris_model():
    """Four measures in, three scores out."""
    return nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def digits_model(hidden=64):
    """8×8 pixels in, ten scores out."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def run(name, seed, epochs=40, verbose=0):
    """Trains on "iris" or "digits". Gives the trainer and what it reached on the test part."""
    manual_seed(seed)
    x, y = load_iris() if name == "iris" else load_digits()
    learn, validation, test = three_parts(x if name == "iris" else x / 16, y, seed)
    model = iris_model() if name == "iris" else digits_model()
    trainer = train.Trainer(model, "Adam", "cross_entropy", metrics=["accuracy"], lr=0.02 if name == "iris" else 0.005)
    stop = train.EarlyStopping("val_loss", patience=8, restore_best_weights=True)
    trainer.fit(*learn, epochs=epochs, validation_data=validation, callbacks=[stop], verbose=verbose)
    return trainer, trainer.evaluate(*test)


def main():
    chosen = options(
        __doc__,
        epochs=(40, 6, "passes over the training part, at most"),
        seeds=(5, 1, "how many seeds, from --seed on"),
    )
    reached = {"iris": [], "digits": []}
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    for name, seed in progress([(name, seed) for name in reached for seed in seeds], "runs", quiet=chosen.quiet):
        trainer, figures = run(name, seed, chosen.epochs)
        reached[name].append(figures["accuracy"])
        print(f"{name}, seed {seed}: {trainer.epoch} epochs, {figures['accuracy']:.1%} of the test part")
    told = [
        f"{sum(found) / len(found):.1%} of {size} held-out {name} ({min(found):.1%} to {max(found):.1%})"
        for (name, found), size in zip(reached.items(), (30, 360))
    ]
    result(f"{'; '.join(told)}; {chosen.seeds} seeds")


if __name__ == "__main__":
    main()

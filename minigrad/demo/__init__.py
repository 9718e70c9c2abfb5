"""`minigrad demo`: train a small network on real data and leave a folder that shows what happened.

    tasks.py       what is learnt: the data, its split, the network
    training.py    a `minigrad.train.Trainer` that Ctrl-C interrupts between two batches
    checkpoint.py  everything needed to go on as if never interrupted
    report.py      the pictures and index.html (page.py: its text)
    run.py         the parts in order; what is said and where things go

It is an example too: nothing here is private to the demo that a user's own program could not do.
"""

INTERRUPTED = 130  # the exit code that a shell gives a program which Ctrl-C ended


class DemoError(Exception):
    """Something the user can mend; its text is the one line that is shown."""

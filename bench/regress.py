"""Two runs compared: which rows became slower, and which faster, beyond noise.

A machine is not the same on two days.  So what is compared is minigrad's time as a part of torch's, which felt the
same machine in the same rounds.  A row that torch has no part in is compared in seconds, after dividing by what the
machine itself has changed: the median, over all rows, of how the rivals' seconds changed.

Beyond noise means: the quartiles of the two runs do not overlap, and the medians differ by more than 5 per cent,
and 0.5 / rounds more (the quartiles of three samples say little).
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from bench.row import MINIGRAD, TORCH

SLOWER, FASTER, SAME = "slower", "faster", "same"


@dataclass(frozen=True)
class Change:
    """One row in two runs: `factor` above 1 is slower; `measure` says in what: "torch" (the ratio) or "seconds"."""

    name: str
    measure: str
    old: float
    new: float
    verdict: str

    @property
    def factor(self) -> float:
        return self.new / self.old


def load(path: str) -> dict:
    """A saved run. Raises ValueError, in one line, for a file that is none."""
    try:
        data = json.loads(Path(path).read_text())
        rows = data["rows"]
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise ValueError(f"{path} is not a run saved by --save") from None
    if not all({"name", "error"} <= set(row) for row in rows):
        raise ValueError(f"{path} is not a run saved by --save")
    return data


def timed(run: dict) -> dict[str, dict]:
    """The rows of a run that have figures, by name."""
    return {row["name"]: row for row in run["rows"] if "seconds" in row}


def drift(old: dict, new: dict) -> float:
    """How much slower the machine was in the new run: by the rivals' seconds. 1 where nothing tells."""
    before, now = timed(old), timed(new)
    changes = [
        now[name]["seconds"][side]["median"] / spread["median"]
        for name in before.keys() & now.keys()
        for side, spread in before[name]["seconds"].items()
        if not side.startswith(MINIGRAD) and side in now[name]["seconds"]
    ]
    return statistics.median(changes) if changes else 1.0


def compare(old: dict, new: dict) -> list[Change]:
    """Every row that both runs have, the worst first."""
    before, now, pace = timed(old), timed(new), drift(old, new)
    changes = []
    for name in before.keys() & now.keys():
        then, since = before[name], now[name]
        least = 0.05 + 0.5 / min(then["rounds"], since["rounds"])
        if TORCH in then["ratio"] and TORCH in since["ratio"]:
            changes.append(change(name, TORCH, then["ratio"][TORCH], since["ratio"][TORCH], least))
        else:
            scaled = {key: value / pace for key, value in since["seconds"][MINIGRAD].items()}
            changes.append(change(name, "seconds", then["seconds"][MINIGRAD], scaled, least))
    return sorted(changes, key=lambda change: (-change.factor, change.name))


def change(name: str, measure: str, old: dict, new: dict, least: float) -> Change:
    """The verdict on one row's medians and quartiles; a difference of less than `least` is none."""
    verdict = SAME
    if new["low"] > old["high"] and new["median"] > old["median"] * (1 + least):
        verdict = SLOWER
    elif new["high"] < old["low"] and new["median"] < old["median"] / (1 + least):
        verdict = FASTER
    return Change(name, measure, old["median"], new["median"], verdict)


def gone(old: dict, new: dict, selected: bool) -> list[str]:
    """Rows with figures in the old run and none in the new one; where only some rows were run: those that failed."""
    before, now = timed(old), timed(new)
    failed = {row["name"] for row in new["rows"] if row["error"]}
    return [name for name in before if name not in now and (name in failed or not selected)]

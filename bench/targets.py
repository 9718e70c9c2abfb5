"""The issue's table: what was promised, row by row, and which rows of the bench show it.

Each line has parts: a bound, and the names of the rows that have to keep to it (shell patterns, `{a,b}` for either).
`mean` bounds the geometric mean of a line's rows as well.  Figures are minigrad's time as a part of torch's; memory
lines ("memory/...") are peaks as a part of torch's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bench.row import TORCH


@dataclass(frozen=True)
class Part:
    """Rows that share a bound."""

    bound: float
    patterns: tuple[str, ...]

    def names(self, known: Iterable[str]) -> list[str]:
        """Those of the known rows that are meant, in their order."""
        wanted = [each for pattern in self.patterns for each in expanded(pattern)]
        return [name for name in known if any(fnmatchcase(name, each) for each in wanted)]


@dataclass(frozen=True)
class Line:
    """One line of the issue's table: its words, its bounds as they stand there, and its rows."""

    work: str
    promise: str
    parts: tuple[Part, ...]
    mean: float | None = None

    def names(self, known: Iterable[str]) -> list[str]:
        """All its rows among the known ones."""
        known = list(known)
        return [name for part in self.parts for name in part.names(known)]


def expanded(pattern: str) -> list[str]:
    """A pattern's `{a,b}` written out; what `[` and `?` are to the shell is taken as it stands."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if not found:
        return [pattern.replace("[", "[[]").replace("?", "[?]")]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [each for choice in found.group(1).split(",") for each in expanded(before + choice + after)]


def line(work: str, promise: str, *parts, mean: float | None = None) -> Line:
    """A line of the table; a part is (bound, pattern, pattern, ...)."""
    return Line(work, promise, tuple(Part(bound, tuple(patterns)) for bound, *patterns in parts), mean)


SMALL, MIDDLE, LARGE = "64x10", "256x1000", "4096x1024"
BOTH = "forward+backward"

ISSUE = (
    line(
        "100-op chain, 1-element / 32×32, forward+backward", "0.50 / 0.65",
        (0.50, f"overhead/chain of 100 (1,) {BOTH}"),
        (0.65, f"overhead/chain of 100 32x32 {BOTH}"),
    ),
    line(
        "elementwise at 1e3, 1e5, 1e7 f32: add, mul, relu, sigmoid, gelu, silu, and their backwards",
        "1.0 each; gelu, silu 0.5",
        (1.0, "elementwise/{add,mul,relu,sigmoid} {1e3,1e5,1e7} {forward,backward}"),
        (0.5, "elementwise/{gelu,gelu tanh,silu} {1e3,1e5,1e7} {forward,backward}"),
    ),
    line("exp, log, tanh alone ≥ 1e4", "1.3", (1.3, "elementwise/{exp,log,tanh} {1e5,1e6,1e7} forward")),
    line(
        "softmax / log_softmax (64,10) (256,1000) (4096,1024), forward+backward", "0.3 / 1.1 / 1.1",
        (0.3, f"loss/{{softmax,log_softmax}} {SMALL} {BOTH}"),
        (1.1, f"loss/{{softmax,log_softmax}} {{{MIDDLE},{LARGE}}} {BOTH}"),
    ),
    line(
        "cross_entropy, layer_norm, batch_norm, rms_norm forward+backward, same sizes", "0.15 / 0.6 / 0.6",
        (0.15, f"{{loss/cross_entropy,norm/layer_norm,norm/batch_norm,norm/rms_norm}} {SMALL} {BOTH}"),
        (0.6, f"{{loss/cross_entropy,norm/layer_norm,norm/batch_norm,norm/rms_norm}} {{{MIDDLE},{LARGE}}} {BOTH}"),
    ),
    line("var, argmax, max, sum by any axis", "1.0", (1.0, "reduction/{var,argmax,max,sum} * forward")),
    line(
        "max_pool2d forward / backward; avg_pool2d", "0.15 / 1.0; 1.0",
        (0.15, "pool/max_pool2d * forward"),
        (1.0, "pool/max_pool2d * backward", "pool/avg_pool2d *"),
    ),
    line(
        "conv2d 3×3 f+b: (64,1,28²)→32, (64,32,14²)→64, (16,64,56²)→64", "0.4 / 1.05 / 1.0",
        (0.4, f"conv/3x3 64x1x28x28 to 32 {BOTH}"),
        (1.05, f"conv/3x3 64x32x14x14 to 64 {BOTH}"),
        (1.0, f"conv/3x3 16x64x56x56 to 64 {BOTH}"),
    ),
    line(
        "conv2d 1×1, 5×5, 3×3 stride 2 f+b; depthwise, grouped, dilated, transposed, conv1d", "1.0; 1.3 each",
        (1.0, f"conv/{{1x1,5x5,3x3 stride 2}} * {BOTH}"),
        (1.3, f"conv/{{depthwise*,grouped*,dilated*,*transpose*,conv1d*}} {BOTH}"),
    ),
    line(
        "embedding forward+backward, gather, scatter_add, index_select, masked_fill", "1.0",
        (1.0, f"indexing/embedding* {BOTH}", "indexing/{gather,scatter_add,index_select,masked_fill} *"),
    ),
    line(
        "LSTM / GRU T50 B32 I64 H128 forward+backward", "1.0",
        (1.0, f"sequence/{{LSTM,GRU}} T50 B32 I64 H128 {BOTH}"),
    ),
    line(
        "linear+relu, linear+gelu 64×784×256 forward", "1.0 / 0.85",
        (1.0, "linear/linear+relu 64x784x256 forward"),
        (0.85, "linear/linear+gelu 64x784x256 forward"),
    ),
    line(
        "attention (16×8 heads, 128 tokens, 64 dim) forward+backward", "0.8",
        (0.8, f"attention/16x8 heads 128 tokens 64 dim* {BOTH}"),
    ),
    line(
        "Adam step: 100×10k, 100×100, 1×10M, against torch's fused", "0.6 / 0.3 / 0.9",
        (0.6, "optimizer/Adam 100 x 10k (torch fused)"),
        (0.3, "optimizer/Adam 100 x 100 (torch fused)"),
        (0.9, "optimizer/Adam 1 x 10M (torch fused)"),
    ),
    line(
        "**training steps**: MLP 784-256-128-10 B64; LeNet CNN 28² B64; char-LSTM; GPT (4 layers, 128 wide, 64 tokens, "
        "B16); VAE; DCGAN 28²; logistic regression on Iris; 2-16-16-1 moons net",
        "geometric mean **≤ 0.5**, each ≤ 1.0",
        (1.0, "step/{MLP*,LeNet*,char-LSTM*,VAE*,DCGAN*,moons*} Adam", "step/GPT*", "step/*Iris* SGD"),
        mean=0.5,
    ),
    line("peak memory of each training step", "1.0", (1.0, "memory/*")),
    line(
        "`import minigrad` / second start to first step of the demo", "0.35 of torch's",
        (0.35, "startup/import", "startup/*first step, CPU"),
    ),
)  # fmt: skip


def issue_bounds(name: str) -> dict[str, float]:
    """The issue's bound of a row against torch; empty for a row that it does not name."""
    return next(({TORCH: part.bound} for each in ISSUE for part in each.parts if part.names([name])), {})


def without_rows(known: Iterable[str], lines: Iterable[Line] = ISSUE) -> list[str]:
    """The patterns that no row answers to."""
    known = list(known)
    return [
        each
        for line in lines
        for part in line.parts
        for pattern in part.patterns
        for each in expanded(pattern)
        if not any(fnmatchcase(name, each) for name in known)
    ]

"""What is wrong, and what to do about it: one table of rules over `Findings`.

Before it: `records.py`, `words.py`.  After it: `report.py`.

A rule looks at the findings and gives what it found, a `Found` each: the layers it is about and the numbers for its
sentence. The sentences, in two languages, and their sources stand in `words.py` under the rule's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from minigrad.viz.vitals.records import Findings
from minigrad.viz.vitals.words import CURES_OF_OPS, RULE_WORDS, SOURCES

__all__ = ["ERROR", "NOTE", "SEVERITIES", "WARNING", "Verdict", "verdicts_of"]

ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")

# Where a rule begins to speak. Those marked * are rules of thumb of this library, set so that usual networks on the
# digits, healthy and ill, are told apart with room to spare (tests/test_viz_health.py).
DEPTH = 3  # layers with weights below which nothing is said of depth
VANISHED, EXPLODED = 1e-3, 1e3  # * norm of the gradient at the first such layer over that at the last
SATURATED, MOSTLY_SATURATED = 0.5, 0.9  # * share of the outputs of a hidden sigmoid or tanh
DEAD, MOSTLY_DEAD = 0.5, 0.9  # * share of units; a narrow deep net with He initialisation may start with 40 %
ENOUGH = 100  # samples (and places, of images) that a unit must have been zero for to be called dead
LARGE_STEP, HUGE_STEP = 0.1, 2.0  # * update-to-weight ratio, usually and once; 1e-3 is usual (Karpathy, CS231n)
SMALL_STEP, NO_STEP = 1e-6, 1e-3  # * that ratio, unless the gradient itself is below so many times the weights
SURPRISED = 1.5  # * times ln(classes)
WORSE = 3.0  # * times the best loss so far, and above the first


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found: paths of layers or names of parameters, and what its sentence says of them."""

    names: tuple[str, ...] = ()
    facts: dict = field(default_factory=dict)
    severity: str = ""  # the rule's own, unless given


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict.

    rule      its name, e.g. ``"vanishing-gradient"``
    severity  "error" (training can't work so), "warning" (it suffers) or "note" (good to know)
    names     the layers or parameters it is about
    facts     the numbers and words of its sentence
    source    where the rule is from
    """

    rule: str
    severity: str
    names: tuple[str, ...] = ()
    facts: dict = field(default_factory=dict, repr=False)

    def text(self, language: str = "en") -> str:
        """What was seen, as a sentence."""
        said = RULE_WORDS[self.rule][language][0]
        facts = {name: value[language] if isinstance(value, dict) else value for name, value in self.facts.items()}
        return said.format(names=_listed(self.names, language), **facts)

    def cure(self, language: str = "en") -> str:
        """What to do about it; ``""`` if there is nothing to do."""
        op = self.facts.get("op", "")
        if self.rule in ("bad-operation", "bad-derivative") and op in CURES_OF_OPS:
            return CURES_OF_OPS[op][language]
        return RULE_WORDS[self.rule][language][1]

    @property
    def source(self) -> str:
        """Where the rule is from."""
        return SOURCES.get(self.rule, "")


def _listed(names, language):
    shown = ", ".join(names[:4])
    more = len(names) - 4
    return shown if more <= 0 else shown + {"en": f" and {more} more", "ko": f" 외 {more}개"}[language]


def verdicts_of(findings: Findings) -> list[Verdict]:
    """What there is to say of a model, the worst first; empty if nothing is wrong."""
    broken = findings.origin is not None or any(p.bad or p.state == "bad" for p in findings.parameters)
    verdicts = []
    for name, rule in RULES.items():
        if broken and not name.startswith("bad-"):  # NaN makes the other figures meaningless
            continue
        verdicts += [Verdict(name, f.severity or rule.severity, f.names, f.facts) for f in rule.find(findings)]
    return sorted(verdicts, key=lambda verdict: SEVERITIES.index(verdict.severity))


# ---- the rules


@dataclass(frozen=True, slots=True)
class Rule:
    severity: str
    find: Callable[[Findings], Iterator[Found]]


def _percent(share):
    return f"{100 * share:.0f} %"


def _size(value):
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e") if value else "0"


def _at(findings):
    """`" at step 12"`, in both languages, where steps are counted."""
    step = findings.origin_step
    return {"en": "", "ko": ""} if step is None else {"en": f" at step {step}", "ko": f" ({step}번째 스텝)"}


def _of_origin(*kinds):
    def find(findings):
        origin = findings.origin
        if origin is None or (origin.what, origin.when) not in kinds:
            return
        place = {"en": "", "ko": ""}
        if origin.layer is not None:
            layer = origin.layer or {"en": "the model's own forward", "ko": "모델 자신의 forward"}
            english, korean = (layer, layer) if isinstance(layer, str) else (layer["en"], layer["ko"])
            place = {"en": f" on the way to the output of {english}", "ko": f" ({korean}의 출력이 나오기 전)"}
            if origin.exact:
                place = {"en": f" in {english}", "ko": f" ({korean} 안)"}
        line = (
            "" if origin.line is None else f" [{origin.line[0].rpartition('/')[2]}:{origin.line[1]} {origin.line[2]}]"
        )
        detail = f": {origin.detail}" if origin.detail else ""
        maybe = {
            "en": "" if origin.certain else " (or what it was given)",
            "ko": "" if origin.certain else " (또는 그 입력)",
        }
        facts = {"op": origin.name, "place": place, "detail": detail + line, "maybe": maybe, "at": _at(findings)}
        yield Found((origin.name or "(model)",), facts)

    return find


def _bad_weights(findings):
    names = tuple(p.name for p in findings.parameters if p.bad)
    if names and (findings.origin is None or findings.origin.what == "parameter"):
        yield Found(names, {"at": _at(findings)})


def _bad_gradient(findings):
    names = tuple(p.name for p in findings.parameters if p.state == "bad")
    if names and findings.origin is None and not any(p.bad for p in findings.parameters):
        yield Found(names)


def _bad_loss(findings):
    if findings.origin is None and findings.loss is not None and not math.isfinite(findings.loss):
        yield Found((), {"loss": str(findings.loss)})


def _depth(findings):
    """(first, last) layers with weights whose gradient is known, if there are enough of them."""
    deep = [layer for layer in findings.layers if layer.weights and layer.grad_norm is not None]
    return (deep[0], deep[-1], len(deep)) if len(deep) >= DEPTH else None


def _vanishing(findings):
    found = _depth(findings)
    if found is None:
        return
    first, last, count = found
    if last.grad_norm > 0 and first.grad_norm < VANISHED * last.grad_norm and not _all_dead(findings):
        ratio = first.grad_norm / last.grad_norm
        facts = {"ratio": _size(ratio), "first": first.label, "last": last.label}
        facts["each"] = f"{ratio ** (1 / (count - 1)):.2g}"
        saturating = any(layer.op in ("sigmoid", "tanh") for layer in findings.layers)
        facts["why"] = SATURATING_WHY if saturating else OTHER_WHY
        weak = [x for x in findings.layers if x.grad_norm is not None and x.grad_norm < VANISHED * last.grad_norm]
        yield Found(tuple(layer.title for layer in weak), facts)


SATURATING_WHY = {
    "en": "the slope of a sigmoid is at most 0.25, that of tanh at most 1, and each layer multiplies by it",
    "ko": "sigmoid의 기울기는 최대 0.25, tanh는 최대 1이고, 층마다 그만큼씩 곱해집니다",
}
OTHER_WHY = {
    "en": "each layer makes it smaller: the weights start too small for this depth",
    "ko": "층을 지날 때마다 작아집니다: 이 깊이에 비해 초기 가중치가 너무 작습니다",
}


def _all_dead(findings):
    return any(layer.dead is not None and layer.dead >= MOSTLY_DEAD for layer in findings.layers)


def _exploding(findings):
    found = _depth(findings)
    if found is not None:
        first, last, _ = found
        if first.grad_norm > EXPLODED * last.grad_norm > 0:
            ratio = _size(first.grad_norm / last.grad_norm)
            yield Found((first.title,), {"ratio": ratio, "first": first.label, "last": last.label})


def _saturated(findings):
    layers = [x for x in findings.layers if x.hidden and x.saturated is not None and x.saturated >= SATURATED]
    if layers:
        worst = max(layer.saturated for layer in layers)
        severity = ERROR if worst >= MOSTLY_SATURATED else WARNING
        yield Found(tuple(layer.title for layer in layers), {"share": _percent(worst)}, severity)


def _dead(findings):
    layers = [x for x in findings.layers if x.dead is not None and x.seen >= ENOUGH and x.dead >= DEAD]
    if layers:
        worst = max(layers, key=lambda layer: layer.dead)
        severity = ERROR if worst.dead >= MOSTLY_DEAD else WARNING
        facts = {"share": _percent(worst.dead), "samples": f"{worst.seen:,}"}
        yield Found(tuple(layer.title for layer in layers), facts, severity)


def _matrices(findings):
    return [p for p in findings.parameters if len(p.shape) > 1 and p.state == "ok"]


def _rate(findings):
    """``" (lr 0.1)"``, if it is known."""
    return f" (lr {', '.join(f'{lr:g}' for lr in dict.fromkeys(findings.lr))})" if findings.lr else ""


def _large_steps(findings):
    weights = [p for p in findings.parameters if len(p.shape) > 1 and p.ratio is not None]
    once = [p for p in weights if p.largest[0] > HUGE_STEP]
    large = [p for p in weights if p.ratio > LARGE_STEP and len(p.ratios) > 2 and p not in once]
    if once:
        ratio, step = max(p.largest for p in once)
        at = {"en": f" (step {step})", "ko": f" ({step}번째 스텝)"} if findings.steps > 1 else {"en": "", "ko": ""}
        facts = {"ratio": f"{ratio:.2g}", "rate": _rate(findings), "at": at}
        yield Found(tuple(p.name for p in once + large), facts, ERROR)
    elif large:
        facts = {"ratio": f"{max(p.ratio for p in large):.2g}", "rate": _rate(findings), "at": ""}
        yield Found(tuple(p.name for p in large), facts)


def _small_steps(findings):
    weights = [p for p in _matrices(findings) if p.ratio is not None and p.owned is not False]
    wanted = [p for p in weights if p.grad is not None and p.norm > 0 and p.grad.norm > NO_STEP * p.norm]
    if wanted and max(p.ratio for p in weights) < SMALL_STEP:
        facts = {"ratio": _size(max(p.ratio for p in weights)), "rate": _rate(findings)}
        yield Found(tuple(p.name for p in wanted), facts)


def _not_used(findings):
    some = any(p.grad is not None for p in findings.parameters)
    layers = [x for x in findings.layers if not x.calls and x.parameters and findings.measured]
    names = tuple(x.title for x in layers if all(p.state == "none" for p in x.parameters))
    if some and names:
        yield Found(names)


def _no_gradient(findings):
    if not any(p.grad is not None for p in findings.parameters):
        return
    unused = [layer for layer in findings.layers if not layer.calls] if findings.measured else []
    elsewhere = {id(p) for layer in unused for p in layer.parameters}
    names = tuple(p.name for p in findings.parameters if p.state == "none" and id(p) not in elsewhere)
    if names:
        yield Found(names)


def _zero_gradient(findings):
    names = tuple(p.name for p in findings.parameters if p.state == "zero")
    if names:
        yield Found(names, severity=ERROR if len(names) == len(findings.parameters) else "")


def _frozen(findings):
    names = tuple(p.name for p in findings.parameters if p.state == "frozen")
    if names:
        yield Found(names)


def _not_optimized(findings):
    names = tuple(p.name for p in findings.parameters if p.owned is False and p.state == "ok")
    if names and findings.updates > 1:
        yield Found(names)


def _alike(findings):
    of_hidden = {id(p) for layer in findings.layers if layer.hidden or not layer.calls for p in layer.parameters}
    names = tuple(p.name for p in findings.parameters if p.alike and id(p) in of_hidden)
    if names:
        yield Found(names)


def _first_loss(findings):
    loss, classes = findings.first_loss, findings.classes
    if loss is not None and classes and math.isfinite(loss) and loss > SURPRISED * math.log(classes):
        facts = {"loss": f"{loss:.3g}", "even": f"{math.log(classes):.3g}", "classes": str(classes)}
        yield Found((), facts)


def _diverging(findings):
    loss, best, first = findings.loss, findings.best_loss, findings.first_loss
    if loss is not None and best is not None and first is not None and loss > max(WORSE * best, first):
        yield Found((), {"loss": f"{loss:.3g}", "best": f"{best:.3g}", "rate": _rate(findings)})


def _uncleared(findings):
    if findings.uncleared:
        yield Found()


def _asleep(findings):
    if findings.asleep and findings.backwards:
        yield Found(findings.asleep)


RULES = {
    "bad-input": Rule(ERROR, _of_origin(("input", "forward"))),
    "bad-weights": Rule(ERROR, _bad_weights),
    "bad-operation": Rule(ERROR, _of_origin(("op", "forward"))),
    "bad-derivative": Rule(ERROR, _of_origin(("op", "backward"))),
    "bad-layer": Rule(ERROR, _of_origin(("layer", "forward"))),
    "bad-loss-gradient": Rule(ERROR, _of_origin(("loss", "backward"))),
    "bad-gradient": Rule(ERROR, _bad_gradient),
    "bad-loss": Rule(ERROR, _bad_loss),
    "steps-too-large": Rule(WARNING, _large_steps),
    "vanishing-gradient": Rule(ERROR, _vanishing),
    "exploding-gradient": Rule(ERROR, _exploding),
    "saturated": Rule(WARNING, _saturated),
    "dead-relu": Rule(WARNING, _dead),
    "steps-too-small": Rule(WARNING, _small_steps),
    "diverging": Rule(WARNING, _diverging),
    "gradients-not-cleared": Rule(WARNING, _uncleared),
    "symmetric": Rule(ERROR, _alike),
    "not-used": Rule(WARNING, _not_used),
    "no-gradient": Rule(WARNING, _no_gradient),
    "zero-gradient": Rule(WARNING, _zero_gradient),
    "not-optimized": Rule(WARNING, _not_optimized),
    "first-loss": Rule(NOTE, _first_loss),
    "evaluation-mode": Rule(NOTE, _asleep),
    "frozen": Rule(NOTE, _frozen),
}

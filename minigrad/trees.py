"""Trees of values: tuples, lists and dicts in each other, whose leaves are tensors (or anything else).

`func.py` takes the arguments and results of the user's functions apart here and puts them together again. PyTorch calls
them pytrees; as there, None is a leaf, and named tuples, OrderedDict, defaultdict and deque are containers too.
"""

from __future__ import annotations

import collections
from typing import Any, NamedTuple


class Spec(NamedTuple):
    """The shape of a tree: the type of its container (None: a leaf), the container's keys, and the specs inside."""

    kind: Any
    keys: Any
    parts: tuple[Spec, ...]

    def count(self):
        """The number of leaves."""
        return 1 if self.kind is None else sum([part.count() for part in self.parts])

    def __repr__(self):
        if self.kind is None:
            return "*"
        names = [f"{key!r}: " for key in self.keys] if isinstance(self.keys, list) else [""] * len(self.parts)
        return f"{self.kind.__name__}({', '.join([n + repr(p) for n, p in zip(names, self.parts, strict=True)])})"


LEAF = Spec(None, None, ())
MAPPINGS = (dict, collections.OrderedDict, collections.defaultdict)


def _open(tree):
    """(keys, parts) of a container, None of a leaf."""
    kind = type(tree)
    if kind in MAPPINGS:
        return list(tree), list(tree.values())
    if kind is tuple or kind is list or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        return None, tree
    if kind is collections.deque:
        return tree.maxlen, tree
    return None


def flatten(tree):
    """(list of the leaves, spec)."""
    leaves = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree, leaves):
    opened = _open(tree)
    if opened is None:
        leaves.append(tree)
        return LEAF
    keys, parts = opened
    return Spec(type(tree), keys, tuple([_flatten(part, leaves) for part in parts]))


def unflatten(leaves, spec):
    """The tree of this spec with these leaves."""
    return _build(spec, iter(leaves))


def _build(spec, leaves):
    if spec.kind is None:
        return next(leaves)
    parts = [_build(part, leaves) for part in spec.parts]
    if spec.kind in MAPPINGS:
        pairs = zip(spec.keys, parts, strict=True)
        return collections.defaultdict(None, pairs) if spec.kind is collections.defaultdict else spec.kind(pairs)
    if spec.kind is collections.deque:
        return collections.deque(parts, spec.keys)
    return spec.kind(*parts) if hasattr(spec.kind, "_fields") else spec.kind(parts)


def tree_map(function, tree):
    """The tree with `function` applied to each leaf."""
    leaves, spec = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], spec)


def spread(prefix, spec):
    """One value for each leaf of a tree: a leaf of `prefix` stands for all that is under its place. ValueError where
    the containers of `prefix` are not those of the tree."""
    opened = _open(prefix)
    if opened is None:
        return [prefix] * spec.count()
    keys, parts = opened
    mappings = type(prefix) in MAPPINGS and spec.kind in MAPPINGS
    if not mappings and type(prefix) is not spec.kind:
        raise ValueError(f"{prefix!r} does not fit {spec!r}")
    if len(parts) != len(spec.parts) or (mappings and set(keys) != set(spec.keys)):
        raise ValueError(f"{prefix!r} does not fit {spec!r}")
    if mappings:
        parts = [prefix[key] for key in spec.keys]
    return [value for part, inner in zip(parts, spec.parts, strict=True) for value in spread(part, inner)]

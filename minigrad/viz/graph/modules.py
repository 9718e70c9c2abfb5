"""Which module each operation was made in.

Before it: `names.py` (what the modules are), `reading.py`.  After it: `fold.py` and `walk.py`, which put an operation
into the frames of its modules.

What was made inside a `viz.recording()` has a note that says so.  For the rest it is inferred from the parameters:

    own        an operation that uses ``encoder.0.weight`` is in ``encoder.0``; a parameter used again begins a new call
    between    what lies between two operations of one module is in it:   qkv ──▶ softmax ──▶ proj
    joining    a residual sum is in the module that all, or the next and one of, its operands are in
    following  an activation or pooling is where the layer before it is
    after      what comes after all modules, a loss, is in none
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field

from minigrad.viz.graph.names import Names

__all__ = ["BACKWARD_PASS", "Call", "Places", "common", "place_leaves", "place_nodes"]

BACKWARD_PASS = "backward pass"  # the frame around what one recorded
UNCALLED = ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict")  # they hold modules, nobody calls them
FOLLOWING = ("activation", "dropout", "pool", "softmax")  # families of operations that belong to the layer before
FOLLOWING_NAMES = ("relu", "sigmoid", "tanh")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module: see `record.recording.ModuleCall`. `root` tells apart modules that stand side by side."""

    path: str
    kind: str
    number: int
    root: int = 1


@dataclass(slots=True)
class Places:
    """`of` has for each operation the `Call`s around it, the outermost first; `inferred` says where that is from."""

    of: dict
    inferred: bool = True
    titles: dict[int, str] = field(default_factory=dict)  # of outermost modules, by root: their names in `params`
    homes: dict = field(default_factory=dict)  # key of a parameter or buffer -> the paths of its modules

    def title(self, call) -> str:
        """What a frame around a call is called: ``fc1: Linear``."""
        kind = call.kind
        name = call.path.rpartition(".")[2] if call.path else self.titles.get(call.root, "")
        return f"{name}: {kind}" if name and kind else name or kind


def place_nodes(reading, names: Names) -> Places:
    """The `Places` of the operations of a `Reading`; ``()`` is outside all modules."""
    operations = [node for node in reading.order if not reading.is_leaf(node)]
    backward = {
        node: (Call("", BACKWARD_PASS, turn, 0),) for node in operations if (turn := reading.backward_turn(node))
    }
    operations = [node for node in operations if node not in backward]
    places = _places_forward(reading, names, operations)
    places.of.update(backward)
    for node in operations:
        if reading.is_pick(node):  # one of several outputs stands beside what made them
            places.of[node] = places.of[node.parents[0]]
    return places


def _places_forward(reading, names, operations):
    homes = _homes(reading, names)
    noted = {}
    for node in operations:
        modules = reading.modules(node)
        if modules:
            noted[node] = tuple([Call(c.path, c.kind, c.number, c.root) for c in modules])
    if noted:
        of = {node: noted.get(node, ()) for node in operations}
        return Places(of, False, _root_names(reading, noted, homes), homes)
    if not homes:
        return Places(dict.fromkeys(operations, ()))
    return Places(_inferred(reading, operations, homes, names.kinds), homes=homes)


def place_leaves(reading, rolls, places):
    """Put the leaves that are drawn into `places.of`: a parameter where all that use it are, an input outside of the
    module that it is given to."""
    users = defaultdict(list)
    for node in rolls.order:
        for parent in rolls.parents(node):
            if reading.is_leaf(parent):
                users[parent].append(node)
    for leaf, takers in users.items():
        if leaf in places.homes or reading.is_parameter(leaf) or not any(gives_input(reading, node) for node in takers):
            places.of[leaf] = common([places.of.get(node, ()) for node in takers])


def gives_input(reading, node):
    """Whether nothing that an operation takes was computed: a tensor that it takes may be a module's input."""
    return all(reading.is_leaf(parent) for parent in reading.parents(node))


def _homes(reading, names):
    """{key of a leaf or constant: the paths of the modules it is a parameter or buffer of}."""
    homes = defaultdict(list)
    for path, tensor in names.homes:
        key = reading.key_of(tensor)
        if key is not None and path not in homes[key]:
            homes[key].append(path)
    return homes


def _root_names(reading, noted, homes):
    """The names of the outermost modules: ``G`` where its layer ``0`` uses the parameter ``G.0.weight``."""
    found = {}
    for node, calls in noted.items():
        for key in reading.operand_keys(node):
            for path in homes.get(key, ()):
                last = calls[-1]
                if path.endswith(last.path) and last.root not in found:
                    found[last.root] = path.removesuffix(last.path).rstrip(".")
    return found


# ---- inference


def _inferred(reading, operations, homes, kinds):
    owned = _owned(reading, operations, homes)
    calls = _numbered(owned, reading, homes, kinds)
    place = {node: calls[node] for node in owned}
    users = defaultdict(list)
    for node in operations:
        for parent in reading.parents(node):
            users[parent].append(node)

    below = {}  # the calls that all users are in
    for node in reversed(operations):
        below[node] = common([place.get(user) or below.get(user) for user in users[node]])

    followed = set(owned)
    for node in operations:
        if node in place:
            continue
        parents = [parent for parent in reading.parents(node) if parent in place]
        above = [place[parent] for parent in parents]
        containers = [place[p][:-1] if p in owned else place[p] for p in parents]
        choices = [()]
        if below[node] is not None:
            choices.append(common([*above, below[node]]) or ())
            nearest = [place[user][:-1] for user in users[node] if user in owned]
            choices += [there for there in nearest if any(one[: len(there)] == there for one in above)]
            if len(parents) > 1 and len(parents) == len(reading.parents(node)):
                choices.append(common(containers))
        if len(parents) == 1 and parents[0] in followed and _follows(reading, node):
            followed.add(node)
            choices.append(containers[0])
        place[node] = max(choices, key=len)
    return place


def common(places):
    """The longest beginning that all share, of those that are known; None if none is."""
    known = [place for place in places if place is not None]
    if not known:
        return None
    shortest = min(known, key=len)
    for i, call in enumerate(shortest):
        if any(place[i] != call for place in known):
            return shortest[:i]
    return shortest


def _follows(reading, node):
    family, name = reading.family(node)
    return family in FOLLOWING or name in FOLLOWING_NAMES


def _owned(reading, operations, homes):
    """{operation: (the path of the module whose parameters it uses, their keys)}, oldest first.

    A parameter that several modules share is, at its first use, the first module's, at its second use the second's.
    """
    owned, turns = {}, defaultdict(int)
    for node in operations:
        paths, keys = [], []
        for key in reading.operand_keys(node):
            if key in homes:
                paths.append(homes[key][turns[key] % len(homes[key])])
                keys.append(key)
                turns[key] += 1
        if paths:
            owned[node] = max(paths, key=lambda path: (path.count("."), path)), keys
    return owned


def _numbered(owned, reading, homes, kinds):
    """{operation: the calls around it}."""
    used = defaultdict(list)  # path -> (operation, what it uses) of all that is in the module
    chain = {path: _outwards(path, kinds) for path, _ in owned.values()}
    for node, (path, keys) in owned.items():
        for around in chain[path]:
            used[around].append((node, [(key, path) for key in keys]))
    number = {}
    for path, uses in used.items():
        is_layer = all(owned[node][0] == path for node, _ in uses)
        turns = _turns(uses) if is_layer else _rounds(uses)
        if not is_layer and turns[-1] > 1 and _feeds(reading, uses, turns):
            turns = [1] * len(uses)  # a loop inside one call
        number.update({(path, node): turn for (node, _), turn in zip(uses, turns, strict=True)})
    return {
        node: tuple([Call(around, kinds.get(around, ""), number[around, node]) for around in chain[path]])
        for node, (path, _) in owned.items()
    }


def _outwards(path, kinds):
    """The paths of the modules around a path and itself, the outermost first."""
    parts = path.split(".") if path else []
    paths = [".".join(parts[: i + 1]) for i in range(len(parts))]
    paths = ["", *paths] if "" in kinds else paths
    return [p for p in paths if kinds.get(p) not in UNCALLED]


def _turns(uses):
    """The numbers of the calls of a layer: the next begins where a parameter is used again."""
    turn, seen, turns = 1, set(), []
    for _, keys in uses:
        if seen & set(keys):
            turn, seen = turn + 1, set()
        seen.update(keys)
        turns.append(turn)
    return turns


def _feeds(reading, uses, turns):
    """Whether the second round takes what the first gave."""
    first, second = ({node for (node, _), turn in zip(uses, turns, strict=True) if turn == n} for n in (1, 2))
    reached = set(first)
    for node in reading.order:
        if node not in reached and any(parent in reached for parent in reading.parents(node)):
            if node in second:
                return True
            reached.add(node)
    return False


def _rounds(uses):
    """The numbers of the calls of a module with layers inside: it was called again if all of it was used again."""
    first = uses[0][1][0]
    starts = [i for i, (_, keys) in enumerate(uses) if first in keys]
    bounds = [*starts, len(uses)]
    parts = [{key for _, keys in uses[a:b] for key in keys} for a, b in itertools.pairwise(bounds)]
    if any(part != parts[0] for part in parts):
        return [1] * len(uses)
    return [turn + 1 for turn, (a, b) in enumerate(itertools.pairwise(bounds)) for _ in range(a, b)]

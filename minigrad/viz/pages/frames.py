"""Modules as frames around the nodes of a story.

Comes after `chain/story.py` (the nodes) and `graph/modules.py` (which operation was made in which module).
"""

from __future__ import annotations

from minigrad.viz.graph.modules import common, place_nodes

__all__ = ["add_frames", "closed_at"]

READABLE = 80  # boxes that are shown at first if modules can be closed


def add_frames(told, reading, names) -> list[dict]:
    """Write into each node of a story's data the key of the innermost frame it stands in (``""``: none), and return
    the frames, an outer one before those inside: ``{"key", "title", "parent", "path"}``.

    An operation stands in the modules it was made in, a parameter in those that all of its uses share, a constant
    likewise if it is a number or a module's own (a buffer).
    """
    places = place_nodes(reading, names)
    operations = [node for node in reading.order if not reading.is_leaf(node)]
    entries = [entry for entry in told["nodes"] if entry["kind"] == "op"]
    calls = {entry["id"]: places.of.get(node, ()) for entry, node in zip(entries, operations, strict=True)}
    users: dict[int, list] = {}
    for entry in entries:
        for operand in entry["inputs"]:
            users.setdefault(operand["node"], []).append(calls[entry["id"]])
    frames: dict[tuple, dict] = {}
    for entry in told["nodes"]:
        chain = calls.get(entry["id"])
        if chain is None:
            chain = common(users.get(entry["id"], [()]))
            if entry["op"] == "constant" and not _belongs(entry["name"], chain):
                chain = ()
        entry["group"] = _frame(frames, places, chain)
    return list(frames.values())


def _belongs(name, chain):
    """Whether a constant of this name is a buffer of the innermost module."""
    return bool(chain) and bool(chain[-1].path) and name.startswith(chain[-1].path + ".")


def _frame(frames, places, chain):
    """The key of the frame of the last call of a chain; it and those around it are made when first needed."""
    parent = ""
    for i, call in enumerate(chain):
        if chain[: i + 1] not in frames:
            turn = f" ({call.number})" if call.number > 1 else ""
            title = f"{places.title(call) or call.path or 'module'}{turn}"
            frame = {"key": f"m{len(frames)}", "title": title, "parent": parent, "path": call.path}
            frames[chain[: i + 1]] = frame
        parent = frames[chain[: i + 1]]["key"]
    return parent


def closed_at(told, frames, depth=None) -> list[str]:
    """The keys of the frames that are closed at first: those below `depth` levels; None: as many levels are open as
    keep the graph readable, one at least."""
    level: dict[str, int] = {}
    for frame in frames:
        level[frame["key"]] = level[frame["parent"]] + 1 if frame["parent"] else 0
    if depth is None:
        depth = max(level.values(), default=0) + 1
        while depth > 1 and _shown(told, frames, level, depth) > READABLE:
            depth -= 1
    return [key for key, at in level.items() if at >= depth]


def _shown(told, frames, level, depth):
    """How many boxes are seen if `depth` levels of frames are open."""
    open_nodes = sum(not entry["group"] or level[entry["group"]] < depth for entry in told["nodes"])
    return open_nodes + sum(at == depth for at in level.values())

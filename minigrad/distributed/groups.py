"""`ProcessGroup`: some of the ranks, who have collectives of their own; the default one is all of them."""

from __future__ import annotations

import collections
import datetime
import gc
import warnings
from typing import Any

from minigrad.distributed.errors import NOT_INITIALIZED
from minigrad.distributed.work import as_seconds

__all__ = [
    "GroupMember", "ProcessGroup", "get_global_rank", "get_group_rank", "get_process_group_ranks", "group", "new_group",
    "new_subgroups", "new_subgroups_by_enumeration",
]  # fmt: skip


class ProcessGroup:
    """Some ranks, numbered 0 to ``size() - 1`` among themselves. Made by `init_process_group` (all ranks) and
    `new_group`. (PyTorch: torch.distributed.ProcessGroup)"""

    def __init__(self, world, ranks: list[int], rank: int, timeout: float, name: str, desc: str, make) -> None:
        """Waits for all members, if there are several. make: gives the communicator then."""
        self._world, self._ranks, self._rank, self._timeout = world, ranks, rank, timeout
        self.group_name, self.group_desc = name, desc
        self._watch = world.watch
        self._log: Any = None
        self._comm: Any = None
        if len(ranks) > 1:
            words = "init_process_group" if state.default is None else f"new_group of ranks {ranks}"
            self._log = world.watch.open(name, ranks)
            world.watch.assemble(name, ranks, timeout, words)
            self._comm = make()

    def _leave(self) -> None:
        """Give the communicator back, of which there are about 2000. Waits for nobody: MPI lets that be local."""
        if self._comm is not None:
            self._watch.close(self._log)
            self._comm.Free()
            self._comm = None

    def rank(self) -> int:
        """This process's number in the group."""
        return self._rank

    def size(self) -> int:
        """How many ranks it has."""
        return len(self._ranks)

    def name(self) -> str:
        """The backend's name."""
        return str(self._world.backend)

    def __repr__(self) -> str:
        return f"<ProcessGroup {self.group_desc}: rank {self._rank} of {len(self._ranks)}>"


class _State:
    """What `init_process_group` sets up, until `destroy_process_group`."""

    default: ProcessGroup | None = None

    def __init__(self) -> None:
        self.groups: list[ProcessGroup] = []  # all that this process is a member of, the default one first
        self.abandoned: collections.deque[ProcessGroup] = collections.deque()  # see `abandon`
        self.made: collections.Counter = collections.Counter()  # how often a name was given

    def begin(self, default: ProcessGroup) -> None:
        """The group of all ranks is there."""
        self.default, self.groups = default, [default]

    def end(self) -> None:
        """Leave all groups."""
        for group in self.groups:
            group._leave()
        self.default, self.groups = None, []

    def remove(self, group: ProcessGroup) -> None:
        """Leave one group."""
        if group in self.groups:
            self.groups.remove(group)
            group._leave()

    def tidy(self) -> None:
        """Leave the groups whose user is gone."""
        while self.abandoned:
            self.remove(self.abandoned.popleft())

    def unique(self, name: str) -> str:
        """The name of a new group: the same on all its members, and of no other group before."""
        self.made[name] += 1
        return name if self.made[name] == 1 else f"{name} #{self.made[name]}"


state = _State()


class _WorldMeta(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:
        return state.default


class group(metaclass=_WorldMeta):
    """``group.WORLD`` is the default group, of all ranks. (PyTorch: torch.distributed.group)"""


class GroupMember(metaclass=_WorldMeta):
    """``GroupMember.NON_GROUP_MEMBER`` is what `new_group` gives to who is no member.
    (PyTorch: torch.distributed.GroupMember)"""

    NON_GROUP_MEMBER = -100


def default_group() -> ProcessGroup:
    """The group of all ranks; ValueError before `init_process_group`."""
    if state.default is None:
        raise ValueError(NOT_INITIALIZED)
    return state.default


def abandon(group: ProcessGroup) -> None:
    """Leave a group when the next one is made. For finalizers, which run at any moment and in any thread."""
    state.abandoned.append(group)


def is_outside(given) -> bool:
    """Whether `given` is what `new_group` gave to a process that is no member."""
    return isinstance(given, int) and given == GroupMember.NON_GROUP_MEMBER


def the_group(given, function: str) -> ProcessGroup:
    """The group that a call means: None is the default one."""
    world = default_group()
    if given is None:
        return world
    if is_outside(given):
        raise ValueError(f"{function}(): Invalid process group specified: this process is no member")
    if not isinstance(given, ProcessGroup):
        raise TypeError(
            f"{function}(): argument 'group' must be a ProcessGroup (from new_group) or None, not "
            f"{type(given).__name__}"
        )
    if given not in state.groups:
        raise ValueError(f"{function}(): The given group is not registered: it was destroyed")
    return given


def of_group(given, function: str) -> ProcessGroup | None:
    """The group of a call; None where this process is no member, which PyTorch passes over with a warning."""
    if is_outside(given):
        rank = default_group().rank()
        warnings.warn(
            f"Running {function} on global rank {rank} which does not belong to the given group.", stacklevel=3
        )
        return None
    return the_group(given, function)


def root_of(function: str, group: ProcessGroup, given: int | None, in_group: int | None, name: str) -> int:
    """The number in the group of a rank given as one of all (`src`, `dst`) or of the group (`group_src`, ...)."""
    if given is not None and in_group is not None:
        raise ValueError(f"{function}(): Can't specify both {name} and group_{name}")
    if given is None and in_group is None:
        raise ValueError(f"{function}(): Must specify {name} or group_{name}")
    if in_group is not None:
        if not 0 <= in_group < group.size():
            raise ValueError(f"{function}(): argument 'group_{name}': got {in_group}; expected 0 to {group.size() - 1}")
        return in_group
    if given not in group._ranks:
        raise ValueError(f"{function}(): argument '{name}': got rank {given}; expected one of {group._ranks}")
    return group._ranks.index(given)


def new_group(
    ranks: list[int] | None = None,
    timeout: datetime.timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
    sort_ranks: bool = True,
) -> ProcessGroup | int:
    """A group of some ranks. Its members wait for each other; the other ranks may call it too, as PyTorch asks of them.

    Args:
        ranks: numbers in the default group; None: all. They are sorted, unless `sort_ranks` is False.
        timeout: of its collectives; None: that of the default group.
        backend, pg_options, use_local_synchronization, device_id: accepted, without effect: there is one engine.
        group_desc: a name for messages.

    Returns:
        The group, or ``GroupMember.NON_GROUP_MEMBER`` where this process is no member.

    Raises:
        ValueError: a rank is out of range or given twice.
        RuntimeError: MPI has no more communicators (MPICH: 2048); `destroy_process_group` gives them back.
        (PyTorch: torch.distributed.new_group)
    """
    parent = default_group()
    state.tidy()
    size = parent.size()
    members = list(range(size)) if ranks is None else [int(rank) for rank in ranks]
    for rank in members:
        if not 0 <= rank < size:
            raise ValueError(
                f"new_group(): argument 'ranks': got {members}; the new group's rank should be within the world_size "
                f"set by init_process_group: 0 to {size - 1}"
            )
    if len(set(members)) < len(members):
        raise ValueError(f"new_group(): argument 'ranks': got {members}; expected each rank once")
    if sort_ranks:
        members.sort()
    if parent.rank() not in members:
        return GroupMember.NON_GROUP_MEMBER
    seconds = as_seconds(timeout) or parent._timeout
    name = state.unique("group " + ",".join(map(str, members)))
    rank = members.index(parent.rank())
    made = ProcessGroup(
        parent._world, members, rank, seconds, name, group_desc or name, lambda: communicator(parent._comm, members)
    )
    state.groups.append(made)
    return made


def communicator(parent, members: list[int]):
    """A communicator of some ranks, who all call this."""
    from mpi4py import MPI

    everyone = parent.Get_group()
    chosen = everyone.Incl(members)
    try:
        try:
            return parent.Create_group(chosen)
        except MPI.Exception:  # there is none left, on all members alike
            gc.collect()  # models in cycles hold groups that nobody uses any more
            state.tidy()
            return parent.Create_group(chosen)
    except MPI.Exception as error:
        raise RuntimeError(
            f"new_group(): MPI has no communicator for another group; {len(state.groups)} are in use: leave those that "
            "are no longer needed by destroy_process_group(group)"
        ) from error
    finally:
        chosen.Free()
        everyone.Free()


def new_subgroups(group_size=None, group=None, timeout=None, backend=None, pg_options=None, group_desc=None):
    """Equal groups of `group_size` neighbours. Returns (the one of this process, all of them; where this process is no
    member stands ``GroupMember.NON_GROUP_MEMBER``). None: one group, as all processes are taken to be on one host.
    (PyTorch: torch.distributed.new_subgroups)"""
    ranks = get_process_group_ranks(group)
    size = len(ranks) if group_size is None else group_size
    if size <= 0:
        raise ValueError(f"The arg 'group_size' ({size}) must be positive")
    if len(ranks) < size:
        raise ValueError(f"The arg 'group_size' ({size}) must not exceed the world size ({len(ranks)})")
    if len(ranks) % size:
        raise ValueError(f"The world size ({len(ranks)}) must be divisible by '{size=}'")
    parts = [ranks[i : i + size] for i in range(0, len(ranks), size)]
    return new_subgroups_by_enumeration(parts, timeout, backend, pg_options, group_desc)


def new_subgroups_by_enumeration(ranks_per_subgroup_list, timeout=None, backend=None, pg_options=None, group_desc=None):
    """Groups of the ranks listed. Returns (the one of this process or None, all of them).
    (PyTorch: torch.distributed.new_subgroups_by_enumeration)"""
    if not ranks_per_subgroup_list:
        raise ValueError("The arg 'ranks_per_subgroup_list' cannot be empty")
    everyone = [rank for ranks in ranks_per_subgroup_list for rank in ranks]
    if len(set(everyone)) < len(everyone):
        raise ValueError("The arg 'ranks_per_subgroup_list' names a rank in more than one group")
    made = [new_group(ranks, timeout, backend, pg_options, group_desc=group_desc) for ranks in ranks_per_subgroup_list]
    own = next((each for each in made if isinstance(each, ProcessGroup)), None)
    return own, made


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """The members' numbers in the default group, in the group's order; None: all ranks."""
    return list(the_group(group, "get_process_group_ranks")._ranks)


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """The number in `group` of a rank of the default group; ValueError if it is no member."""
    ranks = the_group(group, "get_group_rank")._ranks
    if global_rank not in ranks:
        raise ValueError(f"Global rank {global_rank} is not part of group {group}")
    return ranks.index(global_rank)


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """The number in the default group of rank `group_rank` of `group`; ValueError if there is none."""
    ranks = the_group(group, "get_global_rank")._ranks
    if not 0 <= group_rank < len(ranks):
        raise ValueError(f"Group rank {group_rank} is not part of group {group}")
    return ranks[group_rank]

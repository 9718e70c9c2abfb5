"""`minigrad.distributed`: one program, several processes, on one machine or many; PyTorch's names over MPI.

    world.py        init_process_group, ranks           collectives.py  all_reduce, broadcast, all_gather, ...
    groups.py       ProcessGroup, new_group             points.py       send, recv, isend, irecv
    reduction.py    ReduceOp, MPI's datatypes           objects.py      the same with any Python object
    buffers.py      tensors as MPI takes them           work.py         Work, and how one waits
    meeting.py      how the processes meet              watch.py        what they tell each other meanwhile
    failure.py      the end of a rank with an error     errors.py       PyTorch's errors

``pip install "minigrad[mpi]" mpich`` brings all that is needed, and ``mpiexec -n 4 python train.py`` or ``minigrad
launch -n 4 train.py`` starts four. A program that is started alone is a world of one, without MPI.

(PyTorch: torch.distributed)
"""

from __future__ import annotations

from minigrad.distributed.algorithms.ddp_comm_hooks.bucket import GradBucket
from minigrad.distributed.collectives import *
from minigrad.distributed.collectives import __all__ as _collectives
from minigrad.distributed.errors import *
from minigrad.distributed.errors import __all__ as _errors
from minigrad.distributed.groups import *
from minigrad.distributed.groups import __all__ as _groups
from minigrad.distributed.objects import *
from minigrad.distributed.objects import __all__ as _objects
from minigrad.distributed.points import *
from minigrad.distributed.points import __all__ as _points
from minigrad.distributed.reduction import *
from minigrad.distributed.reduction import __all__ as _reduction
from minigrad.distributed.work import *
from minigrad.distributed.work import __all__ as _work
from minigrad.distributed.world import *
from minigrad.distributed.world import __all__ as _world
from minigrad.harmless import refusing

__all__ = ["GradBucket", *_collectives, *_errors, *_groups, *_objects, *_points, *_reduction, *_work, *_world]

__getattr__ = refusing(
    __name__,
    "DeviceMesh FileStore HashStore PrefixStore TCPStore init_device_mesh shrink_group split_group",
    NotImplementedError,
    "MPI starts the processes and knows them: there is no store, and groups are made with new_group",
)

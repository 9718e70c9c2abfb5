"""`minigrad.utils.tensorboard`: `SummaryWriter`, which writes files that TensorBoard shows. (torch.utils.tensorboard)

The writing is done by the package tensorboardX; tensors are given to it as NumPy arrays.
"""

from __future__ import annotations

import functools
from typing import Any

import minigrad

try:
    import tensorboardX
except ImportError:
    raise ImportError(
        'utils.tensorboard needs the package tensorboardX: pip install "minigrad[tensorboard]" (to look at the files: '
        "pip install tensorboard, then tensorboard --logdir runs)"
    ) from None

__all__ = ["SummaryWriter"]


def as_arrays(value: Any) -> Any:
    """The value with its tensors, in lists, tuples and dicts too, as NumPy arrays."""
    if isinstance(value, minigrad.Tensor):
        return value.detach().numpy()
    if isinstance(value, list | tuple):
        return type(value)(map(as_arrays, value))
    if isinstance(value, dict):
        return {name: as_arrays(each) for name, each in value.items()}
    return value


class SummaryWriter(tensorboardX.SummaryWriter):
    """Writes numbers, histograms, images, texts, ... into a file: `add_scalar`, `add_histogram`, `add_image`, ...

    ::

        with SummaryWriter("runs/first") as writer:
            writer.add_scalar("loss", loss, step)

    The methods and their arguments are tensorboardX's, which are PyTorch's; tensors may be given everywhere.
    `add_graph` is refused: draw the graph with `minigrad.viz.draw`.

    Args:
        log_dir (str, optional): the folder. Default: runs/ and the date.
        comment, purge_step, max_queue, flush_secs, filename_suffix: as in PyTorch.

    PyTorch: torch.utils.tensorboard.SummaryWriter
    """

    def add_graph(self, *args, **kwargs):
        """Raises NotImplementedError."""
        raise NotImplementedError("add_graph(): draw the graph with minigrad.viz.draw(output).save('graph.svg')")


def _taking_tensors(method):
    @functools.wraps(method)
    def with_arrays(self, *args, **kwargs):
        return method(self, *as_arrays(args), **as_arrays(kwargs))

    return with_arrays


for _name in dir(tensorboardX.SummaryWriter):
    if _name.startswith("add_") and _name not in vars(SummaryWriter):
        setattr(SummaryWriter, _name, _taking_tensors(getattr(tensorboardX.SummaryWriter, _name)))

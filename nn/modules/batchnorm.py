"""Batch normalisation: BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm; and what all norm layers share."""

from __future__ import annotations

from typing import Any

import minigrad
import minigrad.distributed as dist
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules import _functions
from minigrad.nn.modules.lazy import LazyModuleMixin
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter
from minigrad.tensor import Tensor

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d",
    "SyncBatchNorm",
]  # fmt: skip


class _Affine(Module):
    """A norm with learned factors `weight`, initially 1, and (most of them) shifts `bias`, initially 0."""

    def _register_affine(self, shape, device, dtype, **wanted):
        """Register the parameters that `wanted` names, in its order; None where it says False."""
        for name, present in wanted.items():
            values = minigrad.empty(shape, device=device, dtype=dtype) if present else None
            self.register_parameter(name, Parameter(values) if present else None)

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if getattr(self, "bias", None) is not None:
            init.zeros_(self.bias)


class _NormBase(_Affine):
    """What batch and instance norms share: learned factors, running statistics, and how many dimensions they take."""

    _version = 2  # since 2 there is num_batches_tracked
    _dims: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device=None,
        dtype=None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._register_affine(num_features, device, dtype, weight=affine, bias=affine and bias)
        track, factory = track_running_stats, {"device": device, "dtype": dtype}
        self.register_buffer("running_mean", minigrad.zeros(num_features, **factory) if track else None)
        self.register_buffer("running_var", minigrad.ones(num_features, **factory) if track else None)
        self.register_buffer("num_batches_tracked", minigrad.tensor(0, device=device) if track else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the statistics: mean 0, variance 1, no batch seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the statistics and set weight to 1, bias to 0."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check_input_dim(self, input):
        if input.dim() not in self._dims:
            expected = " or ".join(f"{d}D" for d in self._dims)
            raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        key = prefix + "num_batches_tracked"
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats and key not in state_dict:
            state_dict[key] = self.num_batches_tracked
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _LazyNorm(LazyModuleMixin, _NormBase):
    """What the six lazy norms share: how they learn `num_features`. Stands before the norm in the MRO."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device=None,
        dtype=None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = minigrad.tensor(0, device=device)

    def reset_parameters(self) -> None:
        """Forget the statistics and set weight to 1, bias to 0, once they have shapes."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input):
        """Give parameters and statistics the shape that the first input asks for, and their values."""
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
                if tensor is not None:
                    tensor.materialize((self.num_features,))
            self.reset_parameters()


class _BatchNorm(_NormBase):
    """What the batch norms of any number of dimensions share; they differ in the shapes they accept."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the plain average of all batches so far
                factor = 1.0 / float(self.num_batches_tracked)
        # The batch's own statistics serve in training, and always where none are kept.
        use_batch = self.training or (self.running_mean is None and self.running_var is None)
        keep = not self.training or self.track_running_stats
        running_mean, running_var = (self.running_mean, self.running_var) if keep else (None, None)
        return self._normalized(input, running_mean, running_var, use_batch, factor)

    def _normalized(self, input, running_mean, running_var, use_batch, factor):
        return F.batch_norm(input, running_mean, running_var, self.weight, self.bias, use_batch, factor, self.eps)


class BatchNorm1d(_BatchNorm):
    """Normalises each feature over the batch: ``y = (x - mean) / √(var + eps) · weight + bias``.

    In training, mean and (biased) variance are the batch's, and running averages of them are kept:
    ``running = (1 - momentum) · running + momentum · batch`` (with the unbiased variance). In evaluation the running
    averages are used.

    Input and output ``(N, C)`` or ``(N, C, L)``; C is `num_features`.

    Args:
        num_features (int): how many features (or channels).
        eps (float): added to the variance.
        momentum (float or None): weight of the new batch in the running averages; None averages all batches equally.
        affine (bool): whether there are a learned `weight` and `bias`.
        track_running_stats (bool): whether to keep running averages; without them the batch is always used.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of parameters and buffers.
        bias (bool): whether there is a `bias` (if `affine`).

    Attributes:
        weight, bias: ``(num_features,)``, initially 1 and 0, or None.
        running_mean, running_var: ``(num_features,)``, initially 0 and 1, or None. Buffers.
        num_batches_tracked: how many batches were seen, 0-dim int64, or None. Buffer.

    Source: Ioffe and Szegedy, Batch Normalization (2015). PyTorch: torch.nn.BatchNorm1d
    """

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalises each channel over batch, height and width: ``y = (x - mean) / √(var + eps) · weight + bias``.

    Input and output ``(N, C, H, W)``; C is `num_features`. All else is as in `BatchNorm1d`.

    Source: Ioffe and Szegedy, Batch Normalization (2015). PyTorch: torch.nn.BatchNorm2d
    """

    _dims = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalises each channel over batch, depth, height and width: ``y = (x - mean) / √(var + eps) · weight + bias``.

    Input and output ``(N, C, D, H, W)``; C is `num_features`. All else is as in `BatchNorm1d`.

    Source: Ioffe and Szegedy, Batch Normalization (2015). PyTorch: torch.nn.BatchNorm3d
    """

    _dims = (5,)


class LazyBatchNorm1d(_LazyNorm, _BatchNorm):
    """A `BatchNorm1d` that takes `num_features` from its first input and then is one.

    PyTorch: torch.nn.LazyBatchNorm1d
    """

    cls_to_become = BatchNorm1d
    _dims = BatchNorm1d._dims


class LazyBatchNorm2d(_LazyNorm, _BatchNorm):
    """A `BatchNorm2d` that takes `num_features` from its first input and then is one.

    PyTorch: torch.nn.LazyBatchNorm2d
    """

    cls_to_become = BatchNorm2d
    _dims = BatchNorm2d._dims


class LazyBatchNorm3d(_LazyNorm, _BatchNorm):
    """A `BatchNorm3d` that takes `num_features` from its first input and then is one.

    PyTorch: torch.nn.LazyBatchNorm3d
    """

    cls_to_become = BatchNorm3d
    _dims = BatchNorm3d._dims


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation by the statistics of the batches of all processes, as if they were one batch.

    In training all processes have to call it, though one's batch may be empty. In evaluation, and where there is no
    process group or only one process, it is a `BatchNorm1d` that takes any number of dimensions.

    Input and output ``(N, C, *)``; C is `num_features`. Gradients of gradients are not to be had across processes.

    Args:
        process_group (optional): the processes whose batches belong together; default: all.
        num_features, eps, momentum, affine, track_running_stats, device, dtype, bias: as in `BatchNorm1d`.

    Source: the formulas are in `minigrad/nn/modules/_functions.py`. PyTorch: torch.nn.SyncBatchNorm
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any | None = None,
        device=None,
        dtype=None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input):
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")
        if input.shape[1] == 0:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")

    def _normalized(self, input, running_mean, running_var, use_batch, factor):
        alone = not dist.is_initialized() or dist.get_world_size(self.process_group) == 1
        if alone or not self.training:
            return super()._normalized(input, running_mean, running_var, use_batch, factor)
        if input.dtype == minigrad.float16:  # computed in float32, as `batch_norm` does
            return self._normalized(input.float(), running_mean, running_var, use_batch, factor).half()
        rest = running_mean, running_var, self.eps, factor, self.process_group
        return _functions.SyncBatchNorm.apply(input, self.weight, self.bias, *rest)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group=None) -> Module:
        """Replace all batch norms in a model by `SyncBatchNorm` layers with their parameters and statistics.

        Args:
            module (Module): changed in place; if it is a batch norm itself, a new layer is returned.
            process_group (optional): as of the layers.

        Returns:
            the model.
        """
        converted = module
        if isinstance(module, _BatchNorm):
            converted = cls(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                process_group, bias=module.bias is not None,
            )  # fmt: skip
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked", "training"):
                setattr(converted, name, getattr(module, name))
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted

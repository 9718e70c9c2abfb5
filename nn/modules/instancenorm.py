"""Instance normalisation: InstanceNorm1d, InstanceNorm2d, InstanceNorm3d."""

from __future__ import annotations

import warnings

from minigrad.nn import functional as F
from minigrad.nn.modules.batchnorm import _NormBase
from minigrad.tensor import Tensor

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(_NormBase):
    """What the instance norms share. The first of `_dims` is that of an input without batch dimension."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device=None,
        dtype=None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        unbatched = input.dim() == self._dims[0]
        dim = 0 if unbatched else 1
        if input.size(dim) != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={dim} to match num_features ({self.num_features}), but got: "
                    f"{input.size(dim)}."
                )
            warnings.warn(
                f"input's size at dim={dim} does not match num_features. You can silence this warning by not passing "
                "in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        out = F.instance_norm(
            input.unsqueeze(0) if unbatched else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return out.squeeze(0) if unbatched else out

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        if local_metadata.get("version") is None and not self.track_running_stats:
            old = [key for key in (prefix + "running_mean", prefix + "running_var") if key in state_dict]
            if old:
                name = self._get_name()
                error_msgs.append(
                    "Unexpected running stats buffer(s) " + " and ".join(f'"{key}"' for key in old) + f" for {name} "
                    "with track_running_stats=False. A checkpoint saved before PyTorch 0.4 has them: remove these "
                    f"keys from state_dict, or set track_running_stats=True in {name} if they are needed."
                )
                for key in old:
                    del state_dict[key]
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class InstanceNorm1d(_InstanceNorm):
    """Normalises each channel of each example: ``y = (x - mean) / √(var + eps) · weight + bias``.

    Mean and (biased) variance are those of the channel in the one example, in training and in evaluation; with
    `track_running_stats`, running averages of them are kept and used in evaluation, as in `BatchNorm1d`.

    Input and output ``(N, C, L)`` or ``(C, L)``; C is `num_features`.

    Args:
        num_features (int): how many channels.
        eps (float): added to the variance.
        momentum (float or None): weight of the new batch in the running averages; None never changes them.
        affine (bool): whether there are a learned `weight` and `bias`. Unlike in batch norms the default is False.
        track_running_stats (bool): whether to keep running averages. The default is False.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of parameters and buffers.
        bias (bool): whether there is a `bias` (if `affine`).

    Attributes:
        weight, bias: ``(num_features,)``, initially 1 and 0, or None.
        running_mean, running_var: ``(num_features,)``, initially 0 and 1, or None. Buffers.
        num_batches_tracked: 0-dim int64, or None; always 0, as in PyTorch. Buffer.

    Raises:
        ValueError: for other numbers of dimensions or (if `affine`) of channels.

    Source: Ulyanov et al., Instance Normalization: The Missing Ingredient for Fast Stylization (2016).
    PyTorch: torch.nn.InstanceNorm1d
    """

    _dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalises each channel of each image: ``y = (x - mean) / √(var + eps) · weight + bias``.

    Input and output ``(N, C, H, W)`` or ``(C, H, W)``; C is `num_features`. All else is as in `InstanceNorm1d`.

    Source: Ulyanov et al., Instance Normalization: The Missing Ingredient for Fast Stylization (2016).
    PyTorch: torch.nn.InstanceNorm2d
    """

    _dims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalises each channel of each volume: ``y = (x - mean) / √(var + eps) · weight + bias``.

    Input and output ``(N, C, D, H, W)`` or ``(C, D, H, W)``; C is `num_features`. All else is as in `InstanceNorm1d`.

    Source: Ulyanov et al., Instance Normalization: The Missing Ingredient for Fast Stylization (2016).
    PyTorch: torch.nn.InstanceNorm3d
    """

    _dims = (4, 5)

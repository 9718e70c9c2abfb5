"""A layer and the batch normalisation after it as one layer, for evaluation. PyTorch: torch.nn.utils.fusion"""

from __future__ import annotations

import copy

import minigrad
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def _checked(layer, bn):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!: call .eval() on both modules first")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None: the batch norm tracks no averages")
    return copy.deepcopy(layer), (bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)


def fuse_conv_bn_eval(conv: Module, bn: Module, transpose: bool = False) -> Module:
    """A convolution that gives what ``bn(conv(x))`` gives. Both must be in evaluation mode; neither is changed.

    Args:
        conv (Module): a convolution.
        bn (Module): a batch norm with averages.
        transpose (bool): whether the convolution is a transposed one.

    PyTorch: torch.nn.utils.fuse_conv_bn_eval
    """
    fused, averages = _checked(conv, bn)
    fused.weight, fused.bias = fuse_conv_bn_weights(fused.weight, fused.bias, *averages, transpose)
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused convolution. PyTorch: torch.nn.utils.fuse_conv_bn_weights"""
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape)


def fuse_linear_bn_eval(linear: Module, bn: Module) -> Module:
    """A linear layer that gives what ``bn(linear(x))`` gives. Both must be in evaluation mode; neither is changed.

    PyTorch: torch.nn.utils.fuse_linear_bn_eval
    """
    fused, averages = _checked(linear, bn)
    if bn.num_features not in (1, linear.out_features):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, *averages)
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused linear layer. PyTorch: torch.nn.utils.fuse_linear_bn_weights"""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _fused(weight, bias, mean, var, eps, bn_weight, bn_bias, shape):
    bias = minigrad.zeros_like(mean) if bias is None else bias
    scale = (var + eps).rsqrt() * (1.0 if bn_weight is None else bn_weight)
    new_bias = (bias - mean) * scale + (0.0 if bn_bias is None else bn_bias)
    return (
        Parameter((weight * scale.reshape(shape)).detach().to(weight.dtype), weight.requires_grad),
        Parameter(new_bias.detach().to(weight.dtype), bias.requires_grad),
    )

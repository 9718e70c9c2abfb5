"""AdaptiveLogSoftmaxWithLoss: a softmax over very many classes, most of which are rare."""

from __future__ import annotations

from typing import NamedTuple

import minigrad
from minigrad.nn import functional as F
from minigrad.nn.modules.container import ModuleList, Sequential
from minigrad.nn.modules.linear import Linear
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` returns: the log-probability of each target, and the loss."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log-probabilities of classes that are sorted by how frequent they are, and their mean negative as the loss.

    The frequent classes, up to the first cutoff, are outputs of one layer, the head. Each further range between cutoffs
    is a cluster: one more output of the head, times the softmax of a layer of its own, the narrower the rarer it is;
    that layer is computed only for the examples whose target is there::

        log p(class) = log_softmax(head(x))[cluster] + log_softmax(tail_i(x))[class - cutoff_i]

    Input ``(N, in_features)`` or ``(in_features,)``, target ``(N,)`` or ``()`` (int64, class 0 the most frequent);
    output: ``output`` of the target's shape, the log-probability of each target; ``loss``, a scalar.

    Args:
        in_features (int): size of an input vector.
        n_classes (int): how many classes.
        cutoffs (sequence of ints): where the clusters begin: increasing, above 0, below `n_classes`.
        div_value (float): cluster i (from 1) has an inner layer of ``in_features // div_value^i`` units.
        head_bias (bool): whether the head has a bias.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        head: Linear. tail: ModuleList of Sequential, two Linear without bias for each cluster.

    Raises:
        ValueError: for cutoffs that are not as said.
        RuntimeError: for targets out of range and shapes that do not fit.

    Source: Grave et al., Efficient softmax approximation for GPUs (2017). PyTorch: torch.nn.AdaptiveLogSoftmaxWithLoss
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs,
        div_value: float = 4.0,
        head_bias: bool = False,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            cutoffs != sorted(set(cutoffs))
            or cutoffs[0] <= 0
            or cutoffs[-1] > n_classes - 1
            or any(int(cutoff) != cutoff for cutoff in cutoffs)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                f"value is between 1 and n_classes-1; got {cutoffs} for {n_classes} classes"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        factory = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **factory)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            inner = int(in_features // div_value ** (i + 1))
            classes = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, inner, bias=False, **factory), Linear(inner, classes, bias=False, **factory)
                )
            )

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        self.head.reset_parameters()
        for cluster in self.tail:
            for layer in cluster:
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        self._check(input_, target_)
        batched = target_.dim() > 0
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        if ((target < 0) | (target >= self.n_classes)).any():
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{target.min().item()}, "
                f"{target.max().item()}] were found."
            )
        head = F.log_softmax(self.head(input), dim=1)
        in_head, output = target.clone(), head.new_zeros(target.shape)
        for i, cluster in enumerate(self.tail):
            start = self.cutoffs[i]
            rows = ((target >= start) & (target < self.cutoffs[i + 1])).nonzero().squeeze(1)
            if rows.numel():
                in_head[rows] = self.shortlist_size + i
                inside = F.log_softmax(cluster(input[rows]), dim=1)
                output = output.index_add(0, rows, inside.gather(1, (target[rows] - start).unsqueeze(1)).squeeze(1))
        output = output + head.gather(1, in_head.unsqueeze(1)).squeeze(1)
        return _ASMoutput(output if batched else output.squeeze(0), (-output).mean())

    def _check(self, input, target):
        if target.dim() > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if input.dim() != target.dim() + 1:
            raise RuntimeError(
                f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but found inputs with size "
                f"{input.size()}"
            )
        if target.dim() and input.size(0) != target.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes, ``(N, n_classes)``, of inputs ``(N, in_features)``."""
        return self._all_log_probs(input, self.head(input))

    def _all_log_probs(self, input, head):
        head = F.log_softmax(head, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            place = self.shortlist_size + i
            parts.append(F.log_softmax(cluster(input), dim=1) + head[:, place : place + 1])
        return minigrad.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each example, ``(N,)``: ``log_prob(input).argmax(1)``, as PyTorch finds it.

        Where the head's largest output is a class and not a cluster, that class is it; the clusters are not computed.
        """
        head = self.head(input)
        output = head.argmax(1)
        rare = (output >= self.shortlist_size).nonzero().squeeze(1)
        if rare.numel():
            output[rare] = self._all_log_probs(input[rare], head[rare]).argmax(1)
        return output

"""`ExponentialFamily`: entropy by automatic differentiation of the log normaliser."""

from __future__ import annotations

import minigrad
from minigrad.distributions.distribution import Distribution
from minigrad.distributions.utils import _sum_rightmost
from minigrad.tensor import Tensor

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Distributions of density ``exp(<t(x), θ> - F(θ) + k(x))``: natural parameters θ, log normaliser F, carrier k.

    A subclass gives `_natural_params`, `_log_normalizer(*natural_params)` and `_mean_carrier_measure`, the mean of k.
    From these come the entropy and the divergence of two of one family (Nielsen and Nock, 2010).

    PyTorch: torch.distributions.ExponentialFamily.
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params):
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> float:
        raise NotImplementedError(f"{type(self).__name__} has no entropy in closed form")

    def _normalizer_and_slopes(self):
        """The natural parameters, the log normaliser, and its gradients."""
        natural = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*natural)
        return natural, normalizer, minigrad.autograd.grad(normalizer.sum(), natural, create_graph=True)

    def entropy(self):
        """The entropy, ``F(θ) - <θ, ∇F(θ)>`` less the mean of the carrier."""
        carrier = self._mean_carrier_measure
        natural, result, slopes = self._normalizer_and_slopes()
        result = result - carrier
        for parameter, slope in zip(natural, slopes):
            result = result - _sum_rightmost(parameter * slope, parameter.dim() - len(self._batch_shape))
        return result

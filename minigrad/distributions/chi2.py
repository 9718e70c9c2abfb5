"""`Chi2`."""

from __future__ import annotations

from minigrad.distributions import constraints
from minigrad.distributions.gamma import Gamma
from minigrad.tensor import Tensor

__all__ = ["Chi2"]


class Chi2(Gamma):
    """The χ² distribution: of the sum of `df` squared standard normals, ``Gamma(df / 2, 1 / 2)``.

    Args:
        df (float | Tensor): degrees of freedom, positive.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.Chi2.
    """

    arg_constraints = {"df": constraints.positive}
    _batched = Gamma._batched

    def __init__(self, df: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        """The degrees of freedom."""
        return self.concentration * 2

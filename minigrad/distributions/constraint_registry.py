"""`biject_to` and `transform_to`: from unconstrained numbers to those that satisfy a constraint.

`biject_to(constraint)` is bijective (for sampling and densities); `transform_to(constraint)` need not be, but is cheap
and well behaved (for optimisation): ``transform_to(Normal.arg_constraints["scale"])(unconstrained)``.
"""

from __future__ import annotations

from minigrad.distributions import constraints, transforms
from minigrad.distributions.utils import NUMBER

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """Transforms by constraint: ``registry(constraint)`` gives the transform whose codomain the constraint is.

    NotImplementedError for a constraint that nobody has registered.
    """

    def __init__(self):
        self._registry = {}

    def register(self, constraint, factory=None):
        """Register `factory`, a function of a constraint that gives a transform; a decorator without it.

        TypeError if `constraint` is neither a subclass nor an instance of Constraint.
        """
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        kind = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not (isinstance(kind, type) and issubclass(kind, constraints.Constraint)):
            raise TypeError(f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}")
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint):
        if type(constraint) not in self._registry:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints: register() one")
        return self._registry[type(constraint)](constraint)


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _both(*kinds):
    """Decorator: register for both, a function of the registry and the constraint."""

    def declare(factory):
        for registry in (biject_to, transform_to):
            for kind in kinds:
                registry.register(kind, lambda constraint, registry=registry: factory(registry, constraint))
        return factory

    return declare


@_both(constraints.real)
def _to_real(registry, constraint):
    return transforms.identity_transform


@_both(constraints.independent)
def _to_independent(registry, constraint):
    base = registry(constraint.base_constraint)
    return transforms.IndependentTransform(base, constraint.reinterpreted_batch_ndims)


def _is(bound, number):
    return isinstance(bound, NUMBER) and bound == number


@_both(constraints.greater_than, constraints.greater_than_eq)
def _to_greater_than(registry, constraint):
    shift = transforms.AffineTransform(constraint.lower_bound, 1)
    return transforms.ComposeTransform([transforms.ExpTransform(), shift])


@_both(constraints.less_than)
def _to_less_than(registry, constraint):
    turn = transforms.AffineTransform(constraint.upper_bound, -1)
    return transforms.ComposeTransform([transforms.ExpTransform(), turn])


@_both(constraints.interval, constraints.half_open_interval)
def _to_interval(registry, constraint):
    low, high = constraint.lower_bound, constraint.upper_bound
    if _is(low, 0) and _is(high, 1):
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


biject_to.register(constraints.simplex, lambda constraint: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda constraint: transforms.SoftmaxTransform())
transform_to.register(constraints.lower_cholesky, lambda constraint: transforms.LowerCholeskyTransform())
for _kind in (constraints.positive_definite, constraints.positive_semidefinite):
    transform_to.register(_kind, lambda constraint: transforms.PositiveDefiniteTransform())


@_both(constraints.corr_cholesky)
def _to_corr_cholesky(registry, constraint):
    return transforms.CorrCholeskyTransform()


@_both(constraints.cat)
def _to_cat(registry, constraint):
    parts = [registry(c) for c in constraint.cseq]
    return transforms.CatTransform(parts, constraint.dim, constraint.lengths)


@_both(constraints.stack)
def _to_stack(registry, constraint):
    return transforms.StackTransform([registry(c) for c in constraint.cseq], constraint.dim)

"""Ready-made parametrizations: weight_norm, spectral_norm, orthogonal. PyTorch: torch.nn.utils.parametrizations"""

from __future__ import annotations

import enum

import numpy as np

import minigrad
from minigrad import linalg
from minigrad.autograd import no_grad
from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.nn.utils.parametrize import register_parametrization
from minigrad.nn.utils.spectral_norm import as_matrix, default_dim, random_unit
from minigrad.nn.utils.weight_norm import normalized, norms_except_dim
from minigrad.tensor import Tensor, wrap

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        return normalized(weight_v, weight_g, self.dim)

    def right_inverse(self, weight):
        return norms_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """The parameter becomes ``g v / ‖v‖``: its length g and its direction v are trained apart.

    g and v are ``parametrizations.weight.original0`` and ``original1``. States with `weight_g` and `weight_v`, of the
    old `nn.utils.weight_norm`, can be loaded.

    Args:
        module (Module): what has the parameter.
        name (str): its name.
        dim (int, optional): the dimension along which there is a length for each part; None: one length in all.

    Returns:
        the module.

    Source: Salimans and Kingma, Weight Normalization (2016). PyTorch: torch.nn.utils.parametrizations.weight_norm
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def read_old_names(module, state_dict, prefix, *rest):
        old = [f"{prefix}{name}_{part}" for part in "gv"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module.register_load_state_dict_pre_hook(read_old_names)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.dim()
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            height, width = matrix.shape
            self.register_buffer("_u", random_unit(matrix, height, eps))
            self.register_buffer("_v", random_unit(matrix, width, eps))
            self._power_method(matrix, 15)

    @no_grad()
    def _power_method(self, matrix, n_power_iterations):
        for _ in range(n_power_iterations):
            self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next forward changes the buffers before this one's backward
        return weight / minigrad.dot(u, matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """The parameter is divided by its largest singular value, so that the layer lengthens no vector.

    That value is found by power iteration: 15 steps now, then `n_power_iterations` at each use in training. The vectors
    are the buffers ``parametrizations.weight.0._u`` and ``_v``.

    Args:
        module (Module): what has the parameter.
        name (str): its name.
        n_power_iterations (int): steps at each use.
        eps (float): against division by zero.
        dim (int, optional): the dimension of the outputs; None: 0, of transposed convolutions 1.

    Returns:
        the module.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018).
    PyTorch: torch.nn.utils.parametrizations.spectral_norm
    """
    weight = _tensor_of(module, name)
    dim = default_dim(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


class _OrthMaps(enum.Enum):
    matrix_exp = enum.auto()
    cayley = enum.auto()
    householder = enum.auto()


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows, if it is wide) as a function of one without conditions.

    With trivialization it is ``base @ map(X)``, which is `base` for the initial X.
    """

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        X = X.mT if wide else X
        Q = _reflections(X) if self.orthogonal_map == _OrthMaps.householder else self._of_skew(X)
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.mT if wide else Q

    def _of_skew(self, X):
        """The map of the skew-symmetric matrix ``A = L - Lᵀ``, L being X's lower triangle, filled up with zeros."""
        n, k = X.shape[-2:]
        X = F.pad(X.tril(), (0, n - k))
        A = X - X.mT
        if self.orthogonal_map == _OrthMaps.matrix_exp:
            Q = minigrad.matrix_exp(A)
        else:
            identity = minigrad.eye(n, dtype=A.dtype)
            Q = linalg.solve(identity - A / 2, identity + A / 2)
        return Q[..., :k]

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {tuple(self.shape)}. Got a tensor of shape "
                f"{tuple(Q.shape)}."
            )
        wide = Q.shape[-2] < Q.shape[-1]
        tall = Q.mT if wide else Q
        if not hasattr(self, "base"):
            if self.orthogonal_map != _OrthMaps.householder:
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                    "use_trivialization=False."
                )
            X = _reflectors(tall)
            return X.mT if wide else X
        n, k = tall.shape[-2:]
        if n != k:
            tall = minigrad.cat([tall, minigrad.randn(*tall.shape[:-1], n - k, dtype=tall.dtype)], -1)
        self.base = tall.clone() if n == k and _is_orthogonal(tall) else _orthogonalized(tall)
        start = minigrad.zeros_like(Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)  # of which each map is the identity
        return start


def _is_orthogonal(Q):
    n, k = Q.shape[-2:]
    identity = minigrad.eye(k, dtype=Q.dtype)
    return minigrad.allclose(Q.mT @ Q, identity, atol=10.0 * n * minigrad.finfo(Q.dtype).eps)


def _orthogonalized(A):
    """Q of ``A = Q R`` with a positive diagonal of R."""
    Q, R = linalg.qr(A)
    return Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def _reflections(X):
    """The first columns of a product of Householder reflections. Column i of X holds, below the diagonal, the vector of
    the i-th one, whose own i-th number is 1; on the diagonal stands a sign, 1 or -1, for the column.

    ``(I - τ_1 v_1 v_1ᵀ) (I - τ_2 v_2 v_2ᵀ) ... = I - V T⁻¹ Vᵀ`` with ``τ_i = 2 / v_iᵀ v_i`` and T the upper triangle of
    ``Vᵀ V``, its diagonal halved. (Joffrain et al., Accumulating Householder transformations, 2006)
    """
    n, k = X.shape[-2:]
    identity = minigrad.eye(n, k, dtype=X.dtype)
    V = X.tril(-1) + identity
    products = V.mT @ V
    T = products.triu(1) + minigrad.diag_embed(products.diagonal(dim1=-2, dim2=-1)) / 2
    Q = identity - V @ linalg.solve_triangular(T, V[..., :k, :].mT, upper=True)
    return Q * X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)


def _reflectors(Q):
    """X of `_reflections` for the orthogonal factor of Q."""
    packed, tau = np.linalg.qr(Q.array, mode="raw")  # LAPACK's geqrf; `packed` comes transposed
    X = np.swapaxes(packed, -1, -2).copy()
    diagonal = np.einsum("...ii->...i", X[..., : X.shape[-1], :])
    diagonal[...] = np.sign(diagonal) * np.where(tau == 0, -1, 1)  # LAPACK leaves out a reflection where it can
    return wrap(X)


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """The parameter is kept orthogonal: ``QᵀQ = I``, or if it is wider than high ``QQᵀ = I``; of more dimensions, it is
    a batch of matrices.

    It begins as the orthogonal factor of the tensor's QR decomposition (the tensor itself, if it is orthogonal), or
    without trivialization, for matrix_exp and cayley, as what the map makes of the tensor.

    Args:
        module (Module): what has the parameter.
        name (str): its name.
        orthogonal_map (str, optional): "matrix_exp" ``exp(A)`` or "cayley" ``(I + A/2)(I - A/2)⁻¹`` of a skew-symmetric
            A, or "householder", a product of reflections. Default: matrix_exp for square matrices, else householder.
        use_trivialization (bool): multiply by a constant matrix, the buffer ``parametrizations.weight.0.base``.

    Returns:
        the module.

    Source: Lezcano-Casado, Trivializations for Gradient-Based Optimization on Manifolds (2019).
    PyTorch: torch.nn.utils.parametrizations.orthogonal
    """
    weight = _tensor_of(module, name)
    if weight.dim() < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in _OrthMaps.__members__:
        raise ValueError(f"orthogonal_map has to be one of {list(_OrthMaps.__members__)}. Got: {orthogonal_map}")
    orth = _Orthogonal(weight, _OrthMaps[orthogonal_map], use_trivialization=use_trivialization)
    return register_parametrization(module, name, orth, unsafe=True)


def _tensor_of(module, name):
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return tensor

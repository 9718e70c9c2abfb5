"""The operators minigrad has, by family, under the names of PyTorch's OpInfo database (`name/variant`)."""

FAMILIES = {
    "arithmetic": """
        add sub mul div/no_rounding_mode div/floor_rounding div/trunc_rounding floor_divide remainder fmod pow
        neg abs sign reciprocal square sqrt rsqrt addcmul addcdiv lerp clamp clamp_min clamp_max floor ceil
        round trunc nan_to_num
    """.split(),
    "comparison and logic": """
        eq ne lt le gt ge isclose allclose equal maximum minimum max/binary min/binary isnan isinf isfinite
        logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_not where
    """.split(),
    "exp and log": """
        exp exp2 expm1 log log2 log10 log1p logaddexp sigmoid logit erf
    """.split(),
    "trigonometry": """
        sin cos tan asin acos atan atan2 sinh cosh tanh
    """.split(),
    "activations": """
        nn.functional.relu nn.functional.relu6 nn.functional.leaky_relu nn.functional.prelu nn.functional.elu
        nn.functional.selu nn.functional.celu nn.functional.gelu nn.functional.silu nn.functional.mish
        nn.functional.softplus nn.functional.softsign nn.functional.softshrink nn.functional.hardshrink
        nn.functional.tanhshrink nn.functional.hardtanh nn.functional.hardsigmoid nn.functional.hardswish
        nn.functional.threshold nn.functional.logsigmoid nn.functional.glu nn.functional.softmin softmax
        softmax/with_dtype log_softmax log_softmax/with_dtype
    """.split(),
    "reductions, scans, order": """
        sum mean prod var std var_mean std_mean amax amin max/reduction_with_dim max/reduction_no_dim
        min/reduction_with_dim min/reduction_no_dim argmax argmin logsumexp cumsum cumprod norm any all median
        count_nonzero topk sort argsort unique bincount trace
    """.split(),
    "shape": """
        reshape view view_as permute transpose t T mT squeeze squeeze/multiple unsqueeze flatten movedim
        expand expand_as broadcast_to broadcast_tensors cat stack hstack vstack split split/list_args chunk
        unbind flip roll repeat tile repeat_interleave narrow select meshgrid/variadic_tensors contiguous
        clone
    """.split(),
    "creation and conversion": """
        zeros ones full eye arange linspace zeros_like ones_like full_like new_zeros new_ones float double
        long bool item
    """.split(),
    "indexing": """
        __getitem__ index_put gather scatter scatter_add index_select index_add masked_fill masked_select
        take_along_dim nonzero tril triu diag diagonal diag_embed
    """.split(),
    "linear algebra": """
        matmul mm bmm mv dot outer addmm baddbmm einsum tensordot linalg.inv linalg.det linalg.slogdet
        linalg.solve linalg.cholesky linalg.svd linalg.qr linalg.eigh linalg.norm linalg.vector_norm
    """.split(),
    "layers": """
        nn.functional.linear nn.functional.embedding nn.functional.one_hot nn.functional.conv1d
        nn.functional.conv2d nn.functional.conv3d nn.functional.conv_transpose1d
        nn.functional.conv_transpose2d nn.functional.max_pool1d nn.functional.max_pool2d
        nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.adaptive_avg_pool1d
        nn.functional.adaptive_avg_pool2d nn.functional.adaptive_max_pool1d nn.functional.adaptive_max_pool2d
        nn.functional.batch_norm nn.functional.layer_norm nn.functional.group_norm nn.functional.instance_norm
        nn.functional.rms_norm nn.functional.normalize nn.functional.dropout
        nn.functional.scaled_dot_product_attention nn.functional.pad/constant nn.functional.pad/reflect
        nn.functional.pad/replicate nn.functional.interpolate/nearest nn.functional.interpolate/bilinear
        nn.functional.unfold nn.functional.pixel_shuffle nn.functional.pixel_unshuffle
        nn.functional.cosine_similarity nn.functional.pairwise_distance
    """.split(),
    "losses": """
        nn.functional.mse_loss nn.functional.l1_loss nn.functional.smooth_l1_loss nn.functional.huber_loss
        nn.functional.cross_entropy nn.functional.nll_loss nn.functional.binary_cross_entropy
        nn.functional.binary_cross_entropy_with_logits nn.functional.kl_div nn.functional.poisson_nll_loss
        nn.functional.gaussian_nll_loss nn.functional.cosine_embedding_loss nn.functional.hinge_embedding_loss
        nn.functional.margin_ranking_loss nn.functional.triplet_margin_loss nn.functional.soft_margin_loss
        nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss
        nn.functional.multilabel_soft_margin_loss nn.functional.ctc_loss
    """.split(),
    "further": """
        frac round/decimals_3 hypot bitwise_xor erfc erfinv lgamma xlogy asinh acosh atanh var/unbiased
        std/unbiased aminmax cummax cummin norm/fro nansum kthvalue searchsorted quantile diff reshape_as
        unflatten ravel tensor_split fliplr flipud rot90 unfold meshgrid/list_of_tensors atleast_1d atleast_2d
        tril_indices triu_indices new_full scatter_reduce/sum scatter_reduce/mean scatter_reduce/amax
        index_copy index_fill masked_scatter take argwhere diagflat inner addmv addbmm kron cross cdist dist
        linalg.solve_triangular linalg.svdvals linalg.eigvalsh linalg.pinv linalg.matrix_power
        linalg.multi_dot linalg.matrix_norm linalg.cross nn.functional.bilinear nn.functional.max_pool3d
        nn.functional.avg_pool3d nn.functional.adaptive_avg_pool3d nn.functional.local_response_norm
        nn.functional.dropout2d nn.functional.pad/circular nn.functional.interpolate/linear
        nn.functional.interpolate/bicubic nn.functional.interpolate/area nn.functional.grid_sample
    """.split(),
}
NAMES = [name for family in FAMILIES.values() for name in family]

# Operators that do not agree in everything tried, each with its reason; tests/test_opinfo.py accepts no other.
REASONS = {
    "logsumexp": (
        "dim=() without keepdim is an error in PyTorch, whose output has the wrong shape there; here it means all "
        "dimensions, as with keepdim=True in both"
    ),
    "index_put": (
        "where an index is out of range and the values do not broadcast either, PyTorch names the second error, "
        "here it is the first"
    ),
    "tensordot": (
        "bools are refused; PyTorch multiplies them only on a path that depends on the strides of the factors; of "
        "two errors, a dimension out of range comes first here"
    ),
    "linalg.eigh": (
        "the signs of eigenvectors are LAPACK's choice; an empty batch of ints or bools is refused like any "
        "other, where PyTorch returns before it looks at the dtype"
    ),
    "linalg.eigvalsh": (
        "an empty batch of ints or bools is refused like any other, where PyTorch returns before it looks at the dtype"
    ),
    "nn.functional.linear": (
        "a bias (1, out) for a 1-D input is refused; PyTorch takes it because it computes one row there"
    ),
    "nn.functional.conv3d": (
        "PyTorch does not check the bias's dtype when padding is given by name; here it is always checked"
    ),
    "nn.functional.conv_transpose1d": (
        "a bias of another dtype is refused, as PyTorch's conv1d and conv_transpose3d refuse it"
    ),
    "nn.functional.conv_transpose2d": (
        "a bias of another dtype is refused, as PyTorch's conv2d and conv_transpose3d refuse it"
    ),
    "nn.functional.avg_pool2d": (
        "an input of too few dimensions is a RuntimeError, as in PyTorch's other poolings; its avg_pool2d reads "
        "dimension -3 before it counts them (IndexError)"
    ),
    "addmv": (
        "where the input is 0-D and the shapes cannot be multiplied either, PyTorch reports an IndexError about "
        "the input, here it is the RuntimeError about the shapes"
    ),
    "addbmm": (
        "addbmm_ on a tensor that would have to be broadcast is refused, as PyTorch refuses it for addmm_ and "
        "baddbmm_; its addbmm_ resizes the tensor"
    ),
}

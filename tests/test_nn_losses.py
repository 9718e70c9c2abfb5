"""The losses against torch, beside those of test_nn_layers.py; and those that are ours."""

import warnings

import numpy as np
import pytest
from layer_run import Case, both, case, check_error, check_layers, library, normal, pair_of, weights

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")
REDUCTIONS = ("mean", "sum", "none")


def signs(*shape):
    """Scores or distances, and targets -1 and 1."""
    return lambda rng: [rng.standard_normal(shape).astype(np.float32), signs_of(rng, shape)]


def signs_of(rng, shape):
    return np.asarray(rng.integers(0, 2, shape) * 2 - 1, np.float32)


def two_and_signs(shape, target):
    return lambda rng: [*pair_of(*shape)(rng), signs_of(rng, target)]


def three_of(*shape):
    return lambda rng: [*pair_of(*shape)(rng), rng.standard_normal(shape).astype(np.float32)]


def counts(*shape, low=-1.0, high=2.0):
    """Rates or their logarithms, and counts."""
    return lambda rng: [rng.uniform(low, high, shape).astype(np.float32), rng.poisson(2.0, shape).astype(np.float32)]


def means_and_variances(variance_shape):
    return lambda rng: [*pair_of(4, 3)(rng), rng.uniform(0.1, 2, variance_shape).astype(np.float32)]


def classes(*shape, high):
    """Scores of `high` classes, class numbers."""
    return lambda rng: [rng.standard_normal((*shape, high)).astype(np.float32), rng.integers(0, high, shape)]


def several_classes(rng):
    """Scores of 5 classes, and the right ones up to the first -1."""
    target = np.array([[3, 0, -1, 2, 1], [1, -1, 0, 4, 2], [-1, 1, 2, 3, 4], [0, 1, 2, 3, 4]])
    return [rng.standard_normal((4, 5)).astype(np.float32), target]


def bits(*shape):
    return lambda rng: [rng.standard_normal(shape).astype(np.float32), rng.integers(0, 2, shape).astype(np.float32)]


def sequences(rng):
    scores = rng.standard_normal((9, 3, 5))
    scores = (scores - np.log(np.exp(scores).sum(-1, keepdims=True))).astype(np.float32)
    return [scores, rng.integers(1, 5, (3, 4)), np.array([9, 8, 5]), np.array([4, 2, 3])]


def for_each_reduction(name, *args, **kwargs):
    return [case(name, *args, reduction=reduction, **kwargs) for reduction in REDUCTIONS]


CASES = [
    *for_each_reduction("PoissonNLLLoss", inputs=counts(4, 3)),
    case("PoissonNLLLoss", log_input=False, full=True, eps=1e-3, inputs=counts(4, 3, low=0.1)),
    *for_each_reduction("GaussianNLLLoss", inputs=means_and_variances((4, 3)), differentiable=3),
    case("GaussianNLLLoss", full=True, eps=0.5, inputs=means_and_variances((4, 1)), differentiable=3),
    case("GaussianNLLLoss", inputs=means_and_variances((4,))),
    *for_each_reduction("CTCLoss", inputs=sequences),
    case("CTCLoss", 0, "sum", True, inputs=lambda rng: [*sequences(rng)[:2], np.array([9, 2, 5]), np.array([4, 4, 4])]),
    *for_each_reduction("HingeEmbeddingLoss", inputs=signs(4, 3)),
    case("HingeEmbeddingLoss", 0.3, inputs=signs(6)),
    *for_each_reduction("SoftMarginLoss", inputs=signs(4, 3)),
    *for_each_reduction("CosineEmbeddingLoss", inputs=two_and_signs((4, 3), (4,)), differentiable=2),
    case("CosineEmbeddingLoss", 0.2, inputs=two_and_signs((3,), ()), differentiable=2),
    *for_each_reduction("MarginRankingLoss", inputs=two_and_signs((5,), (5,)), differentiable=2),
    case("MarginRankingLoss", margin=0.7, inputs=two_and_signs((5,), (5,)), differentiable=2),
    *for_each_reduction("MultiMarginLoss", inputs=classes(4, high=5)),
    case("MultiMarginLoss", 2, 0.4, inputs=classes(4, high=5)),
    case("MultiMarginLoss", inputs=classes(high=5)),
    Case("MultiMarginLoss(weight)", lambda lib: lib.MultiMarginLoss(weight=weights(5, lib)), classes(4, high=5)),
    *for_each_reduction("MultiLabelMarginLoss", inputs=several_classes),
    *for_each_reduction("MultiLabelSoftMarginLoss", inputs=bits(4, 3)),
    Case("MultiLabelSoftMarginLoss(w)", lambda lib: lib.MultiLabelSoftMarginLoss(weights(3, lib)), bits(4, 3)),
    *for_each_reduction("TripletMarginLoss", inputs=three_of(4, 3), differentiable=3),
    case("TripletMarginLoss", 0.5, 1.0, 1e-3, True, inputs=three_of(4, 3), differentiable=3),
    case("TripletMarginLoss", inputs=three_of(3), differentiable=3),
    *for_each_reduction("TripletMarginWithDistanceLoss", inputs=three_of(4, 3), differentiable=3),
    Case(
        "TripletMarginWithDistanceLoss(CosineSimilarity)",
        lambda lib: lib.TripletMarginWithDistanceLoss(
            distance_function=lib.CosineSimilarity(), margin=0.5, swap=True, reduction="sum"
        ),
        three_of(4, 3),
        3,
    ),
    *for_each_reduction("LinearCrossEntropyLoss", 5, 4, inputs=lambda rng: [*normal(6, 5)(rng), rng.integers(0, 4, 6)]),
    case(
        "LinearCrossEntropyLoss", 5, 4, out_features=(2, 3), bias=True, ignore_index=1, label_smoothing=0.1,
        inputs=lambda rng: [*normal(6, 5)(rng), rng.integers(0, 4, (6, 2, 3))],
    ),
    Case(
        "LinearCrossEntropyLoss(weight)",
        lambda lib: lib.LinearCrossEntropyLoss(5, 4, weight=weights(4, lib)),
        lambda rng: [*normal(6, 5)(rng), rng.integers(0, 4, 6)],
    ),
    case("KLDivLoss", reduction="sum", log_target=True, inputs=pair_of(4, 5), differentiable=2),
]  # fmt: skip

test_layers = check_layers(CASES)


OLD = [
    (None, None), (True, None), (False, None), (None, True), (None, False), (True, False), (False, True),
    (False, False),
]  # fmt: skip
NAMES = [
    "BCELoss", "BCEWithLogitsLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "HingeEmbeddingLoss", "KLDivLoss",
    "L1Loss", "MSELoss", "MarginRankingLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss",
    "NLLLoss", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss", "TripletMarginLoss",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("size_average", "reduce"), OLD)
def test_older_arguments(name, size_average, reduce):
    outcomes = []
    for lib in (torch.nn, nn):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            loss = getattr(lib, name)(size_average=size_average, reduce=reduce)
        outcomes.append((loss.reduction, [str(warning.message) for warning in seen]))
    assert outcomes[0] == outcomes[1]


def test_the_name_of_images_is_deprecated():
    for lib in (torch.nn, nn):
        with pytest.warns(FutureWarning, match="`NLLLoss2d` has been deprecated. Please use `NLLLoss` instead"):
            loss = lib.NLLLoss2d(ignore_index=3)
        assert isinstance(loss, lib.NLLLoss)
        assert loss.ignore_index == 3


def test_gaussian_takes_a_number_as_variance():
    arrays = pair_of(4, 3)(np.random.default_rng(0))
    theirs = torch.nn.GaussianNLLLoss()(*map(torch.from_numpy, arrays), 0.5)
    assert nn.GaussianNLLLoss()(*map(minigrad.from_numpy, arrays), 0.5).item() == pytest.approx(theirs.item(), rel=1e-6)


def test_ctc_takes_tuples_and_targets_in_a_row():
    scores, _, _, _ = sequences(np.random.default_rng(0))
    outcomes = [
        lib.nn.CTCLoss()(lib.from_numpy(scores), lib.tensor([1, 2, 3, 1, 1, 4]), (9, 9, 8), (3, 1, 2)).item()
        for lib in (minigrad, torch)
    ]
    assert outcomes[0] == pytest.approx(outcomes[1], rel=1e-6)


def test_the_distance_of_a_triplet_is_a_submodule_if_it_is_a_module():
    assert [name for name, _ in nn.TripletMarginWithDistanceLoss().named_children()] == ["distance_function"]
    assert not list(nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: x - y).children())


def test_bases_can_be_subclassed():
    """Programs import `_Loss` and `_WeightedLoss` from PyTorch's module."""
    for lib in (torch.nn, nn):

        class Mine(lib.modules.loss._WeightedLoss):
            def forward(self, input, target):
                return input.sum()

        assert Mine(reduction="sum").reduction == "sum"
        assert list(Mine(library(lib).ones(2)).state_dict()) == ["weight"]
        assert issubclass(lib.BCELoss, lib.modules.loss._WeightedLoss)
        assert not issubclass(lib.BCEWithLogitsLoss, lib.modules.loss._WeightedLoss)
        assert issubclass(lib.CrossEntropyLoss, lib.modules.loss._Loss)


class TestAdaptive:
    def make(self, lib, **kwargs):
        library(lib).manual_seed(0)
        return lib.AdaptiveLogSoftmaxWithLoss(16, 20, [4, 9, 15], div_value=2.0, **kwargs)

    @pytest.mark.parametrize("target", [[3, 19, 0, 4, 8, 9, 15], [0, 1, 2], [16, 17], []])
    def test_outputs_and_gradients(self, target):
        layers = [self.make(lib, head_bias=True) for lib in (torch.nn, nn)]
        assert repr(layers[0]) == repr(layers[1])
        assert layers[0].cutoffs == layers[1].cutoffs
        x = np.random.default_rng(0).standard_normal((len(target), 16)).astype(np.float32)
        outcomes = []
        for lib, layer in zip((torch, minigrad), layers, strict=True):
            input = lib.from_numpy(x.copy()).requires_grad_()
            result = layer(input, lib.tensor(target, dtype=lib.int64))
            (result.loss + (result.output**2).sum()).backward()
            grads = [None if p.grad is None else p.grad.numpy() for p in layer.parameters()]
            outcomes.append([result[0].detach().numpy(), result[1].detach().numpy(), input.grad.numpy(), *grads])
        for theirs, mine in zip(*outcomes, strict=True):
            if theirs is not None and mine is not None:
                np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
            else:  # a cluster without examples is not computed: no gradient, in PyTorch and here
                assert (theirs is None) == (mine is None)

    def test_one_example(self):
        x = np.random.default_rng(0).standard_normal(16).astype(np.float32)
        for target in (2, 12):
            theirs = self.make(torch.nn)(torch.from_numpy(x), torch.tensor(target))
            mine = self.make(nn)(minigrad.from_numpy(x), minigrad.tensor(target))
            assert mine.output.shape == tuple(theirs.output.shape)
            assert mine.loss.item() == pytest.approx(theirs.loss.item(), rel=1e-6)

    def test_log_prob_and_predict(self):
        x = 3 * np.random.default_rng(0).standard_normal((50, 16)).astype(np.float32)
        theirs, mine = self.make(torch.nn), self.make(nn)
        for rows in (x, x[:1]):
            expected, actual = theirs.log_prob(torch.from_numpy(rows)), mine.log_prob(minigrad.from_numpy(rows))
            np.testing.assert_allclose(actual.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
            predicted = mine.predict(minigrad.from_numpy(rows))
            assert predicted.tolist() == theirs.predict(torch.from_numpy(rows)).tolist()
        np.testing.assert_allclose(actual.exp().sum(1).detach().numpy(), 1, rtol=1e-5)


def tensors(lib, *arrays):
    return [library(lib).tensor(array) for array in arrays]


ERRORS = [
    (lambda lib: lib.MultiMarginLoss(3), "only p == 1 and p == 2 supported"),
    (lambda lib: lib.MultiMarginLoss(weight=library(lib).ones(2, 2)), "weight to be None or 1D tensor, got 2D"),
    (lambda lib: lib.TripletMarginLoss(margin=0), "TripletMarginLoss: expected margin to be greater than 0, got 0"),
    (
        lambda lib: lib.TripletMarginWithDistanceLoss(margin=-1.0),
        "TripletMarginWithDistanceLoss: expected margin to be greater than 0, got -1.0",
    ),
    (lambda lib: lib.LinearCrossEntropyLoss(3, 4, label_smoothing=2), "in range [0, 1], got 2"),
    (lambda lib: lib.LinearCrossEntropyLoss(3, 4, weight=library(lib).ones(3)), "weight shape to be (4,), got (3,)"),
    (lambda lib: lib.AdaptiveLogSoftmaxWithLoss(3, 4, []), "cutoffs should be a sequence"),
    (lambda lib: lib.AdaptiveLogSoftmaxWithLoss(3, 4, [2, 1]), "unique, positive"),
    (lambda lib: lib.AdaptiveLogSoftmaxWithLoss(3, 4, [4]), "between 1 and n_classes-1"),
    (lambda lib: lib.AdaptiveLogSoftmaxWithLoss(3, 4, [1.5]), "unique, positive"),
    (
        lambda lib: lib.AdaptiveLogSoftmaxWithLoss(4, 4, [2])(*tensors(lib, [[1.0] * 4] * 2, [0, 4])),
        "Target values should be in [0, 3], but values in range [0, 4] were found",
    ),
    (
        lambda lib: lib.AdaptiveLogSoftmaxWithLoss(4, 4, [2])(*tensors(lib, [[1.0] * 4] * 2, [0])),
        "same size in the batch dimension",
    ),
    (lambda lib: lib.AdaptiveLogSoftmaxWithLoss(4, 4, [2])(*tensors(lib, [1.0] * 4, [[0]])), "multi-target"),
    (lambda lib: lib.AdaptiveLogSoftmaxWithLoss(4, 4, [2])(*tensors(lib, [1.0] * 4, [0] * 4)), "expects 2D input"),
    (lambda lib: lib.GaussianNLLLoss()(*tensors(lib, [1.0], [1.0], [-1.0])), "var has negative entry/entries"),
    (lambda lib: lib.CosineEmbeddingLoss()(*tensors(lib, [1.0], [1.0], [[1.0]])), "0D or 1D target tensor expected"),
    (lambda lib: lib.SoftMarginLoss(reduction="x")(*tensors(lib, [1.0], [1.0])), "x is not a valid value"),
]


@pytest.mark.parametrize(("wrong", "text"), ERRORS, ids=[text for _, text in ERRORS])
def test_errors(wrong, text):
    check_error(wrong, text)


class TestOurs:
    x, y = minigrad.tensor([1.0, 4.0, 0.5]), minigrad.tensor([2.0, 2.0, 0.5])

    def test_rmse(self):
        assert nn.RMSELoss()(self.x, self.y).item() == pytest.approx((5 / 3) ** 0.5)
        x = self.y.clone().requires_grad_()
        nn.RMSELoss()(x, self.y).backward()
        assert x.grad.tolist() == [0.0, 0.0, 0.0], "the gradient where nothing is wrong is 0, not nan"

    def test_mape(self):
        assert nn.MAPELoss()(self.x, self.y).item() == pytest.approx((0.5 + 1 + 0) / 3)
        assert nn.MAPELoss("none")(self.x, -self.y).tolist() == pytest.approx([1.5, 3.0, 2.0])
        assert nn.MAPELoss("sum", eps=0.5)(self.x, minigrad.zeros(3)).item() == pytest.approx(11.0)

    def test_msle(self):
        expected = (np.log1p(self.x.numpy()) - np.log1p(self.y.numpy())) ** 2
        assert nn.MSLELoss()(self.x, self.y).item() == pytest.approx(expected.mean(), rel=1e-6)
        np.testing.assert_allclose(nn.MSLELoss("none")(self.x, self.y).numpy(), expected, rtol=1e-6)

    def test_hinge(self):
        target = minigrad.tensor([1.0, -1.0, 1.0])
        assert nn.HingeLoss(reduction="none")(self.x, target).tolist() == [0.0, 5.0, 0.5]
        assert nn.HingeLoss(2.0, "sum")(self.x, target.to(minigrad.int64)).item() == 1 + 6 + 1.5

    @pytest.mark.parametrize("name", ["RMSELoss", "MAPELoss", "MSLELoss", "HingeLoss"])
    def test_shapes_have_to_agree(self, name):
        with pytest.raises(
            ValueError, match=rf"{name}: expected input and target of one shape, got \(3, 1\) and \(3,\)"
        ):
            getattr(nn, name)()(minigrad.ones(3, 1), minigrad.ones(3))

    def test_hinge_wants_signs(self):
        with pytest.raises(ValueError, match="expected targets -1 and 1, got others; make them of 0 and 1 by 2"):
            nn.HingeLoss()(self.x, minigrad.tensor([0.0, 1.0, 1.0]))

    def test_scikit_learn_agrees(self):
        metrics = pytest.importorskip("sklearn.metrics")
        rng = np.random.default_rng(0)
        x, y = rng.uniform(0.1, 5, (2, 20))
        for loss, metric in (
            (nn.RMSELoss(), metrics.root_mean_squared_error),
            (nn.MAPELoss(), metrics.mean_absolute_percentage_error),
            (nn.MSLELoss(), metrics.mean_squared_log_error),
        ):
            ours = loss(minigrad.from_numpy(x), minigrad.from_numpy(y)).item()
            assert ours == pytest.approx(metric(y, x), rel=1e-12)


def test_a_loss_of_each_kind_in_a_sum_is_differentiated_once_for_each():
    theirs, mine = both(case("TripletMarginLoss", inputs=None))
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    grads = []
    for lib, loss in ((torch, theirs), (minigrad, mine)):
        a = lib.from_numpy(x.copy()).requires_grad_()
        (loss(a, a * 2, -a) + lib.nn.MSELoss()(a, a * 0.5)).backward()
        grads.append(a.grad.numpy())
    np.testing.assert_allclose(grads[1], grads[0], rtol=1e-5, atol=1e-6)

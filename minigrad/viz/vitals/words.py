"""The words of `health`: each rule's sentence and cure, in English and Korean, and where the rule is from.

Used by `rules.py` (sentences) and by `report.py`, `html.py`, `live.py` and `picture.py` (headings).
"""

from __future__ import annotations

from minigrad.errors import describe

__all__ = ["CURES_OF_OPS", "LANGUAGES", "RULE_WORDS", "SOURCES", "WORDS", "checked_language"]

LANGUAGES = ("en", "ko")


def checked_language(language, who: str) -> str:
    """The language, if there are words in it; `who` is the function named in the message."""
    if language not in LANGUAGES:
        came = repr(language) if isinstance(language, str) else describe(language)
        raise ValueError(f"{who}: argument 'language': got {came}; expected 'en' or 'ko'")
    return language


RULE_WORDS = {
    "bad-input": {
        "en": ("The input {names} holds NaN or infinity{at}.",
               "Clean the data before it comes to the model: look with x.isfinite().all(); missing values are often "
               "read as NaN, and a column that is constant divided by its standard deviation 0 becomes NaN."),
        "ko": ("입력 {names}에 NaN 또는 무한대가 있습니다{at}.",
               "모델에 넣기 전에 데이터를 정리하세요. x.isfinite().all()로 확인합니다. 결측값은 흔히 NaN으로 읽히고, "
               "값이 모두 같은 열을 표준편차 0으로 나누어도 NaN이 됩니다."),
    },
    "bad-weights": {
        "en": ("Weights are NaN or infinite{at}: {names}. All that is computed from them is, too.",
               "A step before this one broke them. Start again from weights that were good, with a learning rate ten "
               "times smaller or clip_grad_norm_. To see which operation did it, watch every step: "
               "viz.watch(model, budget=None)."),
        "ko": ("가중치가 NaN 또는 무한대입니다{at}: {names}. 그것으로 계산한 값도 모두 그렇습니다.",
               "이전 스텝에서 이미 망가졌습니다. 정상이던 가중치에서 학습률을 10분의 1로 줄이거나 clip_grad_norm_을 써서 "
               "다시 시작하세요. 어느 연산이 원인인지 보려면 매 스텝을 관찰합니다: viz.watch(model, budget=None)."),
    },
    "bad-operation": {
        "en": ("`{names}` made the first number that is not finite{at}{place}{detail}{maybe}.",
               "Look at what it was given. Numbers that grow without bound come from too large a learning rate or "
               "from weights that start too large: lower the rate, normalise the inputs, clip the gradients."),
        "ko": ("`{names}` 연산이 처음으로 유한하지 않은 수를 만들었습니다{at}{place}{detail}{maybe}.",
               "이 연산의 입력값을 살펴보세요. 값이 끝없이 커지는 것은 학습률이나 초기 가중치가 너무 크기 때문입니다. "
               "학습률을 낮추고, 입력을 정규화하고, 기울기를 잘라내세요(clip)."),
    },
    "bad-derivative": {
        "en": ("The derivative of `{names}` made the first gradient that is not finite{at}{place}{detail}.",
               "The forward was fine, but its slope there is infinite, or infinity times 0. Keep its operand away "
               "from that point, e.g. x.clamp(min=1e-8)."),
        "ko": ("`{names}`의 도함수가 처음으로 유한하지 않은 기울기를 만들었습니다{at}{place}{detail}.",
               "순전파는 정상이지만 그 점에서 기울기가 무한대이거나 무한대×0입니다. 입력이 그 점에 닿지 않게 하세요. "
               "예: x.clamp(min=1e-8)."),
    },
    "bad-layer": {
        "en": ("The first output that is not finite is that of {names}{at}. (Nothing was recorded, so the operation is "
               "not known.)",
               "Run viz.health(model, x, y, loss_fn) with gradients on: it names the operation."),
        "ko": ("처음으로 유한하지 않은 출력은 {names}에서 나왔습니다{at}. (기록된 그래프가 없어 어느 연산인지는 알 수 없습니다.)",
               "기울기 계산을 켜고 viz.health(model, x, y, loss_fn)를 실행하면 연산의 이름을 알려 줍니다."),
    },
    "bad-loss-gradient": {
        "en": ("The gradient was NaN or infinite already when it came to the model's output{at}: the loss made it.",
               "Use the losses that take logits (cross_entropy, binary_cross_entropy_with_logits), which are safe; in "
               "a loss of your own add a small number under each sqrt and log and to each denominator."),
        "ko": ("기울기가 모델의 출력에 도착했을 때 이미 NaN 또는 무한대였습니다{at}. 손실 함수에서 생긴 것입니다.",
               "로짓을 받는 안전한 손실(cross_entropy, binary_cross_entropy_with_logits)을 쓰세요. 직접 만든 손실이라면 "
               "sqrt와 log 안, 그리고 분모에 작은 수를 더하세요."),
    },
    "bad-gradient": {
        "en": ("Gradients are NaN or infinite: {names}.",
               "viz.health(model, x, y, loss_fn) names the operation that makes them."),
        "ko": ("기울기가 NaN 또는 무한대입니다: {names}.",
               "viz.health(model, x, y, loss_fn)를 실행하면 원인이 되는 연산을 알려 줍니다."),
    },
    "bad-loss": {
        "en": ("The loss is {loss}, though the model's output is finite: the loss function made it.",
               "log(0), 0/0 and exp of a large number are the usual reasons: use the losses that take logits."),
        "ko": ("모델의 출력은 유한한데 손실이 {loss}입니다. 손실 함수에서 생긴 것입니다.",
               "log(0), 0/0, 큰 수의 exp가 흔한 원인입니다. 로짓을 받는 손실 함수를 쓰세요."),
    },
    "vanishing-gradient": {
        "en": ("The gradient vanishes: at {first} it is {ratio} of what it is at {last} (about ×{each} per layer); "
               "{why}.",
               "Use ReLU (or GELU) with He initialisation (nn.init.kaiming_normal_), or with tanh Xavier "
               "initialisation (nn.init.xavier_normal_); or batch normalisation, or residual connections."),
        "ko": ("기울기 소실: {first}의 기울기가 {last}의 {ratio}배입니다(층마다 약 ×{each}). {why}.",
               "ReLU(또는 GELU)와 He 초기화(nn.init.kaiming_normal_)를 쓰거나, tanh라면 Xavier "
               "초기화(nn.init.xavier_normal_)를 쓰세요. 배치 정규화나 잔차 연결도 좋습니다."),
    },
    "exploding-gradient": {
        "en": ("The gradient explodes: at {first} it is {ratio} times what it is at {last}.",
               "Clip it (nn.utils.clip_grad_norm_), start with smaller weights (He or Xavier initialisation), or "
               "normalise between the layers; in recurrent networks use an LSTM or GRU."),
        "ko": ("기울기 폭발: {first}의 기울기가 {last}의 {ratio}배입니다.",
               "기울기를 잘라내거나(nn.utils.clip_grad_norm_), 초기 가중치를 줄이거나(He·Xavier 초기화), 층 사이에 "
               "정규화를 넣으세요. 순환 신경망이라면 LSTM이나 GRU를 쓰세요."),
    },
    "saturated": {
        "en": ("{share} of the outputs are at the ends of the curve, where its slope is almost 0: {names}. Little "
               "gradient gets through.",
               "Smaller weights (Xavier initialisation: nn.init.xavier_normal_), inputs scaled to about -1..1, batch "
               "normalisation before it, or ReLU instead."),
        "ko": ("출력의 {share}가 기울기가 거의 0인 곡선의 양 끝에 있습니다(포화): {names}. 기울기가 거의 전달되지 않습니다.",
               "가중치를 줄이고(Xavier 초기화: nn.init.xavier_normal_), 입력을 -1..1 정도로 맞추고, 앞에 배치 정규화를 넣거나, "
               "ReLU로 바꾸세요."),
    },
    "dead-relu": {
        "en": ("{share} of the units of a ReLU were 0 for all of {samples} samples: {names}. No gradient reaches them: "
               "they do not learn any more (dying ReLU).",
               "LeakyReLU, ELU or GELU let a gradient through below 0; lower the learning rate, which may have thrown "
               "them there; He initialisation, biases of 0, or batch normalisation before the ReLU."),
        "ko": ("ReLU 유닛의 {share}가 표본 {samples}개 모두에서 0이었습니다: {names}. 기울기가 오지 않아 더는 학습하지 "
               "못합니다(죽은 ReLU, dying ReLU).",
               "LeakyReLU, ELU, GELU는 0 아래에서도 기울기를 흘립니다. 학습률이 너무 커서 죽었을 수 있으니 낮추고, He "
               "초기화와 편향 0, ReLU 앞의 배치 정규화를 쓰세요."),
    },
    "steps-too-large": {
        "en": ("Steps are too large: one changes {names} by {ratio} times its size{at}{rate}; about 0.001 is usual.",
               "Lower the learning rate: divide it by 10 until the loss falls steadily; warm it up in the first steps, "
               "or clip the gradients."),
        "ko": ("갱신이 너무 큽니다: 한 스텝에 {names}의 크기의 {ratio}배만큼 바뀝니다{at}{rate}. 보통은 0.001 정도입니다.",
               "손실이 꾸준히 줄어들 때까지 학습률을 10분의 1씩 낮추세요. 처음 몇 스텝은 학습률을 서서히 올리거나(warm-up) "
               "기울기를 잘라내세요."),
    },
    "steps-too-small": {
        "en": ("Steps are too small: no step changes a weight by more than {ratio} of its size{rate}; about 0.001 is "
               "usual. At this rate nothing is learned.",
               "Raise the learning rate: multiply it by 10 until the loss falls well. For Adam 0.001, for SGD 0.01 to "
               "0.1 is where to begin."),
        "ko": ("갱신이 너무 작습니다: 한 스텝에 가중치가 그 크기의 {ratio}배도 바뀌지 않습니다{rate}. 보통은 0.001 정도입니다. "
               "이대로는 배우는 것이 없습니다.",
               "손실이 잘 줄어들 때까지 학습률을 10배씩 올리세요. Adam은 0.001, SGD는 0.01~0.1에서 시작합니다."),
    },
    "diverging": {
        "en": ("The loss rises: it is {loss}, and was {best} at its best{rate}.",
               "Lower the learning rate, or clip the gradients (nn.utils.clip_grad_norm_)."),
        "ko": ("손실이 커지고 있습니다(발산): 지금 {loss}, 가장 좋았을 때 {best}{rate}.",
               "학습률을 낮추거나 기울기를 잘라내세요(nn.utils.clip_grad_norm_)."),
    },
    "gradients-not-cleared": {
        "en": ("The gradients of one step were still there in the backward of the next, so they add up.",
               "Call optimizer.zero_grad() once in each step, before loss.backward()."),
        "ko": ("이전 스텝의 기울기가 지워지지 않은 채 다음 역전파가 실행되어 계속 더해집니다.",
               "스텝마다 loss.backward() 앞에서 optimizer.zero_grad()를 한 번 호출하세요."),
    },
    "symmetric": {
        "en": ("All units of a layer have the same weights and get the same gradient: {names}. They will always "
               "compute the same, as if there were one.",
               "Start with random weights (nn.init.xavier_normal_, kaiming_normal_); only biases may start equal."),
        "ko": ("층의 모든 유닛이 같은 가중치를 가지고 같은 기울기를 받습니다: {names}. 유닛이 하나뿐인 것처럼 언제나 같은 "
               "값을 냅니다(대칭).",
               "가중치를 무작위로 초기화하세요(nn.init.xavier_normal_, kaiming_normal_). 편향만 같은 값으로 시작해도 됩니다."),
    },
    "not-used": {
        "en": ("Layers that are never called: {names}.",
               "Call them in forward(), or remove them; parameters that are not used are saved and counted for "
               "nothing."),
        "ko": ("한 번도 호출되지 않은 층: {names}.",
               "forward()에서 호출하거나 지우세요. 쓰이지 않는 매개변수는 저장 공간만 차지합니다."),
    },
    "no-gradient": {
        "en": ("No gradient comes to {names}: the loss does not depend on it through the recorded graph.",
               "Look for .detach(), .item(), .numpy(), .data, no_grad(), argmax or a rounding between it and the loss. "
               "If it is meant to be left as it is, freeze it: requires_grad_(False)."),
        "ko": ("{names}에 기울기가 오지 않습니다: 기록된 그래프에서 손실이 여기에 의존하지 않습니다.",
               "이 매개변수와 손실 사이에 .detach(), .item(), .numpy(), .data, no_grad(), argmax, 반올림이 있는지 보세요. "
               "일부러 고정한 것이라면 requires_grad_(False)로 동결하세요."),
    },
    "zero-gradient": {
        "en": ("The gradient is exactly 0 in all of {names}: it learns nothing.",
               "Usual reasons: dead ReLUs or saturated units after it, a weight of zeros on the way, a mask, or a loss "
               "that is flat here (a hinge or clamp that is satisfied)."),
        "ko": ("{names}의 기울기가 전부 정확히 0입니다: 아무것도 배우지 못합니다.",
               "흔한 원인: 뒤쪽의 죽은 ReLU나 포화된 유닛, 경로에 있는 0인 가중치, 마스크, 또는 평평한 손실(이미 만족된 힌지나 "
               "clamp)."),
    },
    "not-optimized": {
        "en": ("No optimizer has {names}: gradients come, but no step changes it.",
               "Give it to the optimizer: model.parameters(), or optimizer.add_param_group({\"params\": ...}); or "
               "freeze it with requires_grad_(False)."),
        "ko": ("{names}을(를) 가진 옵티마이저가 없습니다: 기울기는 오지만 갱신되지 않습니다.",
               "옵티마이저에 넘기세요: model.parameters() 또는 optimizer.add_param_group({\"params\": ...}). 아니면 "
               "requires_grad_(False)로 동결하세요."),
    },
    "first-loss": {
        "en": ("The loss begins at {loss}; a model that knows nothing and says so has ln({classes}) = {even}.",
               "At the start this means confident wrong answers: make the last layer's weights smaller, scale the "
               "inputs. After training it means that the model is worse than guessing on these data."),
        "ko": ("손실이 {loss}에서 시작합니다. 아무것도 모르는 모델이 고르게 답하면 ln({classes}) = {even}입니다.",
               "학습 시작이라면 틀린 답을 확신하고 있다는 뜻입니다: 마지막 층의 가중치를 줄이고 입력의 크기를 맞추세요. 학습 "
               "후라면 이 데이터에서 찍는 것보다 못하다는 뜻입니다."),
    },
    "evaluation-mode": {
        "en": ("The model is in evaluation mode while gradients are computed: {names} behave as in use, not as in "
               "training.",
               "Call model.train() before training, and model.eval() before measuring."),
        "ko": ("평가 모드에서 기울기를 계산하고 있습니다: {names}이(가) 학습할 때와 다르게 동작합니다.",
               "학습 전에는 model.train(), 평가 전에는 model.eval()을 호출하세요."),
    },
    "frozen": {
        "en": ("Frozen (requires_grad=False): {names}.", ""),
        "ko": ("동결됨(requires_grad=False): {names}.", ""),
    },
}  # fmt: skip

_LOG = {
    "en": "The logarithm of 0 is -inf, of a negative number NaN: log(x.clamp(min=1e-8)); or compute it in one piece: "
    "log_softmax, logsigmoid, cross_entropy and binary_cross_entropy_with_logits instead of log of a softmax or "
    "sigmoid.",
    "ko": "0의 로그는 -inf, 음수의 로그는 NaN입니다: log(x.clamp(min=1e-8)). softmax나 sigmoid 뒤의 log는 한 번에 계산하세요: "
    "log_softmax, logsigmoid, cross_entropy, binary_cross_entropy_with_logits.",
}
_DIV = {
    "en": "The denominator is 0, or nearly: add a small number to it (x / (y + 1e-8)), or say what x/0 shall be with "
    "where().",
    "ko": "분모가 0이거나 0에 가깝습니다: 작은 수를 더하거나(x / (y + 1e-8)) where()로 x/0일 때의 값을 정하세요.",
}
_SQRT = {
    "en": "The square root of a negative number is NaN, and its slope at 0, 1/(2√x), is infinite: sqrt(x + 1e-8). The "
    "same is true of a distance or a standard deviation that is 0.",
    "ko": "음수의 제곱근은 NaN이고, 0에서의 기울기 1/(2√x)는 무한대입니다: sqrt(x + 1e-8). 거리나 표준편차가 0일 때도 같습니다.",
}
_EXP = {
    "en": "exp of more than about 88 overflows in float32: subtract the maximum first, or use softmax, logsumexp or "
    "softplus, which do.",
    "ko": "float32에서 exp는 약 88을 넘으면 무한대가 됩니다: 먼저 최댓값을 빼거나, 그렇게 해 주는 softmax, logsumexp, "
    "softplus를 쓰세요.",
}
_POW = {
    "en": "A negative number to a broken power is NaN, 0 to a negative power is infinite, and the slope of a power below "
    "1 is infinite at 0: x.clamp(min=1e-8) ** p.",
    "ko": "음수의 정수가 아닌 거듭제곱은 NaN, 0의 음수 거듭제곱은 무한대이고, 1보다 작은 거듭제곱의 기울기는 0에서 무한대입니다: "
    "x.clamp(min=1e-8) ** p.",
}
_ARC = {
    "en": "Its operand must lie within -1..1, and at the ends the slope is infinite: x.clamp(-1 + 1e-6, 1 - 1e-6).",
    "ko": "입력은 -1..1 안에 있어야 하고 양 끝에서는 기울기가 무한대입니다: x.clamp(-1 + 1e-6, 1 - 1e-6).",
}
CURES_OF_OPS = {
    **dict.fromkeys(("log", "log2", "log10", "log1p", "log_odds", "xlogy"), _LOG),
    **dict.fromkeys(("div", "reciprocal", "addcdiv"), _DIV),
    **dict.fromkeys(("sqrt", "rsqrt", "std", "linalg_vector_norm"), _SQRT),
    **dict.fromkeys(("exp", "exp2", "expm1", "cosh", "sinh"), _EXP),
    **dict.fromkeys(("pow", "float_power"), _POW),
    **dict.fromkeys(("acos", "asin", "atanh"), _ARC),
}

SOURCES = {
    "vanishing-gradient": "Hochreiter 1991; Glorot & Bengio 2010; He et al. 2015",
    "exploding-gradient": "Pascanu, Mikolov & Bengio 2013",
    "saturated": "Glorot & Bengio 2010; LeCun et al. 1998, Efficient BackProp",
    "dead-relu": "Maas, Hannun & Ng 2013; Stanford CS231n, Neural Networks 1",
    "steps-too-large": "Karpathy: Stanford CS231n, Neural Networks 3 (ratio of weights:updates, about 1e-3)",
    "steps-too-small": "Karpathy: Stanford CS231n, Neural Networks 3 (ratio of weights:updates, about 1e-3)",
    "symmetric": "Goodfellow, Bengio & Courville 2016, section 8.4",
    "first-loss": "Karpathy 2019, A Recipe for Training Neural Networks (verify loss @ init)",
    "gradients-not-cleared": "PyTorch: torch.optim.Optimizer.zero_grad",
}

WORDS = {
    "en": {
        "title": "Health", "layer": "layer", "kind": "kind", "output": "output mean ± std", "off": "off",
        "grad": "‖grad‖ of output", "weights": "‖grad‖ of weights", "ratio": "step / weight",
        "off-long": "off: share of a sigmoid's or tanh's outputs that are saturated, of a ReLU's units that are dead",
        "healthy": "Nothing found that would hinder learning.", "unknown": "Not known", "cure": "What to do",
        "error": "error", "warning": "warning", "note": "note", "measured": "{measured} of {steps} steps measured",
        "measured-one": "one pass measured", "measured-none": "as it is now", "loss": "loss",
        "no-pass": "activations: no forward pass was seen (give x, or use viz.watch)",
        "no-backward": "gradients: no backward pass was seen",
        "no-grads": "gradients: no parameter has one (call it after backward() and before zero_grad(), or give x, y "
        "and loss_fn)",
        "no-loss": "gradients: no loss_fn was given",
        "no-update": "step / weight: no optimizer step was seen",
        "outputs-picture": "Outputs of the layers", "grads-picture": "Gradients of the outputs, log₁₀ |g|",
        "ratios-picture": "Step / weight, ‖Δw‖ / ‖w‖", "zero": "above: share of zeros", "step": "step",
        "usual": "green: usual, about 1e-3",
        "nothing": "nothing measured", "share": "density", "saturated": "saturated", "dead": "dead",
    },
    "ko": {
        "title": "학습 상태", "layer": "층", "kind": "종류", "output": "출력 평균 ± 표준편차", "off": "꺼짐",
        "grad": "출력의 ‖기울기‖", "weights": "가중치의 ‖기울기‖", "ratio": "갱신 / 가중치",
        "off-long": "꺼짐: sigmoid·tanh는 포화된 출력의 비율, ReLU는 죽은 유닛의 비율",
        "healthy": "학습을 방해할 문제가 보이지 않습니다.", "unknown": "알 수 없는 것", "cure": "처방",
        "error": "오류", "warning": "경고", "note": "참고", "measured": "{steps}스텝 중 {measured}스텝 측정",
        "measured-one": "한 번의 순전파·역전파를 측정", "measured-none": "지금 상태", "loss": "손실",
        "no-pass": "활성값: 순전파를 보지 못했습니다(x를 주거나 viz.watch를 쓰세요)",
        "no-backward": "기울기: 역전파를 보지 못했습니다",
        "no-grads": "기울기: 기울기가 있는 매개변수가 없습니다(backward() 뒤, zero_grad() 앞에서 부르거나 x, y, loss_fn을 주세요)",
        "no-loss": "기울기: loss_fn이 주어지지 않았습니다",
        "no-update": "갱신 / 가중치: 옵티마이저의 스텝을 보지 못했습니다",
        "outputs-picture": "층의 출력", "grads-picture": "출력의 기울기, log₁₀ |g|",
        "ratios-picture": "갱신 / 가중치, ‖Δw‖ / ‖w‖", "zero": "위: 0인 값의 비율", "step": "스텝",
        "usual": "초록: 보통, 약 1e-3",
        "nothing": "측정된 것이 없습니다", "share": "밀도", "saturated": "포화", "dead": "죽음",
    },
}  # fmt: skip

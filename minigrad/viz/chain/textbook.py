"""Formulas of array operations as textbooks write them: what `formula.py` says where a rule is no formula of numbers.

A line that begins with names of ops is their forward formula, an indented one what the gradient of that operand is;
after ``$`` stands the same in LaTeX.  ``G`` is the upstream gradient ∂L/∂output, ``⟨input⟩`` an operand or attribute
by its name in the op's signature, ``⟨output⟩`` the result.  What stands in ⟦⟧ is left out where an operand in it was
not given.  ``name(reduction=sum)`` is the op with that attribute.
"""

from __future__ import annotations

import re

from minigrad.autograd.node import COPY_SLICES, PICK
from minigrad.registry import OPS

__all__ = ["FORWARD", "TEXTBOOK"]

FORWARD = "forward"

TABLE = r"""
matmul                  ⟨input⟩ @ ⟨other⟩                         $ ⟨input⟩\, ⟨other⟩
    input               G @ ⟨other⟩ᵀ                              $ G\, ⟨other⟩^{\top}
    other               ⟨input⟩ᵀ @ G                              $ ⟨input⟩^{\top} G
linear                  ⟨input⟩ @ ⟨weight⟩ᵀ⟦ + ⟨bias⟩⟧            $ ⟨input⟩\, ⟨weight⟩^{\top}⟦ + ⟨bias⟩⟧
    input               G @ ⟨weight⟩                              $ G\, ⟨weight⟩
    weight              Gᵀ @ ⟨input⟩                              $ G^{\top} ⟨input⟩
    bias                Σₙ Gₙ                                     $ \sum_n G_n
einsum2                 Σ ⟨input⟩ · ⟨other⟩                       $ \sum ⟨input⟩ \cdot ⟨other⟩
    input               Σ G · ⟨other⟩                             $ \sum G \cdot ⟨other⟩
    other               Σ G · ⟨input⟩                             $ \sum G \cdot ⟨input⟩
convolution             ⟨input⟩ ∗ ⟨weight⟩⟦ + ⟨bias⟩⟧             $ ⟨input⟩ \ast ⟨weight⟩⟦ + ⟨bias⟩⟧
    input               G ∗ rot180(⟨weight⟩)                      $ G \ast \operatorname{rot}_{180}(⟨weight⟩)
    weight              Σₙ ⟨input⟩ₙ ∗ Gₙ                          $ \sum_n ⟨input⟩_n \ast G_n
    bias                Σ G (batch, positions)                    $ \sum_{n, h, w} G
inverse_matrix          ⟨input⟩⁻¹                                 $ ⟨input⟩^{-1}
    input               −⟨output⟩ᵀ @ G @ ⟨output⟩ᵀ                $ -⟨output⟩^{\top} G\, ⟨output⟩^{\top}
linalg_det              det ⟨A⟩                                   $ \det ⟨A⟩
    A                   G · det(⟨A⟩) · (⟨A⟩⁻¹)ᵀ                   $ G \cdot \det(⟨A⟩)\, ⟨A⟩^{-\top}
tril                    tril(⟨input⟩)                             $ \operatorname{tril}(⟨input⟩)
    input               tril(G)                                   $ \operatorname{tril}(G)
triu                    triu(⟨input⟩)                             $ \operatorname{triu}(⟨input⟩)
    input               triu(G)                                   $ \operatorname{triu}(G)

sum sum_to_size         Σ ⟨input⟩                                 $ \sum ⟨input⟩
    input               G · 1 (in the shape of ⟨input⟩)           $ G \cdot \mathbf{1}
mean                    Σ ⟨input⟩ / n                             $ \frac{1}{n} \sum ⟨input⟩
    input               G / n (in the shape of ⟨input⟩)           $ \frac{G}{n} \cdot \mathbf{1}
prod                    Π ⟨input⟩                                 $ \prod ⟨input⟩
    input               G · ⟨output⟩ / ⟨input⟩                    $ G \cdot \frac{⟨output⟩}{⟨input⟩}
cumsum                  Σ_{j≤i} ⟨input⟩ⱼ                          $ \sum_{j \le i} ⟨input⟩_j
    input               Σ_{j≥i} Gⱼ                                $ \sum_{j \ge i} G_j
logsumexp               log Σ exp(⟨input⟩)                        $ \log \sum e^{⟨input⟩}
    input               G · softmax(⟨input⟩)                      $ G \cdot \operatorname{softmax}(⟨input⟩)
var                     Σ (⟨input⟩ − μ)² / (n − ⟨correction⟩)     $ \frac{\sum (⟨input⟩ - \mu)^2}{n - ⟨correction⟩}
    input               G · 2(⟨input⟩ − μ) / (n − ⟨correction⟩)   $ G \cdot \frac{2 (⟨input⟩ - \mu)}{n - ⟨correction⟩}
std                     √(Σ (⟨input⟩ − μ)² / (n − ⟨correction⟩))  $ \sqrt{\frac{\sum (⟨input⟩ - \mu)^2}{n - ⟨correction⟩}}
    input               G · (⟨input⟩ − μ) / ((n − ⟨correction⟩) · ⟨output⟩) $ G \cdot \frac{⟨input⟩ - \mu}{(n - ⟨correction⟩)\, ⟨output⟩}
linalg_vector_norm(ord=2) ‖⟨input⟩‖                               $ \left\lVert ⟨input⟩ \right\rVert
    input               G · ⟨input⟩ / ‖⟨input⟩‖                   $ G \cdot \frac{⟨input⟩}{\left\lVert ⟨input⟩ \right\rVert}
amax max_all max_dim    max ⟨input⟩                               $ \max ⟨input⟩
    input               G · [⟨input⟩ = ⟨output⟩]                  $ G \cdot [⟨input⟩ = ⟨output⟩]
amin min_all min_dim    min ⟨input⟩                               $ \min ⟨input⟩
    input               G · [⟨input⟩ = ⟨output⟩]                  $ G \cdot [⟨input⟩ = ⟨output⟩]

softmax                 exp(⟨input⟩) / Σ exp(⟨input⟩)             $ \frac{e^{⟨input⟩}}{\sum e^{⟨input⟩}}
    input               ⟨output⟩ · (G − Σ G · ⟨output⟩)           $ ⟨output⟩ \odot \left(G - \sum G \odot ⟨output⟩\right)
log_softmax             ⟨input⟩ − log Σ exp(⟨input⟩)              $ ⟨input⟩ - \log \sum e^{⟨input⟩}
    input               G − exp(⟨output⟩) · Σ G                   $ G - e^{⟨output⟩} \sum G
cross_entropy_of_classes(reduction=mean) −mean log softmax(⟨input⟩)[⟨target⟩] $ -\frac{1}{N} \sum_n \log \operatorname{softmax}(⟨input⟩)_{n, ⟨target⟩_n}
    input               G / N · (softmax(⟨input⟩) − onehot(⟨target⟩)) $ \frac{G}{N} \left(\operatorname{softmax}(⟨input⟩) - \operatorname{onehot}(⟨target⟩)\right)
cross_entropy_of_classes −log softmax(⟨input⟩)[⟨target⟩]          $ -\log \operatorname{softmax}(⟨input⟩)_{⟨target⟩}
    input               G · (softmax(⟨input⟩) − onehot(⟨target⟩)) $ G \cdot \left(\operatorname{softmax}(⟨input⟩) - \operatorname{onehot}(⟨target⟩)\right)
nll_of_classes(reduction=mean) −mean ⟨input⟩[⟨target⟩]            $ -\frac{1}{N} \sum_n ⟨input⟩_{n, ⟨target⟩_n}
    input               −G / N · onehot(⟨target⟩)                 $ -\frac{G}{N} \operatorname{onehot}(⟨target⟩)
nll_of_classes          −⟨input⟩[⟨target⟩]                        $ -⟨input⟩_{⟨target⟩}
    input               −G · onehot(⟨target⟩)                     $ -G \cdot \operatorname{onehot}(⟨target⟩)
mse                     ⟨scale⟩ · Σ (⟨input⟩ − ⟨target⟩)²         $ ⟨scale⟩ \sum \left(⟨input⟩ - ⟨target⟩\right)^2
    input               G · ⟨scale⟩ · 2(⟨input⟩ − ⟨target⟩)       $ G \cdot ⟨scale⟩ \cdot 2 \left(⟨input⟩ - ⟨target⟩\right)
    target              G · ⟨scale⟩ · 2(⟨target⟩ − ⟨input⟩)       $ G \cdot ⟨scale⟩ \cdot 2 \left(⟨target⟩ - ⟨input⟩\right)
bce                     −(⟨target⟩ · log ⟨input⟩ + (1 − ⟨target⟩) · log(1 − ⟨input⟩)) $ -\left(⟨target⟩ \log ⟨input⟩ + (1 - ⟨target⟩) \log(1 - ⟨input⟩)\right)
    input               G · (⟨input⟩ − ⟨target⟩) / (⟨input⟩ · (1 − ⟨input⟩)) $ G \cdot \frac{⟨input⟩ - ⟨target⟩}{⟨input⟩ (1 - ⟨input⟩)}
reduced_loss(how=mean)  Σ ⟨losses⟩ / n                            $ \frac{1}{n} \sum ⟨losses⟩
    losses              G / n (in the shape of ⟨losses⟩)          $ \frac{G}{n} \cdot \mathbf{1}
reduced_loss(how=sum)   Σ ⟨losses⟩                                $ \sum ⟨losses⟩
    losses              G · 1 (in the shape of ⟨losses⟩)          $ G \cdot \mathbf{1}

embedding               ⟨weight⟩[⟨input⟩]                         $ ⟨weight⟩_{[⟨input⟩]}
    weight              onehot(⟨input⟩)ᵀ @ G                      $ \operatorname{onehot}(⟨input⟩)^{\top} G
layer_normalized batch_normalized group_normalized γ · (⟨input⟩ − μ) / √(σ² + ε) + β $ \gamma \frac{⟨input⟩ - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta
    input               1/σ · (γG − mean(γG) − x̂ · mean(γG · x̂))  $ \frac{1}{\sigma} \left(\gamma G - \overline{\gamma G} - \hat{x} \cdot \overline{\gamma G \hat{x}}\right)
    weight              Σ G · x̂                                   $ \sum G \odot \hat{x}
    bias                Σ G                                       $ \sum G
batch_standardized      γ · (⟨input⟩ − μ) / √(σ² + ε) + β         $ \gamma \frac{⟨input⟩ - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta
    input               G · γ / √(σ² + ε)                         $ G \cdot \frac{\gamma}{\sqrt{\sigma^2 + \varepsilon}}
    weight              Σ G · x̂                                   $ \sum G \odot \hat{x}
    bias                Σ G                                       $ \sum G
rms_normalized          γ · ⟨input⟩ / √(mean ⟨input⟩² + ε)        $ \gamma \frac{⟨input⟩}{\sqrt{\overline{⟨input⟩^2} + \varepsilon}}
    input               1/r · (γG − x̂ · mean(γG · x̂))             $ \frac{1}{r} \left(\gamma G - \hat{x} \cdot \overline{\gamma G \hat{x}}\right)
    weight              Σ G · x̂                                   $ \sum G \odot \hat{x}
attended                softmax(⟨query⟩ @ ⟨key⟩ᵀ / √d) @ ⟨value⟩  $ \operatorname{softmax}\left(\frac{⟨query⟩ ⟨key⟩^{\top}}{\sqrt{d}}\right) ⟨value⟩
    query               ∂L/∂S @ ⟨key⟩ / √d                        $ \frac{1}{\sqrt{d}} \frac{\partial L}{\partial S} ⟨key⟩
    key                 (∂L/∂S)ᵀ @ ⟨query⟩ / √d                   $ \frac{1}{\sqrt{d}} \left(\frac{\partial L}{\partial S}\right)^{\top} ⟨query⟩
    value               softmax(S)ᵀ @ G                           $ \operatorname{softmax}(S)^{\top} G
max_pool adaptive_max_pool max ⟨input⟩ (each window)              $ \max_{\text{window}} ⟨input⟩
    input               G · [⟨input⟩ = max]                       $ G \cdot [⟨input⟩ = \max_{\text{window}}]
avg_pool adaptive_average Σ ⟨input⟩ / k (each window)             $ \frac{1}{k} \sum_{\text{window}} ⟨input⟩
    input               Σ G / k (each window)                     $ \frac{1}{k} \sum_{\text{windows}} G
rnn_layer               hₜ = tanh(W · xₜ + U · hₜ₋₁ + b)          $ h_t = \tanh\left(W x_t + U h_{t-1} + b\right)
gru_layer               hₜ = (1 − zₜ) · nₜ + zₜ · hₜ₋₁            $ h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}
lstm_layer              cₜ = fₜ · cₜ₋₁ + iₜ · gₜ,  hₜ = oₜ · tanh cₜ $ c_t = f_t \odot c_{t-1} + i_t \odot g_t,\quad h_t = o_t \odot \tanh c_t

where                   ⟨input⟩ if ⟨condition⟩, else ⟨other⟩      $ \begin{cases} ⟨input⟩ & \text{if } ⟨condition⟩ \\ ⟨other⟩ & \text{otherwise} \end{cases}
    input               G if ⟨condition⟩, else 0                  $ G \odot [⟨condition⟩]
    other               0 if ⟨condition⟩, else G                  $ G \odot [\lnot ⟨condition⟩]
masked_fill             ⟨value⟩ if ⟨mask⟩, else ⟨input⟩           $ \begin{cases} ⟨value⟩ & \text{if } ⟨mask⟩ \\ ⟨input⟩ & \text{otherwise} \end{cases}
    input               0 if ⟨mask⟩, else G                       $ G \odot [\lnot ⟨mask⟩]
    value               Σ G · [⟨mask⟩]                            $ \sum G \odot [⟨mask⟩]
clamp_numbers           min(max(⟨input⟩, ⟨min⟩), ⟨max⟩)           $ \min\left(\max\left(⟨input⟩, ⟨min⟩\right), ⟨max⟩\right)
    input               G · [⟨min⟩ ≤ ⟨input⟩ ≤ ⟨max⟩]             $ G \cdot [⟨min⟩ \le ⟨input⟩ \le ⟨max⟩]

reshape view squeeze unsqueeze reshape(⟨input⟩)                   $ \operatorname{reshape}(⟨input⟩)
    input               reshape(G)                                $ \operatorname{reshape}(G)
transpose t             ⟨input⟩ᵀ                                  $ ⟨input⟩^{\top}
    input               Gᵀ                                        $ G^{\top}
permute                 permute(⟨input⟩)                          $ \operatorname{permute}(⟨input⟩)
    input               permute⁻¹(G)                              $ \operatorname{permute}^{-1}(G)
expand repeat           repeat(⟨input⟩)                           $ \operatorname{repeat}(⟨input⟩)
    input               Σ G (over the repeats)                    $ \sum_{\text{repeats}} G
getitem select narrow diagonal index_select gather take unbind windows as_strided ⟨input⟩[…] $ ⟨input⟩_{[\ldots]}
    input               G at […], 0 elsewhere                     $ \begin{cases} G & \text{at } [\ldots] \\ 0 & \text{otherwise} \end{cases}
split                   parts of ⟨tensor⟩                         $ \operatorname{split}(⟨tensor⟩)
    tensor              [G₀, G₁, …]                               $ \left[G_0, G_1, \ldots\right]
cat stack               [⟨tensors⟩]                               $ \left[⟨tensors⟩\right]
    tensors             its part of G                             $ G_{[\ldots]}
clone contiguous_copy copy_laid_out to_dtype ⟨input⟩              $ ⟨input⟩
    input               G                                         $ G
copy                    ⟨other⟩                                   $ ⟨other⟩
    other               G                                         $ G
    input               0                                         $ 0
pad_constant            pad(⟨input⟩)                              $ \operatorname{pad}(⟨input⟩)
    input               unpad(G)                                  $ \operatorname{unpad}(G)
flip                    flip(⟨input⟩)                             $ \operatorname{flip}(⟨input⟩)
    input               flip(G)                                   $ \operatorname{flip}(G)
roll                    roll(⟨input⟩)                             $ \operatorname{roll}(⟨input⟩)
    input               roll⁻¹(G)                                 $ \operatorname{roll}^{-1}(G)
copy_slices             ⟨input⟩[…] ← ⟨value⟩                      $ ⟨input⟩_{[\ldots]} \leftarrow ⟨value⟩
    input               0 at […], G elsewhere                     $ \begin{cases} 0 & \text{at } [\ldots] \\ G & \text{otherwise} \end{cases}
    value               G[…]                                      $ G_{[\ldots]}
pick                    ⟨input⟩[⟨index⟩]                          $ ⟨input⟩_{[⟨index⟩]}
    input               G                                         $ G
"""  # noqa: E501 - a table: each formula is one line


def _read(table):
    """{op, or op(attribute=value): {"forward" or operand: (text, LaTeX)}}."""
    found, current = {}, []
    for line in filter(None, table.splitlines()):
        written, _, latex = line.partition(" $ ")
        words = written.split()
        if line.startswith(" "):
            slot, text = words[0], written.strip().removeprefix(words[0]).strip()
        else:
            count = _names(words)
            slot, text = FORWARD, written.split(None, count)[count].strip()
            current = [found.setdefault(name, {}) for name in words[:count]]
        for entry in current:
            entry[slot] = text, latex.strip()
    return found


NAMED = re.compile(r"\w+(\(\w+=\w+\))?")


def _names(words):
    """How many words at the beginning of a line are names of ops."""
    known = {*OPS, COPY_SLICES.name, PICK.name}
    return next(i for i, word in enumerate(words) if not (NAMED.fullmatch(word) and word.partition("(")[0] in known))


TEXTBOOK: dict[str, dict[str, tuple[str, str]]] = _read(TABLE)

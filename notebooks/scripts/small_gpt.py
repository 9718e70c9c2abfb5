"""A small GPT learns to write from the help texts that come with Python, and is measured on texts it has not read.

Every ninth text is held out, whole; paragraphs that occur twice are left out, so that nothing is tested which was read
before. The perplexity of a token is compared with that of counting: n-grams with Kneser-Ney smoothing, on the same
tokens. (A. Radford et al. 2018 and 2019; R. Kneser, H. Ney 1995)
"""

import collections
import math

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_topics
from minigrad.nn import functional as F
from minigrad.text import BytePairTokenizer


def read(pieces=512):
    """The tokenizer (learned from the part to train on), and the two parts as numbers of tokens and as texts."""
    texts = list(load_topics().values())
    held_out = "\n\n".join(texts[8::9])
    train_part = "\n\n".join(text for k, text in enumerate(texts) if k % 9 != 8)
    tokenizer = BytePairTokenizer(train_part, pieces)
    ids = [minigrad.tensor(tokenizer.encode(part)) for part in (train_part, held_out)]
    return tokenizer, ids, (train_part, held_out)


# ---- counting


class NGram:
    """The probability of a token after the `order - 1` before it, by interpolated Kneser-Ney smoothing: counts less
    `discount`, and what was taken off goes to the next shorter history. There a token counts not by how often it
    occurs, but after how many different tokens."""

    def __init__(self, ids, order, size, discount=0.75):
        self.order, self.size, self.discount = order, size, discount
        grams = collections.Counter(tuple(ids[k : k + order]) for k in range(len(ids) - order + 1))
        self.after = [collections.defaultdict(dict) for _ in range(order)]  # by the length of the history
        for length in range(order - 1, -1, -1):
            for gram, count in grams.items():
                self.after[length][gram[:-1]][gram[-1]] = count
            grams = collections.Counter(gram[1:] for gram in grams)

    def probability(self, history, token):
        p = 1 / self.size
        for length in range(min(self.order - 1, len(history)) + 1):
            counts = self.after[length].get(tuple(history[len(history) - length :]))
            if counts is None:
                break
            total = sum(counts.values())
            p = max(counts.get(token, 0) - self.discount, 0) / total + self.discount * len(counts) / total * p
        return p

    def log_probabilities(self, ids):
        """Of each token but the first, given those before it; float64 (len(ids) - 1,)."""
        reach = self.order - 1
        return np.log([self.probability(ids[max(0, k - reach) : k], ids[k]) for k in range(1, len(ids))])


# ---- the network


class Block(nn.Module):
    """Attention, then two linear layers, each added to what comes in."""

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def split(self, x):
        """(batch, time, width) -> queries, keys and values, each (batch, heads, time, width / heads)."""
        batch, time, width = x.shape
        parts = self.query_key_value(self.first(x)).view(batch, time, 3, self.heads, width // self.heads)
        return parts.permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, x):
        seen = F.scaled_dot_product_attention(*self.split(x), is_causal=True)
        x = x + self.drop(self.out(seen.transpose(1, 2).reshape(x.shape)))
        return x + self.drop(self.narrow(F.gelu(self.widen(self.second(x)))))


class GPT(nn.Module):
    """Tokens (batch, time) -> scores of the next token at each place (batch, time, size)."""

    def __init__(self, size, context=64, width=96, heads=4, layers=2, dropout=0.1):
        super().__init__()
        self.context = context
        self.token, self.place = nn.Embedding(size, width), nn.Embedding(context, width)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * layers) if ".out" in name or "narrow" in name else 1))

    def embed(self, ids):
        return self.drop(self.token(ids) + self.place(minigrad.arange(ids.shape[1])))

    def forward(self, ids):
        return F.linear(self.norm(self.blocks(self.embed(ids))), self.token.weight)  # one table, in and out

    def maps(self, ids):
        """Who looks at whom: for one text (time,), attention weights (layers, heads, time, time)."""
        x, found = self.embed(ids.unsqueeze(0)), []
        for block in self.blocks:
            queries, keys, _ = block.split(x)
            scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
            hidden = minigrad.ones(len(ids), len(ids), dtype=minigrad.bool).triu(1)
            found.append(scores.masked_fill(hidden, -math.inf).softmax(-1)[0])
            x = block(x)
        return minigrad.stack(found)


def train(model, ids, steps, batch=8, lr=3e-3, quiet=True):
    """Trains on windows drawn at random, the rate first rising, then falling along a cosine; the loss of each step."""
    optimizer = optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1, cycle_momentum=False)
    window = minigrad.arange(model.context + 1)
    losses = []
    model.train()
    for _ in progress(range(steps), "steps", quiet=quiet):
        begins = minigrad.randint(len(ids) - model.context, (batch, 1))
        rows = ids[begins + window]
        loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    return losses


def log_probabilities(model, ids):
    """Of each token but the first, given those before it, at least half a window of them; float64 (len(ids) - 1,)."""
    half, found = model.context // 2, []
    with minigrad.no_grad():
        for begin in range(0, len(ids) - 1, half):
            part = ids[max(0, begin - half) : begin + half + 1]
            logs = model(part[:-1].unsqueeze(0)).log_softmax(-1)[0]
            new = logs.gather(1, part[1:].unsqueeze(1))[:, 0]
            found.append(new[-(min(begin + half, len(ids) - 1) - begin) :].numpy().astype(float))
    return np.concatenate(found)


def perplexity(logs):
    """Among how many equally likely tokens the model is as undecided, on average."""
    return math.exp(-np.mean(logs))


def sample(model, tokenizer, prompt, count, temperature=1.0):
    """`prompt` and `count` more tokens. The lower the temperature, the likelier the likeliest; at 0 nothing else."""
    ids = tokenizer.encode(prompt)
    with minigrad.no_grad():
        for _ in range(count):
            scores = model(minigrad.tensor([ids[-model.context :]]))[0, -1]
            if temperature == 0:
                ids.append(scores.argmax().item())
            else:
                ids.append((scores / temperature).softmax(0).multinomial(1).item())
    return tokenizer.decode(ids)


def main():
    chosen = options(
        __doc__,
        steps=(5000, 20, "training steps of 8 windows"),
        pieces=(512, 300, "size of the vocabulary, in tokens"),
        width=(96, 32, "numbers that stand for a token"),
        layers=(2, 1, "transformer blocks"),
        order=(5, 2, "the longest n-gram to compare with"),
    )
    tokenizer, (train_ids, test_ids), texts = read(chosen.pieces)
    print(f"{len(train_ids)} tokens to train on, {len(test_ids)} held out ({len(texts[1])} characters)")
    letters = len(test_ids) / len(texts[1]) / math.log(2)  # from nats per token to bits per character
    found = {}
    for order in range(1, chosen.order + 1):
        counted = NGram(train_ids.tolist(), order, len(tokenizer))
        found[f"{order}-gram"] = counted.log_probabilities(test_ids.tolist())
    model = GPT(len(tokenizer), width=chosen.width, layers=chosen.layers)
    losses = train(model, train_ids, chosen.steps, quiet=chosen.quiet)
    found["GPT"] = log_probabilities(model, test_ids)
    best = min((name for name in found if name != "GPT"), key=lambda name: perplexity(found[name]))
    found[f"GPT and {best}"] = np.logaddexp(found["GPT"], found[best]) - math.log(2)  # the mean of both
    print(f"GPT: {sum(p.numel() for p in model.parameters())} parameters, loss {np.mean(losses[-50:]):.3f} in training")
    for name, logs in found.items():
        print(f"{name:14} perplexity {perplexity(logs):6.1f}   bits per character {-logs.mean() * letters:.3f}")
    for temperature in (0.0, 0.5, 1.0):
        print(f"--- temperature {temperature}\n{sample(model, tokenizer, 'The', 60, temperature)}")
    result(
        f"perplexity of a held-out token: GPT {perplexity(found['GPT']):.1f}, the best n-gram ({best}, Kneser-Ney) "
        f"{perplexity(found[best]):.1f}, both together {perplexity(found[f'GPT and {best}']):.1f} (seed {chosen.seed})"
    )


if __name__ == "__main__":
    main()

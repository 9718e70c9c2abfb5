"""A character language model: two LSTM layers with dropout, tied weights, truncated BPTT, clipping."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

TOLERANCE = 4e-6  # seen: 2e-7, rounding; plain SGD magnifies nothing

TEXT = (
    "the chain rule says that the derivative of a composition is the product of the derivatives, "
    "and back propagation is that rule read from the end of the chain to its beginning. "
) * 6


class RNNModel(nn.Module):
    def __init__(self, rnn_type, ntoken, ninp, nhid, nlayers, dropout=0.2, tie_weights=True):
        super().__init__()
        self.ntoken = ntoken
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        self.nhid, self.nlayers = nhid, nlayers

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output))
        return F.log_softmax(decoded.view(-1, self.ntoken), dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid))


def repackage_hidden(h):
    """Wraps hidden states in new tensors, to detach them from their history."""
    return h.detach() if isinstance(h, torch.Tensor) else tuple(repackage_hidden(v) for v in h)


torch.manual_seed(1111)
chars = sorted(set(TEXT))
ids = torch.tensor([chars.index(c) for c in TEXT])
batches = ids[: len(ids) // 8 * 8].view(8, -1).t().contiguous()
bptt, lr = 16, 2.0
model = RNNModel("LSTM", len(chars), 32, 32, 2)
print(model)
hidden = model.init_hidden(8)
losses = []

for epoch in range(3):
    model.train()
    for i in range(0, batches.size(0) - 1, bptt):
        seq_len = min(bptt, len(batches) - 1 - i)
        data, targets = batches[i : i + seq_len], batches[i + 1 : i + 1 + seq_len].view(-1)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = F.nll_loss(output, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-lr)
        losses.append(loss.item())
    print(f"| epoch {epoch} | loss {losses[-1]:5.2f} | ppl {math.exp(losses[-1]):8.2f}")

model.eval()
with torch.no_grad():
    hidden, word, text = model.init_hidden(1), torch.randint(len(chars), (1, 1)), ""
    for _ in range(20):
        output, hidden = model(word, hidden)
        word.fill_(torch.multinomial(output.squeeze().exp(), 1)[0])
        text += chars[word.item()]
print(repr(text))

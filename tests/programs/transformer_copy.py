"""nn.Transformer: masks, padding, positional encoding, warm-up with LambdaLR; it reverses sequences."""

import math

import torch
from torch import nn

TOLERANCE = 2e-4  # seen: 1.3e-5; Adam magnifies last digits

PAD, BOS, TOKENS, LENGTH = 0, 1, 12, 7


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.1, max_len=50):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        pe = torch.zeros(max_len, d_model)
        position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.unsqueeze(0))

    def forward(self, x):
        return self.dropout(x + self.pe[:, : x.size(1)])


class Seq2Seq(nn.Module):
    def __init__(self, d_model=32):
        super().__init__()
        self.embed = nn.Embedding(TOKENS, d_model, padding_idx=PAD)
        self.position = PositionalEncoding(d_model)
        self.transformer = nn.Transformer(d_model, 4, 2, 2, 64, dropout=0.1, activation="gelu", batch_first=True)
        self.out = nn.Linear(d_model, TOKENS)
        self.scale = math.sqrt(d_model)

    def forward(self, src, tgt):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(1))
        padding = src == PAD
        y = self.transformer(
            self.position(self.embed(src) * self.scale),
            self.position(self.embed(tgt) * self.scale),
            tgt_mask=mask,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return self.out(y)


def batch(n):
    src = torch.randint(2, TOKENS, (n, LENGTH))
    lengths = torch.randint(3, LENGTH + 1, (n,))
    keep = torch.arange(LENGTH) < lengths[:, None]
    src = src.masked_fill(~keep, PAD)
    target = torch.zeros_like(src)
    for row, length in enumerate(lengths):
        target[row, :length] = src[row, :length].flip(0)
    tgt = torch.cat([torch.full((n, 1), BOS), target[:, :-1]], dim=1)
    return src, tgt, target


torch.manual_seed(3)
model = Seq2Seq()
criterion = nn.CrossEntropyLoss(ignore_index=PAD)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.9, 0.98), eps=1e-9)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 10, (10 / (step + 1)) ** 0.5))
losses = []
for step in range(40):
    src, tgt, target = batch(16)
    loss = criterion(model(src, tgt).flatten(0, 1), target.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    losses.append(loss.item())
    if step % 10 == 9:
        print(f"step {step}: loss {loss.item():.3f}")

model.eval()
with torch.no_grad():
    src, _, target = batch(4)
    tgt = torch.full((4, 1), BOS)
    for _ in range(LENGTH):
        tgt = torch.cat([tgt, model(src, tgt)[:, -1:].argmax(-1)], dim=1)
    scores = model(src, torch.cat([tgt[:, :1], target[:, :-1]], dim=1))
    losses.append(criterion(scores.flatten(0, 1), target.flatten()).item())
print(tgt[:, 1:])

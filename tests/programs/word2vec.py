"""Word vectors: skip-gram with negative sampling, CBOW over an EmbeddingBag; nearest words by cosine."""

import torch
import torch.nn.functional as F
from torch import nn, optim

TOLERANCE = 4e-6  # seen: 2e-7; Adam

TEXT = """the king rules the land and the queen rules the land the man walks the dog and the woman walks the cat
a king is a man and a queen is a woman the dog and the cat are animals of the man and of the woman"""


class SkipGram(nn.Module):
    def __init__(self, words, size):
        super().__init__()
        self.centre = nn.Embedding(words, size)
        self.around = nn.Embedding(words, size)
        nn.init.normal_(self.centre.weight, std=0.1)
        nn.init.zeros_(self.around.weight)

    def forward(self, centre, context, negatives):
        v = self.centre(centre)
        positive = F.logsigmoid((v * self.around(context)).sum(-1))
        negative = F.logsigmoid(-torch.bmm(self.around(negatives), v.unsqueeze(2)).squeeze(2)).sum(-1)
        return -(positive + negative).mean()


class CBOW(nn.Module):
    def __init__(self, words, size):
        super().__init__()
        self.bag = nn.EmbeddingBag(words, size, mode="mean")
        self.out = nn.Linear(size, words)

    def forward(self, contexts, offsets):
        return self.out(self.bag(contexts, offsets))


torch.manual_seed(8)
tokens = TEXT.split()
vocabulary = sorted(set(tokens))
ids = [vocabulary.index(word) for word in tokens]
counts = torch.bincount(torch.LongTensor(ids), minlength=len(vocabulary))
noise = counts.float().pow(0.75)
pairs = torch.LongTensor(
    [(ids[i], ids[j]) for i in range(len(ids)) for j in range(max(0, i - 2), min(len(ids), i + 3)) if i != j]
)
losses = []

model = SkipGram(len(vocabulary), 12)
optimizer = optim.Adam(model.parameters(), lr=0.02)
for epoch in range(5):
    for batch in pairs[torch.randperm(len(pairs))].split(32):
        negatives = torch.multinomial(noise, len(batch) * 4, replacement=True).view(-1, 4)
        loss = model(batch[:, 0], batch[:, 1], negatives)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"skip-gram {epoch}: {loss.item():.4f}")
similar = F.cosine_similarity(model.centre.weight[vocabulary.index("king")][None], model.centre.weight)
print("king:", [vocabulary[i] for i in similar.topk(4).indices[1:]])

model = CBOW(len(vocabulary), 12)
optimizer = optim.Adadelta(model.parameters(), lr=2.0)
places = torch.arange(2, len(ids) - 2)
for epoch in range(15):
    contexts = torch.tensor([ids[i + j] for i in places.tolist() for j in (-2, -1, 1, 2)])
    loss = F.cross_entropy(model(contexts, torch.arange(0, len(contexts), 4)), torch.tensor(ids)[places])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"CBOW: {loss.item():.4f}")
